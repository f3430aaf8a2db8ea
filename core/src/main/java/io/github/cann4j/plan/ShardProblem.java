// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.Arrays;
import java.util.List;

/** What is to be spread over ranks: documents with their rows and work, that is allowed pairs. */
final class ShardProblem {
  private final PackedSequence sequence;
  private final AllowedPairs pairs;
  private final int ranks;
  private final long[] work;
  private final int[] byWork;
  // How far a query looks for keys in its document, at most.
  private final long left;
  private final long right;

  ShardProblem(PackedSequence sequence, AttentionMask mask, AllowedPairs pairs, int ranks) {
    this.sequence = sequence;
    this.pairs = pairs;
    this.ranks = ranks;
    long length = sequence.length();
    left = mask instanceof AttentionMask.SlidingWindow window ? window.left() : length;
    right =
        switch (mask) {
          case AttentionMask.Causal _, AttentionMask.Prefix _ -> 0;
          case AttentionMask.SlidingWindow window -> window.right();
          case AttentionMask.Full _, AttentionMask.General _ -> length;
        };
    work = new long[sequence.documentCount()];
    long most = 0;
    for (int d = 0; d < work.length; d++) {
      work[d] = pairs.ofDocument(d, sequence.documentLength(d));
      most = Math.max(most, work[d]);
    }
    // The upper bits of the work beside the index: precise enough for an order, and quickly sorted.
    int shift = Math.max(0, Long.SIZE - Long.numberOfLeadingZeros(most) - 31);
    long[] keys = new long[work.length];
    for (int d = 0; d < work.length; d++) {
      keys[d] = (Integer.MAX_VALUE - (work[d] >>> shift)) << 31 | d;
    }
    Arrays.sort(keys);
    byWork = new int[work.length];
    for (int i = 0; i < byWork.length; i++) {
      byWork[i] = (int) (keys[i] & Integer.MAX_VALUE);
    }
  }

  int ranks() {
    return ranks;
  }

  int documents() {
    return work.length;
  }

  long rowsPerRank() {
    return sequence.length() / ranks;
  }

  long workPerRank() {
    return pairs.total() / ranks;
  }

  long totalWork() {
    return pairs.total();
  }

  long length() {
    return sequence.length();
  }

  long validLength() {
    return sequence.validLength();
  }

  long begin(int document) {
    return sequence.documentBegin(document);
  }

  long rows(int document) {
    return sequence.documentLength(document);
  }

  long work(int document) {
    return work[document];
  }

  /** Work of rows {@code from .. to - 1} of a document. */
  long work(int document, long from, long to) {
    return pairs.ofDocument(document, to) - (from == 0 ? 0 : pairs.ofDocument(document, from));
  }

  /** The document at a place in the order of falling work. */
  int byWork(int place) {
    return byWork[place];
  }

  /** Rows that a rank's queries may attend to and that the rank does not hold; of a prefix none. */
  long rowsNeeded(List<RowRange> chunks) {
    long needed = 0;
    long covered = 0;
    for (int i = 0; i < chunks.size(); i++) {
      long begin = chunks.get(i).begin();
      long end = Math.min(chunks.get(i).end(), sequence.validLength());
      if (begin >= end) {
        break;
      }
      long first = sequence.documentBegin(sequence.documentOf(begin));
      needed += Math.max(0, begin - Math.max(covered, Math.max(first, begin - left)));
      covered = end;
      if (right > 0) {
        long last = sequence.documentEnd(sequence.documentOf(end - 1));
        long next = i + 1 < chunks.size() ? chunks.get(i + 1).begin() : last;
        covered = Math.min(Math.min(last, next), end + right);
        needed += covered - end;
      }
    }
    return needed;
  }
}
