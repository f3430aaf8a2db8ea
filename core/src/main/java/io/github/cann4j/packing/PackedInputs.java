// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * What training needs beside the tokens of a packed sequence, one value per row in global order.
 * The arrays are not copied.
 *
 * @param sequence the documents
 * @param positionIds positions; 0 in padding
 * @param labels the next token of the same document; {@link PackedSequence#IGNORE_LABEL} in a
 *     document's last row and in padding
 * @param lossWeights 1; 0 in a document's last row and in padding
 */
public record PackedInputs(
    PackedSequence sequence, long[] positionIds, long[] labels, float[] lossWeights) {

  /**
   * Finds documents by their EOD token and makes everything in the same single pass; rules as for
   * {@link PackedSequence#fromEod(MemorySegment, TokenType, long, long, long)}.
   *
   * @param tokens one id per row, padding included
   * @param type type of the token ids
   * @param validLength rows before the padding
   * @param eodId the id that ends a document
   * @param vocabSize tokens of the vocabulary, {@link Long#MAX_VALUE} if unknown
   * @param resetPositionIds whether positions restart at 0 in each document
   * @return the sequence
   * @throws IllegalArgumentException if an argument or a token is out of range
   */
  public static PackedInputs fromEod(
      MemorySegment tokens,
      TokenType type,
      long validLength,
      long eodId,
      long vocabSize,
      boolean resetPositionIds) {
    TokenScan scan = new TokenScan(tokens, type, validLength, eodId, vocabSize);
    int length = (int) scan.length();
    int valid = (int) validLength;
    long[] positionIds = new long[length];
    long[] labels = new long[length];
    float[] lossWeights = new float[length];
    // The label of a row is the next token.
    PackedSequence sequence =
        scan.scan((block, row) -> block.copyTo(row == 0 ? 1 : 0, labels, Math.max(0, row - 1)));
    Arrays.fill(lossWeights, 0, valid, 1f);
    for (int i = 0; i < sequence.documentCount(); i++) {
      int last = (int) sequence.documentEnd(i) - 1;
      labels[last] = PackedSequence.IGNORE_LABEL;
      lossWeights[last] = 0f;
    }
    Arrays.fill(labels, valid, length, PackedSequence.IGNORE_LABEL);
    sequence.positionIds(resetPositionIds, 0, length, positionIds, 0);
    return new PackedInputs(sequence, positionIds, labels, lossWeights);
  }

  /**
   * As the segment version, for an array without padding and without a known vocabulary.
   *
   * @param tokens token ids, one per row
   * @param eodId the id that ends a document
   * @param resetPositionIds whether position ids restart at 0 in each document
   * @return the sequence
   */
  public static PackedInputs fromEod(int[] tokens, long eodId, boolean resetPositionIds) {
    return fromEod(
        MemorySegment.ofArray(tokens),
        TokenType.INT32,
        tokens.length,
        eodId,
        Long.MAX_VALUE,
        resetPositionIds);
  }
}
