// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;

/** A packed sequence with its token ids. Immutable and thread-safe. */
public final class PackedTokens {
  private final PackedSequence sequence;
  private final int[] tokens;

  PackedTokens(PackedSequence sequence, int[] tokens) {
    if (tokens.length != sequence.length()) {
      throw new IllegalArgumentException(
          tokens.length + " tokens for a sequence of " + sequence.length() + " rows");
    }
    this.sequence = sequence;
    this.tokens = tokens;
  }

  /**
   * A sequence with its tokens.
   *
   * @param sequence documents and padding
   * @param tokens one id per row, padding included; copied
   * @return the inputs
   * @throws IllegalArgumentException if there is not one token per row
   */
  public static PackedTokens of(PackedSequence sequence, int[] tokens) {
    return new PackedTokens(sequence, tokens.clone());
  }

  /** {@return the documents and where padding starts} */
  public PackedSequence sequence() {
    return sequence;
  }

  /** {@return token ids of all rows; a copy} */
  public int[] tokens() {
    return tokens.clone();
  }

  /** {@return token ids of all rows as {@link TokenType#INT32}; a read-only view} */
  public MemorySegment segment() {
    return MemorySegment.ofArray(tokens).asReadOnly();
  }

  /**
   * Labels of all rows, see {@link PackedSequence#labels(MemorySegment, TokenType)}.
   *
   * @return a new array
   */
  public long[] labels() {
    return sequence.labels(segment(), TokenType.INT32);
  }

  @Override
  public String toString() {
    return "PackedTokens[" + sequence + "]";
  }
}
