// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.EncodingType;
import com.knuddels.jtokkit.api.IntArrayList;

/** Text to token ids and back, with the cl100k_base vocabulary. Thread-safe. */
public final class TextTokenizer {
  private static final int END_OF_TEXT = 100257;
  // The last special token of cl100k_base, <|endofprompt|>, is 100276.
  private static final int VOCABULARY_SIZE = 100277;

  private final Encoding encoding =
      Encodings.newLazyEncodingRegistry().getEncoding(EncodingType.CL100K_BASE);

  /** The name of the vocabulary. */
  public String name() {
    return encoding.getName();
  }

  /** Token ids are at least 0 and below this. */
  public int vocabularySize() {
    return VOCABULARY_SIZE;
  }

  /** The id of the special token that ends a text; no text contains it. */
  public int endOfText() {
    return END_OF_TEXT;
  }

  /** The tokens of a text; words that look like special tokens are ordinary text. */
  public int[] encode(String text) {
    return encoding.encodeOrdinary(text).toArray();
  }

  /** The text of tokens. */
  public String decode(int... tokens) {
    IntArrayList list = new IntArrayList(tokens.length);
    for (int token : tokens) {
      list.add(token);
    }
    return encoding.decode(list);
  }
}
