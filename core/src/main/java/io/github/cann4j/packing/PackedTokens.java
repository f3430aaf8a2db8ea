// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A packed sequence with its token ids, and which of them are targets: tokens to be predicted.
 * Immutable and thread-safe.
 */
public final class PackedTokens {
  private final PackedSequence sequence;
  private final int[] tokens;
  private final byte[] targets;

  PackedTokens(PackedSequence sequence, int[] tokens, byte[] targets) {
    checkRows(tokens.length, "tokens", sequence);
    checkRows(targets.length, "targets", sequence);
    this.sequence = sequence;
    this.tokens = tokens;
    this.targets = targets;
  }

  /**
   * A sequence with its tokens, all of which are targets.
   *
   * @param sequence documents and padding
   * @param tokens one id per row, padding included; copied
   * @return the inputs
   * @throws IllegalArgumentException if there is not one token per row
   */
  public static PackedTokens of(PackedSequence sequence, int[] tokens) {
    byte[] targets = new byte[(int) sequence.length()];
    Arrays.fill(targets, 0, (int) sequence.validLength(), (byte) 1);
    return new PackedTokens(sequence, tokens.clone(), targets);
  }

  /**
   * A sequence with its tokens and targets.
   *
   * @param sequence documents and padding
   * @param tokens one id per row, padding included; copied
   * @param targets one value per row, padding included: 1 if the row's token is to be predicted,
   *     else 0; copied
   * @return the inputs
   * @throws IllegalArgumentException if there is not one token and one target per row, if a target
   *     is neither 0 nor 1, or if a padding row is one
   */
  public static PackedTokens of(PackedSequence sequence, int[] tokens, byte[] targets) {
    PackedTokens packed = new PackedTokens(sequence, tokens.clone(), targets.clone());
    checkTargets(packed.targetSegment(), sequence.validLength());
    return packed;
  }

  private static void checkRows(int count, String what, PackedSequence sequence) {
    if (count != sequence.length()) {
      throw new IllegalArgumentException(
          count + " " + what + " for a sequence of " + sequence.length() + " rows");
    }
  }

  static void checkTargets(MemorySegment targets, long validLength) {
    long rows = targets.byteSize();
    int others = 0;
    for (long row = 0; row < rows; row++) {
      int most = row < validLength ? 1 : 0;
      others |= targets.get(ValueLayout.JAVA_BYTE, row) & ~most;
    }
    if (others != 0) {
      refuseTargets(targets, validLength);
    }
  }

  private static void refuseTargets(MemorySegment targets, long validLength) {
    for (long row = 0; row < targets.byteSize(); row++) {
      int target = targets.get(ValueLayout.JAVA_BYTE, row) & 0xFF;
      if (target > 1 || target == 1 && row >= validLength) {
        throw new IllegalArgumentException(
            "target "
                + target
                + " in row "
                + row
                + (target > 1 ? " is neither 0 nor 1" : ", which is padding"));
      }
    }
  }

  /** {@return the documents and where padding starts} */
  public PackedSequence sequence() {
    return sequence;
  }

  /** {@return token ids of all rows; a copy} */
  public int[] tokens() {
    return tokens.clone();
  }

  /** {@return 1 for each row whose token is to be predicted, else 0; a copy} */
  public byte[] targets() {
    return targets.clone();
  }

  /** {@return token ids of all rows as {@link TokenType#INT32}; a read-only view} */
  public MemorySegment segment() {
    return MemorySegment.ofArray(tokens).asReadOnly();
  }

  /** {@return the targets of all rows, one byte each; a read-only view} */
  public MemorySegment targetSegment() {
    return MemorySegment.ofArray(targets).asReadOnly();
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
