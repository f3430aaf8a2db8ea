// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;

/**
 * Documents laid end to end in one sequence of rows, followed by padding rows that belong to no
 * document.
 *
 * <p>Row {@code t} belongs to document {@code i} when {@code documentBegin(i) <= t <
 * documentEnd(i)}. Rows from {@link #validLength()} to {@link #length()} are padding: recorded
 * here, never inferred from a token id. Documents have at least one row; zero-length ones are
 * refused ({@link #withoutEmpty} drops them where the caller wants that). A sequence that is all
 * padding has no documents.
 *
 * <p>Immutable and thread-safe. Rows are counted in tokens.
 */
public final class PackedSequence {
  /** The largest number of rows, so that per-row data fits in Java arrays. */
  public static final long MAX_LENGTH = Integer.MAX_VALUE - 8L;

  /** The label of rows that have none: a document's last row and padding. */
  public static final long IGNORE_LABEL = -100;

  private final long[] ends;
  private final long length;

  private PackedSequence(long[] ends, long length) {
    this.ends = ends;
    this.length = length;
  }

  /**
   * A sequence without padding. See {@link #ofLengths(long[], long)}.
   *
   * @param documentLengths rows of each document, in order
   * @return the sequence
   */
  public static PackedSequence ofLengths(long... documentLengths) {
    long sum = 0;
    for (long documentLength : documentLengths) {
      // Wrong lengths are reported below; here they only must not overflow.
      sum = Math.min(MAX_LENGTH + 1, sum + Math.clamp(documentLength, 0, MAX_LENGTH + 1));
    }
    return ofLengths(documentLengths, sum);
  }

  /**
   * Documents of the given lengths, then padding up to {@code paddedLength} rows.
   *
   * @param documentLengths rows of each document, in order
   * @param paddedLength all rows, padding included
   * @return the sequence
   * @throws IllegalArgumentException if a document has no rows, if the documents are longer than
   *     {@code paddedLength}, or if there are no rows or more than {@link #MAX_LENGTH}
   */
  public static PackedSequence ofLengths(long[] documentLengths, long paddedLength) {
    checkLength(paddedLength);
    long[] ends = new long[documentLengths.length];
    long end = 0;
    for (int i = 0; i < ends.length; i++) {
      if (documentLengths[i] <= 0) {
        throw new IllegalArgumentException(
            "document "
                + i
                + " has length "
                + documentLengths[i]
                + "; documents need at least one row"
                + " (PackedSequence.withoutEmpty drops empty ones)");
      }
      if (documentLengths[i] > paddedLength - end) {
        throw new IllegalArgumentException(
            "documents 0 to "
                + i
                + " need more rows ("
                + end
                + " + "
                + documentLengths[i]
                + ") than the sequence has ("
                + paddedLength
                + ")");
      }
      end += documentLengths[i];
      ends[i] = end;
    }
    return new PackedSequence(ends, paddedLength);
  }

  /**
   * Documents given as CANN's {@code actual_seq_len}: cumulative ends without a leading 0.
   *
   * @param actualSeqLen cumulative document ends
   * @param paddedLength all rows, padding included
   * @return the sequence
   * @throws IllegalArgumentException if the ends do not grow strictly from above 0, or pass {@code
   *     paddedLength}
   */
  public static PackedSequence ofActualSeqLen(long[] actualSeqLen, long paddedLength) {
    checkLength(paddedLength);
    long previous = 0;
    for (int i = 0; i < actualSeqLen.length; i++) {
      if (actualSeqLen[i] <= previous) {
        throw new IllegalArgumentException(
            "actual_seq_len["
                + i
                + "] = "
                + actualSeqLen[i]
                + " does not grow from "
                + previous
                + "; give cumulative document ends without a leading 0 and without empty"
                + " documents");
      }
      previous = actualSeqLen[i];
    }
    if (previous > paddedLength) {
      throw new IllegalArgumentException(
          "the last actual_seq_len "
              + previous
              + " passes the end of the sequence of "
              + paddedLength
              + " rows");
    }
    return new PackedSequence(actualSeqLen.clone(), paddedLength);
  }

  /**
   * The given lengths without the zeros among them.
   *
   * @param documentLengths rows of each document, in order
   * @return a new array
   */
  public static long[] withoutEmpty(long... documentLengths) {
    return Arrays.stream(documentLengths).filter(n -> n != 0).toArray();
  }

