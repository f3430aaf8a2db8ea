// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

/** A piece of a format, encoded by itself. */
sealed interface Slot {
  /** Text, in a format with placeholders. */
  record Text(String text) implements Slot {}

  /** A special token by name. */
  record Special(String token) implements Slot {}

  /** The tokenizer's token that begins a document; nothing where it has none. */
  record Bos() implements Slot {}

  /** The token that ends a response. */
  record Eos() implements Slot {}
}
