// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import java.util.LinkedHashMap;
import java.util.SequencedMap;

/** An option whose value is one of a few names. Immutable. */
public final class Choice<T> {
  private final String option;
  private final SequencedMap<String, T> values = new LinkedHashMap<>();

  /** A choice between two values. */
  public Choice(String option, String firstName, T first, String secondName, T second) {
    this.option = option;
    values.put(firstName, first);
    values.put(secondName, second);
  }

  /** The same choice with one more value. */
  public Choice<T> or(String name, T value) {
    Choice<T> more = new Choice<>(option);
    more.values.putAll(values);
    more.values.put(name, value);
    return more;
  }

  private Choice(String option) {
    this.option = option;
  }

  /**
   * The value of a name.
   *
   * @throws BadInputException if there is no such name
   */
  public T parse(String name) {
    T value = values.get(name);
    if (value == null) {
      throw new BadInputException(
          "%s '%s' is unknown; it must be %s"
              .formatted(option, name, String.join(" or ", values.keySet())));
    }
    return value;
  }
}
