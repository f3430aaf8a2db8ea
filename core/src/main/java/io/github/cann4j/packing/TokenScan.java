// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** One pass over the valid tokens of a sequence that finds where documents end. */
final class TokenScan {
  private final MemorySegment tokens;
  private final TokenType type;
  private final long length;
  private final long validLength;
  private final long eodId;
  private final long vocabSize;
  private long[] ends = new long[16];
  private int count;

  TokenScan(MemorySegment tokens, TokenType type, long validLength, long eodId, long vocabSize) {
    this.tokens = tokens;
    this.type = type;
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

  /** Reads the token of a row; rows must come in order. Returns it. */
  long next(long row) {
    long token = type.read(tokens, row);
    if (vocabSize != Long.MAX_VALUE && (token < 0 || token >= vocabSize)) {
      throw new IllegalArgumentException(
          "token "
              + token
              + " in row "
              + row
              + " is outside the vocabulary of "
              + vocabSize
              + " tokens");
    }
    if (token == eodId) {
      end(row + 1);
    }
    return token;
  }

  boolean isEod(long token) {
    return token == eodId;
  }

  PackedSequence finish() {
    if (validLength > 0 && (count == 0 || ends[count - 1] != validLength)) {
      end(validLength);
    }
    return PackedSequence.ofOwnedEnds(Arrays.copyOf(ends, count), length);
  }

  private void end(long row) {
    if (count == ends.length) {
      ends = Arrays.copyOf(ends, count * 2);
    }
    ends[count++] = row;
  }
}
