// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import java.util.OptionalInt;

/**
 * What {@link InstructionEncoder} needs of a tokenizer. An implementation says itself which threads
 * may call it; the encoder adds no restriction of its own.
 */
public interface TokenEncoder {
  /**
   * Tokens of a text, without any that mark the beginning or end of a whole text. Names of special
   * tokens in the text become these tokens where the tokenizer does so.
   *
   * @param text any text
   * @return ids from 0 to {@link #vocabSize()} - 1, owned by the caller
   */
  int[] encode(String text);

  /**
   * Tokens of a text in which names of special tokens are ordinary text, such as a document.
   *
   * @param text any text
   * @return ids from 0 to {@link #vocabSize()} - 1, owned by the caller
   */
  default int[] encodeOrdinary(String text) {
    return SpecialNames.encode(SpecialNames.breakAll(text, this), this);
  }

  /**
   * The id of a special token.
   *
   * @param text its name, such as {@code <|im_start|>}
   * @return its id, or nothing if the vocabulary does not have it as one token
   */
  OptionalInt specialToken(String text);

  /** {@return the id that ends a document; also what the slot {@code eos_token} means} */
  int eodId();

  /** {@return the id that begins a document, if there is one; the slot {@code bos_token}} */
  OptionalInt bosId();

  /** {@return number of ids} */
  int vocabSize();
}
