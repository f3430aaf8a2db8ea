// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How one kind of message is written.
 *
 * @param slots its pieces in order
 * @param toolFormat how function calls are written, if the template says
 */
record Format(List<Slot> slots, Optional<String> toolFormat) {
  static final Format NOTHING = of();

  private static final Pattern PLACEHOLDER = Pattern.compile("\\{\\{([a-zA-Z_][a-zA-Z0-9_]*)}}");

  static Format of(Slot... slots) {
    return new Format(List.of(slots), Optional.empty());
  }

  static Format of(String text, Slot... more) {
    List<Slot> slots = new ArrayList<>(List.of(more));
    slots.addFirst(new Slot.Text(text));
    return new Format(List.copyOf(slots), Optional.empty());
  }

  /** The slots with values in place of placeholders; a value is not searched again. */
  List<Slot> apply(Map<String, String> values) {
    List<Slot> applied = new ArrayList<>(slots.size());
    for (Slot slot : slots) {
      applied.add(slot instanceof Slot.Text(String text) ? fill(text, values) : slot);
    }
    return applied;
  }

  private static Slot fill(String text, Map<String, String> values) {
    Matcher matcher = PLACEHOLDER.matcher(text);
    return new Slot.Text(
        matcher.replaceAll(
            found -> Matcher.quoteReplacement(values.getOrDefault(found.group(1), found.group()))));
  }

  /** Text of the slots, which must all be text. */
  String applyAsText(Map<String, String> values) {
    StringBuilder joined = new StringBuilder();
    for (Slot slot : apply(values)) {
      joined.append(((Slot.Text) slot).text());
    }
    return joined.toString();
  }

  boolean isTextOnly() {
    return slots.stream().allMatch(Slot.Text.class::isInstance);
  }

  Set<String> placeholders() {
    Set<String> names = new TreeSet<>();
    for (Slot slot : slots) {
      if (slot instanceof Slot.Text(String text)) {
        PLACEHOLDER.matcher(text).results().forEach(found -> names.add(found.group(1)));
      }
    }
    return names;
  }
}
