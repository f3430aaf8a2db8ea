// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.TokenType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Packed sequences that are computed at once, as one longer sequence: the valid rows of all of them
 * and then all padding.
 *
 * @param attention who attends to whom
 * @param positions where position ids restart
 * @param tokens one per row
 * @param labels the token to be predicted by each row, or {@link PackedSequence#IGNORE_LABEL}
 */
record MicroBatch(
    PackedSequence attention, PackedSequence positions, long[] tokens, long[] labels) {
  /** Reads sequences of the data. */
  static MicroBatch read(PackedDataset data, long[] sequences, DocumentRules rules) {
    long rows = (long) sequences.length * data.sequenceLength();
    long[] tokens = new long[Math.toIntExact(rows)];
    Arrays.fill(tokens, data.padId());
    long[] labels = new long[tokens.length];
    Arrays.fill(labels, PackedSequence.IGNORE_LABEL);
    Ends attention = new Ends();
    Ends positions = new Ends();
    int offset = 0;
    for (long i : sequences) {
      PackedSequence documents = rules.neatPack() ? data.samples(i) : data.documents(i);
      PackedSequence whole = documents.asOneDocument();
      PackedSequence attending = rules.resetAttentionMask() ? documents : whole;
      attention.add(offset, attending);
      positions.add(offset, rules.resetPositionIds() ? documents : whole);
      long[] next = data.labels(i, attending);
      float[] weights = data.lossWeights(i, attending, rules.eodMaskLoss());
      MemorySegment source = data.tokens(i);
      int valid = (int) documents.validLength();
      for (int row = 0; row < valid; row++) {
        tokens[offset + row] = TokenType.INT32.read(source, row);
        labels[offset + row] = weights[row] > 0 ? next[row] : PackedSequence.IGNORE_LABEL;
      }
      offset += valid;
    }
    return new MicroBatch(attention.sequence(rows), positions.sequence(rows), tokens, labels);
  }

  /** Ends of the documents of all sequences. */
  private static final class Ends {
    private long[] ends = new long[16];
    private int count;

    void add(long offset, PackedSequence documents) {
      for (int d = 0; d < documents.documentCount(); d++) {
        if (count == ends.length) {
          ends = Arrays.copyOf(ends, 2 * count);
        }
        ends[count++] = offset + documents.documentEnd(d);
      }
    }

    PackedSequence sequence(long rows) {
      return PackedSequence.ofActualSeqLen(Arrays.copyOf(ends, count), rows);
    }
  }
}
