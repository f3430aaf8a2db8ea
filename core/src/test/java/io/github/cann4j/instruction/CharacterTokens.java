// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A tokenizer of one token per character and per special token, so that what was encoded can be
 * read again.
 */
final class CharacterTokens implements TokenEncoder {
  private static final int FIRST_SPECIAL = Character.MAX_CODE_POINT + 1;
  private static final String EOD = "EOD";
  private static final String BOS = "BOS";

  private final List<String> special = new ArrayList<>();
  private final boolean hasBos;
  private final int eod;
  final List<String> encoded = new ArrayList<>();

  private CharacterTokens(Set<String> names, boolean hasBos, String eod) {
    special.add(EOD);
    special.add(BOS);
    special.addAll(names);
    this.hasBos = hasBos;
    this.eod = FIRST_SPECIAL + special.indexOf(eod);
  }

  static CharacterTokens with(String... names) {
    return new CharacterTokens(Set.of(names), true, EOD);
  }

  static CharacterTokens forTemplate(ChatTemplate template) {
    return with(template.specialTokens().toArray(String[]::new));
  }

  static CharacterTokens withoutBos() {
    return new CharacterTokens(Set.of(), false, EOD);
  }

  /** A tokenizer whose EOD is one of its named tokens. */
  static CharacterTokens endingWith(String eod, String... names) {
    return new CharacterTokens(Set.of(names), true, eod);
  }

  @Override
  public int[] encode(String text) {
    encoded.add(text);
    return text.codePoints().toArray();
  }

  @Override
  public OptionalInt specialToken(String text) {
    int index = special.indexOf(text);
    return index < 2 ? OptionalInt.empty() : OptionalInt.of(FIRST_SPECIAL + index);
  }

  @Override
  public int eodId() {
    return eod;
  }

  @Override
  public OptionalInt bosId() {
    return hasBos ? OptionalInt.of(FIRST_SPECIAL + special.indexOf(BOS)) : OptionalInt.empty();
  }

  @Override
  public int vocabSize() {
    return FIRST_SPECIAL + special.size();
  }

  /** The text, special tokens as {@code {name}}, targets between square brackets of CJK. */
  String show(EncodedSample sample) {
    StringBuilder shown = new StringBuilder();
    boolean target = false;
    for (int i = 0; i < sample.length(); i++) {
      if (sample.targets()[i] != target) {
        target = !target;
        shown.append(target ? '【' : '】');
      }
      int token = sample.tokens()[i];
      if (token >= FIRST_SPECIAL) {
        shown.append('{').append(special.get(token - FIRST_SPECIAL)).append('}');
      } else {
        shown.appendCodePoint(token);
      }
    }
    return shown.append(target ? "】" : "").toString();
  }
}
