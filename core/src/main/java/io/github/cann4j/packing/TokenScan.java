// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** One pass over the valid tokens of a sequence that finds where documents end. */
final class TokenScan {
  private static final int MOST_IN_PART = 4096;

  private final long length;
  private final long validLength;
  private final long eodId;
  private final long vocabSize;
  private final TokenBlock block;
  // In parts: one array that grows would be copied again and again.
  private final List<int[]> fullParts = new ArrayList<>();
  private int[] part = new int[64];
  private int count;
  private int inPart;
  private int last;

  /** Takes tokens in order. */
  @FunctionalInterface
  interface BlockReader {
    void read(TokenBlock block, int row);
  }

  TokenScan(MemorySegment tokens, TokenType type, long validLength, long eodId, long vocabSize) {
    this.block = new TokenBlock(tokens, type);
    this.length = type.count(tokens);
    this.validLength = validLength;
    this.eodId = eodId;
    this.vocabSize = vocabSize;
    PackedSequence.checkLength(length);
    if (validLength < 0 || validLength > length) {
      throw new IllegalArgumentException(
          "valid length " + validLength + " is not within the " + length + " tokens given");
    }
    checkEod(eodId, vocabSize);
    if (eodId < type.minimum() || eodId > type.maximum()) {
      throw new IllegalArgumentException(
          "EOD id "
              + eodId
              + " cannot occur in "
              + type
              + " tokens ("
              + type.minimum()
              + " to "
              + type.maximum()
              + ")");
    }
  }

  static void checkEod(long eodId, long vocabSize) {
    if (vocabSize < 1) {
      throw new IllegalArgumentException("vocabulary size " + vocabSize + " is not positive");
    }
    if (vocabSize != Long.MAX_VALUE && (eodId < 0 || eodId >= vocabSize)) {
      throw new IllegalArgumentException(
          "EOD id "
              + eodId
              + " is outside the vocabulary of "
              + vocabSize
              + " tokens (0 to "
              + (vocabSize - 1)
              + ")");
    }
  }

  long length() {
    return length;
  }

  /** Finds the documents; hands each block of tokens on with its first row. */
  PackedSequence scan(BlockReader reader) {
    int[] places = new int[TokenBlock.SIZE];
    for (long row = 0; row < validLength; row += TokenBlock.SIZE) {
      int size = (int) Math.min(TokenBlock.SIZE, validLength - row);
      block.read(row, size);
      if (vocabSize != Long.MAX_VALUE && !block.areBelow(vocabSize)) {
        refuse(size, row);
      }
      int found = block.find(eodId, places);
      for (int i = 0; i < found; i++) {
        end((int) row + places[i] + 1);
      }
      reader.read(block, (int) row);
    }
    return finish();
  }

  private void refuse(int size, long row) {
    for (int i = 0; i < size; i++) {
      long token = block.get(i);
      if (token < 0 || token >= vocabSize) {
        throw new IllegalArgumentException(
            "token "
                + token
                + " in row "
                + (row + i)
                + " is outside the vocabulary of "
                + vocabSize
                + " tokens");
      }
    }
  }

  private PackedSequence finish() {
    if (validLength > last) {
      end((int) validLength);
    }
    long[] ends = new long[count];
    int done = 0;
    for (int[] full : fullParts) {
      widen(full, full.length, ends, done);
      done += full.length;
    }
    widen(part, inPart, ends, done);
    return PackedSequence.ofOwnedEnds(ends, length);
  }

  private static void widen(int[] source, int size, long[] target, int from) {
    for (int i = 0; i < size; i++) {
      target[from + i] = source[i];
    }
  }

  private void end(int row) {
    if (inPart == part.length) {
      fullParts.add(part);
      part = new int[Math.min(2 * part.length, MOST_IN_PART)];
      inPart = 0;
    }
    part[inPart++] = row;
    last = row;
    count++;
  }
}
