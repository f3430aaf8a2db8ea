// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.Arrays;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Keeps what people write from being taken for special tokens: a text about {@code <|im_end|>} must
 * not end a turn, nor forge one. Names in it are broken by a mark, at which the text is divided
 * before it is encoded.
 */
final class SpecialNames {
  // A code point that Unicode keeps out of texts.
  private static final char MARK = '\uFDD0';
  private static final Pattern NAME = Pattern.compile("<[^<>\\s]{1,64}>|\\[/?[A-Z_]{1,32}]");

  /** Tokens that responses and observations are written with. */
  private static final Set<String> MEANT =
      Set.of(
          "<think>",
          "</think>",
          "<tool_call>",
          "</tool_call>",
          "<tool_response>",
          "</tool_response>");

  private SpecialNames() {}

  /** The text with all names of special tokens broken by marks. */
  static String breakAll(String text, TokenEncoder tokenizer) {
    String unmarked = text.indexOf(MARK) < 0 ? text : text.replace(String.valueOf(MARK), "");
    Matcher names = NAME.matcher(unmarked);
    StringBuilder broken = null;
    int done = 0;
    while (names.find()) {
      String name = names.group();
      if (!MEANT.contains(name) && tokenizer.specialToken(name).isPresent()) {
        broken = broken == null ? new StringBuilder() : broken;
        broken.append(unmarked, done, names.start() + 1).append(MARK);
        done = names.start() + 1;
      }
    }
    return broken == null ? unmarked : broken.append(unmarked, done, unmarked.length()).toString();
  }

  /** Tokens of a text with marks. */
  static int[] encode(String text, TokenEncoder tokenizer) {
    if (text.indexOf(MARK) < 0) {
      return tokenizer.encode(text);
    }
    int[] all = new int[0];
    for (String part : text.split(String.valueOf(MARK))) {
      int[] tokens = tokenizer.encode(part);
      int length = all.length;
      all = Arrays.copyOf(all, length + tokens.length);
      System.arraycopy(tokens, 0, all, length, tokens.length);
    }
    return all;
  }
}
