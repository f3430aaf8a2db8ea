// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.EncodingType;
import com.knuddels.jtokkit.api.IntArrayList;
import io.github.cann4j.samples.cli.BadInputException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A vocabulary of the tiktoken family. Words that look like special tokens are ordinary text. It
 * has no token that begins a document.
 */
public final class TextTokenizer implements Tokenizer {
  private static final String END_OF_TEXT = "<|endoftext|>";
  private static final Map<String, Vocabulary> VOCABULARIES = vocabularies();

  private final Vocabulary vocabulary;
  private final Encoding encoding;
  private final int eodId;

  /** The special tokens come last, but for those of the older vocabularies. */
  private record Vocabulary(EncodingType type, int size, Map<String, Integer> special) {}

  /** With the cl100k_base vocabulary. */
  public TextTokenizer() {
    this(EncodingType.CL100K_BASE.getName(), null);
  }

  /**
   * With a vocabulary by name.
   *
   * @param name one of {@link #names()}
   * @param eod the special token that ends a document; null for {@code <|endoftext|>}
   * @throws BadInputException if it has no such token
   */
  public TextTokenizer(String name, String eod) {
    vocabulary = VOCABULARIES.get(name);
    if (vocabulary == null) {
      throw new IllegalArgumentException(name + " is none of the vocabularies " + names());
    }
    Integer end = vocabulary.special.get(eod == null ? END_OF_TEXT : eod);
    if (end == null) {
      throw new BadInputException(
          "'%s', which is to end a document, is no special token of %s: %s"
              .formatted(eod, name, vocabulary.special.keySet()));
    }
    eodId = end;
    encoding = Encodings.newLazyEncodingRegistry().getEncoding(vocabulary.type);
  }

  private static Map<String, Vocabulary> vocabularies() {
    Map<String, Vocabulary> byName = new LinkedHashMap<>();
    for (Vocabulary one :
        new Vocabulary[] {
          new Vocabulary(
              EncodingType.CL100K_BASE,
              100277,
              Map.of(
                  END_OF_TEXT,
                  100257,
                  "<|fim_prefix|>",
                  100258,
                  "<|fim_middle|>",
                  100259,
                  "<|fim_suffix|>",
                  100260,
                  "<|endofprompt|>",
                  100276)),
          new Vocabulary(
              EncodingType.O200K_BASE,
              200019,
              Map.of(END_OF_TEXT, 199999, "<|endofprompt|>", 200018)),
          new Vocabulary(EncodingType.P50K_BASE, 50281, Map.of(END_OF_TEXT, 50256)),
          new Vocabulary(EncodingType.R50K_BASE, 50257, Map.of(END_OF_TEXT, 50256))
        }) {
      byName.put(one.type.getName(), one);
    }
    return byName;
  }

  /** The names of the vocabularies. */
  public static Set<String> names() {
    return VOCABULARIES.keySet();
  }

  @Override
  public String name() {
    return encoding.getName();
  }

  @Override
  public int vocabSize() {
    return vocabulary.size;
  }

  @Override
  public int eodId() {
    return eodId;
  }

  @Override
  public OptionalInt bosId() {
    return OptionalInt.empty();
  }

  @Override
  public OptionalInt specialToken(String text) {
    Integer id = vocabulary.special.get(text);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  @Override
  public int[] encode(String text) {
    return encoding.encodeOrdinary(text).toArray();
  }

  @Override
  public String decode(int... tokens) {
    IntArrayList list = new IntArrayList(tokens.length);
    for (int token : tokens) {
      list.add(token);
    }
    return encoding.decode(list);
  }
}
