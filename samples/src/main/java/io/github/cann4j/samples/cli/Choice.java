// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.Sharding;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/** An option whose value is one of a few names. Immutable. */
public final class Choice<T> {
  /** Element types of tensors. */
  public static final Choice<DataType> DTYPE =
      new Choice<>("--dtype", "fp32", DataType.FLOAT, "bf16", DataType.BF16);

  /** Layouts of tensors. */
  public static final Choice<Layout> LAYOUT =
      new Choice<>("--layout", "tnd", Layout.TND, "bsnd", Layout.BSND);

  /** Which rows a ring rank holds. */
  public static final Choice<Sharding> SHARDING =
      new Choice<>("--sharding", "zigzag", Sharding.ZIGZAG, "contiguous", Sharding.CONTIGUOUS);

  /** How rows travel between ring ranks. */
  public static final Choice<ExchangePattern> EXCHANGE_PATTERN =
      new Choice<>(
          "--exchange-pattern", "direct", ExchangePattern.DIRECT, "ring", ExchangePattern.RING);

  private final String option;
  private final SequencedMap<String, T> values = new LinkedHashMap<>();

  /** A choice between two values. */
  public Choice(String option, String firstName, T first, String secondName, T second) {
    this.option = option;
    values.put(firstName, first);
    values.put(secondName, second);
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
