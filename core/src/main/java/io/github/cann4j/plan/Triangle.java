// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;

/** Counts allowed pairs of causal documents without walking over rows. */
final class Triangle {
  private final PackedSequence sequence;
  private final long[] before;

  Triangle(PackedSequence sequence) {
    this.sequence = sequence;
    before = new long[sequence.documentCount() + 1];
    for (int i = 0; i < sequence.documentCount(); i++) {
      before[i + 1] = before[i] + pairs(sequence.documentLength(i));
    }
  }

  /** Pairs of the first {@code rows} rows of a document. */
  static long pairs(long rows) {
    return rows * (rows + 1) / 2;
  }

  /** Pairs whose query row is one of the global rows {@code begin .. end - 1}. */
  long pairs(long begin, long end) {
    return pairsBefore(end) - pairsBefore(begin);
  }

  long total() {
    return before[before.length - 1];
  }

  private long pairsBefore(long row) {
    if (row >= sequence.validLength()) {
      return total();
    }
    int document = sequence.documentOf(row);
    return before[document] + pairs(row - sequence.documentBegin(document));
  }
}
