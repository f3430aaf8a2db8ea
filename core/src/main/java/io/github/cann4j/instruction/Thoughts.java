// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.regex.Pattern;

/**
 * The words around a reasoning model's thoughts.
 *
 * @param begin before them
 * @param end after them
 */
record Thoughts(String begin, String end) {
  static final Thoughts DEFAULT = new Thoughts("<think>\n", "\n</think>\n\n");

  String empty() {
    return begin + end;
  }

  boolean missingIn(String content) {
    return !content.contains(begin) && !content.contains(end);
  }

  String strip(String content) {
    Pattern thought =
        Pattern.compile(Pattern.quote(begin) + ".*?" + Pattern.quote(end), Pattern.DOTALL);
    return thought.matcher(content).replaceAll("").replaceFirst("^\n+", "");
  }
}