  /**
   * Finds documents by their EOD token, in one pass over the valid tokens.
   *
   * <p>The EOD token belongs to the document that it ends; EOD tokens in a row make documents of
   * length 1; without a trailing EOD the last document ends where the valid tokens do. Tokens from
   * {@code validLength} on are padding and are not read.
   *
   * @param tokens one id per row, padding included
   * @param type type of the token ids
   * @param validLength rows before the padding
   * @param eodId the id that ends a document
   * @return the sequence
   * @throws IllegalArgumentException if {@code type} cannot hold {@code eodId}, if the segment is
   *     empty or holds no whole number of tokens, or if {@code validLength} passes its end
   */
  public static PackedSequence fromEod(
      MemorySegment tokens, TokenType type, long validLength, long eodId) {
    return fromEod(tokens, type, validLength, eodId, Long.MAX_VALUE);
  }

  /**
   * As {@link #fromEod(MemorySegment, TokenType, long, long)}, and refuses an EOD id or a valid
   * token outside {@code 0 .. vocabSize - 1}. {@link Long#MAX_VALUE} stands for an unknown
   * vocabulary.
   *
   * @param tokens token ids, one per row
   * @param type type of the token ids
   * @param validLength rows before the padding
   * @param eodId the id that ends a document
   * @param vocabSize number of token ids; they are 0 … vocabSize − 1
   * @return the sequence
   */
  public static PackedSequence fromEod(
      MemorySegment tokens, TokenType type, long validLength, long eodId, long vocabSize) {
    TokenScan scan = new TokenScan(tokens, type, validLength, eodId, vocabSize);
    return scan.scan((block, row) -> {});
  }

  /**
   * As {@link #fromEod(MemorySegment, TokenType, long, long)} for an array.
   *
   * @param tokens token ids, one per row
   * @param validLength rows before the padding
   * @param eodId the id that ends a document
   * @return the sequence
   */
  public static PackedSequence fromEod(int[] tokens, long validLength, long eodId) {
    return fromEod(MemorySegment.ofArray(tokens), TokenType.INT32, validLength, eodId);
  }

  /**
   * As {@link #fromEod(MemorySegment, TokenType, long, long)} for an array.
   *
   * @param tokens token ids, one per row
   * @param validLength rows before the padding
   * @param eodId the id that ends a document
   * @return the sequence
   */
  public static PackedSequence fromEod(long[] tokens, long validLength, long eodId) {
    return fromEod(MemorySegment.ofArray(tokens), TokenType.INT64, validLength, eodId);
  }

  /**
   * As {@link #fromEod(MemorySegment, TokenType, long, long)} for unsigned 16-bit ids.
   *
   * @param tokens token ids, one per row
   * @param validLength rows before the padding
   * @param eodId the id that ends a document
   * @return the sequence
   */
  public static PackedSequence fromEod(short[] tokens, long validLength, long eodId) {
    return fromEod(MemorySegment.ofArray(tokens), TokenType.UINT16, validLength, eodId);
  }

  /**
   * As {@link #fromEod(MemorySegment, TokenType, long, long)} without padding.
   *
   * @param tokens token ids, one per row
   * @param type type of the token ids
   * @param eodId the id that ends a document
   * @return the sequence
   */
  public static PackedSequence fromEod(MemorySegment tokens, TokenType type, long eodId) {
    return fromEod(tokens, type, type.count(tokens), eodId);
  }

  /**
   * As {@link #fromEod(int[], long, long)} without padding.
   *
   * @param tokens token ids, one per row
   * @param eodId the id that ends a document
   * @return the sequence
   */
  public static PackedSequence fromEod(int[] tokens, long eodId) {
    return fromEod(tokens, tokens.length, eodId);
  }

  /**
   * As {@link #fromEod(long[], long, long)} without padding.
   *
   * @param tokens token ids, one per row
   * @param eodId the id that ends a document
   * @return the sequence
   */
  public static PackedSequence fromEod(long[] tokens, long eodId) {
    return fromEod(tokens, tokens.length, eodId);
  }

  /**
   * As {@link #fromEod(short[], long, long)} without padding.
   *
   * @param tokens token ids, one per row
   * @param eodId the id that ends a document
   * @return the sequence
   */
  public static PackedSequence fromEod(short[] tokens, long eodId) {
    return fromEod(tokens, tokens.length, eodId);
  }

  static PackedSequence ofOwnedEnds(long[] ends, long length) {
    return new PackedSequence(ends, length);
  }

