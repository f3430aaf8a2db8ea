// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import io.github.cann4j.instruction.TokenEncoder;

/** Text to token ids and back. Thread-safe. */
public sealed interface Tokenizer extends TokenEncoder permits JsonTokenizer, TextTokenizer {
  /** The name of the vocabulary. */
  String name();

  /** The text of tokens, names of special ones included. */
  String decode(int... tokens);
}
