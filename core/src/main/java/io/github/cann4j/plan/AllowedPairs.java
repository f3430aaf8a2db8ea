// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;

/** Counts the pairs that a mask allows without walking over rows. */
final class AllowedPairs {
  private final PackedSequence sequence;
  private final AttentionMask mask;
  private final long[] before;

  /**
   * Counts the documents.
   *
   * @param mask of the sequence, the {@link SeenRows#simplest} one if it is a general one
   */
  AllowedPairs(PackedSequence sequence, AttentionMask mask) {
    this.sequence = sequence;
    this.mask = mask;
    before = new long[sequence.documentCount() + 1];
    for (int i = 0; i < sequence.documentCount(); i++) {
      before[i + 1] = before[i] + ofDocument(i, sequence.documentLength(i));
    }
  }

  /** Pairs of the first {@code rows} rows of a causal document. */
  static long triangle(long rows) {
    return rows * (rows + 1) / 2;
  }

  /** Pairs of the first {@code rows} query rows of a document. */
  long ofDocument(int document, long rows) {
    long length = sequence.documentLength(document);
    return switch (mask) {
      case AttentionMask.Causal _ -> triangle(rows);
      case AttentionMask.Full _ -> rows * length;
      case AttentionMask.SlidingWindow(long left, long right) ->
          rows
              + neighbours(rows, left)
              + neighbours(length, right)
              - neighbours(length - rows, right);
      case AttentionMask.Prefix prefix -> {
        long dense = Math.min(rows, prefix.length(document));
        yield dense * prefix.length(document) + triangle(rows) - triangle(dense);
      }
      case AttentionMask.General(GeneralMask pattern) -> {
        long begin = sequence.documentBegin(document);
        yield pattern.pairsBefore(begin + rows) - pattern.pairsBefore(begin);
      }
    };
  }

  /** Sum over n = 0 … rows − 1 of the smaller of n and the limit. */
  private static long neighbours(long rows, long limit) {
    return limit >= rows - 1
        ? rows * (rows - 1) / 2
        : limit * (limit + 1) / 2 + (rows - limit - 1) * limit;
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
    return before[document] + ofDocument(document, row - sequence.documentBegin(document));
  }
}
