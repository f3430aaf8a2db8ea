// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Rows of documents as they are given to ranks, in any order; padding fills the ranks up. */
final class ShardDraft {
  private final ShardProblem problem;
  // Per rank: first global row and number of rows of each piece.
  private final long[][] begins;
  private final long[][] lengths;
  private final int[] count;
  private final long[] rows;
  private final long[] work;

  ShardDraft(ShardProblem problem) {
    this.problem = problem;
    int ranks = problem.ranks();
    begins = new long[ranks][16];
    lengths = new long[ranks][16];
    count = new int[ranks];
    rows = new long[ranks];
    work = new long[ranks];
  }

  /** Gives rows {@code from .. to - 1} of a document to a rank. */
  void add(int rank, int document, long from, long to, long pieceWork) {
    add(rank, problem.begin(document) + from, to - from);
    work[rank] += pieceWork;
  }

  private void add(int rank, long begin, long length) {
    int n = count[rank]++;
    if (n == begins[rank].length) {
      begins[rank] = Arrays.copyOf(begins[rank], 2 * n);
      lengths[rank] = Arrays.copyOf(lengths[rank], 2 * n);
    }
    begins[rank][n] = begin;
    lengths[rank][n] = length;
    rows[rank] += length;
  }

  void addPadding() {
    long begin = problem.validLength();
    for (int r = 0; r < rows.length; r++) {
      long missing = problem.rowsPerRank() - rows[r];
      if (missing > 0) {
        add(r, begin, missing);
        begin += missing;
      }
    }
  }

  long maxWork() {
    return Arrays.stream(work).max().orElse(0);
  }

  /** Chunks of each rank: ascending, and not touching each other. */
  List<List<RowRange>> chunks() {
    List<List<RowRange>> chunks = new ArrayList<>(count.length);
    for (int r = 0; r < count.length; r++) {
      // Rows are below 2^31, so begin and length fit in one number that sorts by the begin.
      long[] keys = new long[count[r]];
      for (int i = 0; i < keys.length; i++) {
        keys[i] = begins[r][i] << 31 | lengths[r][i];
      }
      Arrays.sort(keys);
      List<RowRange> own = new ArrayList<>(keys.length);
      for (int i = 0; i < keys.length; ) {
        long begin = keys[i] >>> 31;
        long end = begin;
        for (; i < keys.length && keys[i] >>> 31 == end; i++) {
          end += keys[i] & Integer.MAX_VALUE;
        }
        own.add(new RowRange(begin, end));
      }
      chunks.add(own);
    }
    return chunks;
  }
}