  static void checkLength(long length) {
    if (length < 1 || length > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "a packed sequence has 1 to " + MAX_LENGTH + " rows, not " + length);
    }
  }

  /** {@return rows, padding included} */
  public long length() {
    return length;
  }

  /** {@return rows of documents: where the padding starts} */
  public long validLength() {
    return ends.length == 0 ? 0 : ends[ends.length - 1];
  }

  /** {@return number of documents} */
  public int documentCount() {
    return ends.length;
  }

  /**
   * The first row of document {@code i}.
   *
   * @param i its index, from 0
   * @return the row
   */
  public long documentBegin(int i) {
    Objects.checkIndex(i, ends.length);
    return i == 0 ? 0 : ends[i - 1];
  }

  /**
   * The row after the last one of document {@code i}.
   *
   * @param i its index, from 0
   * @return the row
   */
  public long documentEnd(int i) {
    return ends[Objects.checkIndex(i, ends.length)];
  }

  /**
   * Rows of document {@code i}.
   *
   * @param i its index, from 0
   * @return their number
   */
  public long documentLength(int i) {
    return documentEnd(i) - documentBegin(i);
  }

  /** {@return rows of the longest document, 0 if there is none} */
  public long longestDocument() {
    long longest = 0;
    for (int i = 0; i < ends.length; i++) {
      longest = Math.max(longest, documentLength(i));
    }
    return longest;
  }

  /** {@return cumulative document ends without a leading 0, as CANN wants them; a copy} */
  public long[] actualSeqLen() {
    return ends.clone();
  }

  /**
   * The document that a row belongs to.
   *
   * @param row 0 … length − 1
   * @return its index, or -1 for a padding row
   * @throws IndexOutOfBoundsException if there is no such row
   */
  public int documentOf(long row) {
    Objects.checkIndex(row, length);
    if (row >= validLength()) {
      return -1;
    }
    int found = Arrays.binarySearch(ends, row);
    return found >= 0 ? found + 1 : -found - 1;
  }

  /**
   * The same rows with all documents as one: attention that is not reset at EOD tokens. Padding
   * stays padding.
   *
   * @return the sequence
   */
  public PackedSequence asOneDocument() {
    return ends.length <= 1 ? this : new PackedSequence(new long[] {validLength()}, length);
  }

  /**
   * Position ids of all rows; padding rows have 0.
   *
   * @param reset whether positions restart at 0 in each document; else they count from the first
   *     row of the sequence
   * @return a new array
   */
  public long[] positionIds(boolean reset) {
    long[] target = new long[(int) length];
    positionIds(reset, 0, length, target, 0);
    return target;
  }

  /**
   * Writes the position ids of rows {@code begin .. end - 1} to {@code target} from an offset.
   *
   * @param reset whether positions restart at 0 in each document
   * @param begin first row
   * @param end row after the last
   * @param target what to fill
   * @param offset element of the target for row {@code begin}
   */
  public void positionIds(boolean reset, long begin, long end, long[] target, int offset) {
    positionIds(reset, begin, end, MemorySegment.ofArray(target).asSlice(offset * 8L));
  }

  /**
   * Writes the position ids of rows {@code begin .. end - 1} to the start of a segment, as 64-bit
   * integers in native byte order.
   *
   * @param reset whether positions restart at 0 in each document
   * @param begin first row
   * @param end row after the last
   * @param target what to fill
   */
  public void positionIds(boolean reset, long begin, long end, MemorySegment target) {
    checkRows(begin, end, target.byteSize() / 8);
    Counter counter = new Counter();
    long row = begin;
    for (int i = firstDocument(begin); i < ends.length && row < end; i++) {
      long origin = reset ? documentBegin(i) : 0;
      long stop = Math.min(end, ends[i]);
      counter.write(row - origin, stop - row, target, row - begin);
      row = stop;
    }
    target.asSlice((row - begin) * 8, (end - row) * 8).fill((byte) 0);
  }

  /** {@return loss weights of all rows: 1, but 0 in a document's last row and in padding rows} */
  public float[] lossWeights() {
    float[] target = new float[(int) length];
    lossWeights(0, length, target, 0);
    return target;
  }

  /**
   * Writes the loss weights of rows {@code begin .. end - 1} to {@code target} from an offset.
   *
   * @param begin first row
   * @param end row after the last
   * @param target what to fill
   * @param offset element of the target for row {@code begin}
   */
  public void lossWeights(long begin, long end, float[] target, int offset) {
    lossWeights(begin, end, MemorySegment.ofArray(target).asSlice(offset * 4L));
  }

  /**
   * Writes the loss weights of rows {@code begin .. end - 1} to the start of a segment, as 32-bit
   * floats in native byte order.
   *
   * @param begin first row
   * @param end row after the last
   * @param target what to fill
   */
  public void lossWeights(long begin, long end, MemorySegment target) {
    checkRows(begin, end, target.byteSize() / 4);
    long row = begin;
    for (int i = firstDocument(begin); i < ends.length && row < end; i++) {
      for (long stop = Math.min(end, ends[i]); row < stop; row++) {
        float weight = row + 1 < ends[i] ? 1f : 0f;
        target.set(ValueLayout.JAVA_FLOAT_UNALIGNED, (row - begin) * 4, weight);
      }
    }
    target.asSlice((row - begin) * 4, (end - row) * 4).fill((byte) 0);
  }

  /**
   * Labels of all rows: the next token of the same document, {@link #IGNORE_LABEL} in a document's
   * last row and in padding rows.
   *
   * @param tokens one id per row of this sequence; those of padding rows may be missing
   * @param type type of the token ids
   * @return a new array
   */
  public long[] labels(MemorySegment tokens, TokenType type) {
    long[] target = new long[(int) length];
    labels(tokens, type, IGNORE_LABEL, 0, length, target, 0);
    return target;
  }

  /**
   * As {@link #labels(MemorySegment, TokenType)} for an array.
   *
   * @param tokens token ids, one per row
   * @return a new array
   */
  public long[] labels(int[] tokens) {
    return labels(MemorySegment.ofArray(tokens), TokenType.INT32);
  }

  /**
   * Writes the labels of rows {@code begin .. end - 1} to {@code target} from an offset.
   *
   * @param tokens token ids, one per row
   * @param type type of the token ids
   * @param ignoreLabel label of rows that have none
   * @param begin first row
   * @param end row after the last
   * @param target what to fill
   * @param offset element of the target for row {@code begin}
   */
  public void labels(
      MemorySegment tokens,
      TokenType type,
      long ignoreLabel,
      long begin,
      long end,
      long[] target,
      int offset) {
    MemorySegment slice = MemorySegment.ofArray(target).asSlice(offset * 8L);
    labels(tokens, type, ignoreLabel, begin, end, slice);
  }

  /**
   * Writes the labels of rows {@code begin .. end - 1} to the start of a segment, as 64-bit
   * integers in native byte order.
   *
   * @param tokens token ids, one per row
   * @param type type of the token ids
   * @param ignoreLabel label of rows that have none
   * @param begin first row
   * @param end row after the last
   * @param target what to fill
   */
  public void labels(
      MemorySegment tokens,
      TokenType type,
      long ignoreLabel,
      long begin,
      long end,
      MemorySegment target) {
    checkRows(begin, end, target.byteSize() / 8);
    if (type.count(tokens) < validLength()) {
      throw new IllegalArgumentException(
          type.count(tokens) + " tokens do not cover the " + validLength() + " valid rows");
    }
    long row = begin;
    for (int i = firstDocument(begin); i < ends.length && row < end; i++) {
      for (long stop = Math.min(end, ends[i]); row < stop; row++) {
        long label = row + 1 < ends[i] ? type.read(tokens, row + 1) : ignoreLabel;
        target.set(ValueLayout.JAVA_LONG_UNALIGNED, (row - begin) * 8, label);
      }
    }
    for (; row < end; row++) {
      target.set(ValueLayout.JAVA_LONG_UNALIGNED, (row - begin) * 8, ignoreLabel);
    }
  }

  private int firstDocument(long row) {
    return row >= validLength() ? ends.length : documentOf(row);
  }

  private void checkRows(long begin, long end, long capacity) {
    Objects.checkFromToIndex(begin, end, length);
    if (end - begin > capacity) {
      throw new IllegalArgumentException(
          "rows " + begin + " to " + end + " do not fit in a target of " + capacity + " rows");
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof PackedSequence that
        && length == that.length
        && Arrays.equals(ends, that.ends);
  }

  @Override
  public int hashCode() {
    return Objects.hash(length, Arrays.hashCode(ends));
  }

  @Override
  public String toString() {
    return "PackedSequence[length="
        + length
        + ", validLength="
        + validLength()
        + ", documents="
        + ends.length
        + "]";
  }
}
