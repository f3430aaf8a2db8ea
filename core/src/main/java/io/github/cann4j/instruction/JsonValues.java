// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import com.fasterxml.jackson.core.JacksonException;
import java.util.List;
import java.util.Map;

/** Words for JSON values in messages. */
final class JsonValues {
  private static final int SHOWN = 40;

  private JsonValues() {}

  /** What a value is, and shortly which. */
  static String describe(Object value) {
    return switch (value) {
      case null -> "missing or null";
      case String text -> "the text \"" + shorten(text) + "\"";
      case List<?> list -> "a list of " + list.size() + ": " + shorten(list.toString());
      case Map<?, ?> map -> "an object with the keys " + map.keySet();
      default -> shorten(value.toString());
    };
  }

  private static String shorten(String text) {
    int end = text.offsetByCodePoints(0, Math.min(SHOWN, text.codePointCount(0, text.length())));
    return end == text.length() ? text : text.substring(0, end) + "\u2026";
  }

  /** Where parsing failed, if that is known. */
  static String line(JacksonException e) {
    return e.getLocation() == null ? "" : " (line %d)".formatted(e.getLocation().getLineNr());
  }
}
