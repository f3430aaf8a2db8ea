// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.Arrays;

/**
 * Spreads any documents evenly, whatever rows have to be sent. All documents lie end to end on a
 * line, the heaviest first, padding last. Somewhere on that line a window with as many rows as a
 * rank has the mean work of what is left, but for a row's: windows side by side have it on average,
 * and one that slides by a row changes by a row. A rank gets this window; the rest closes up and is
 * the line of the next rank. Of one causal document this makes a zigzag.
 */
final class WorkWindows {
  private static final int PLACES_TO_TRY = 48;

  private final ShardProblem problem;
  private final ShardDraft draft;
  private final long tolerance;
  private final long length;

  // The line: documents (-1 for padding), which rows of them, and rows and work before each.
  private int segments;
  private final int[] documents;
  private final long[] froms;
  private final long[] rows;
  private final long[] works;
  private final long[] rowsBefore;
  private final long[] workBefore;

  // The search of a rank.
  private long target;
  private long best;
  private long bestMiss;
  private long bestCost;

  private WorkWindows(ShardProblem problem, long tolerance) {
    this.problem = problem;
    this.tolerance = tolerance;
    draft = new ShardDraft(problem);
    length = problem.rowsPerRank();
    // A rank's window adds one segment at most.
    int capacity = problem.documents() + problem.ranks() + 2;
    documents = new int[capacity];
    froms = new long[capacity];
    rows = new long[capacity];
    works = new long[capacity];
    rowsBefore = new long[capacity + 1];
    workBefore = new long[capacity + 1];
    for (int i = 0; i < problem.documents(); i++) {
      int document = problem.byWork(i);
      append(document, 0, problem.rows(document));
    }
    if (problem.validLength() < problem.length()) {
      append(-1, 0, problem.length() - problem.validLength());
    }
  }

  /**
   * Spreads all rows.
   *
   * @param tolerance difference from the mean that is as good as none
   */
  static ShardDraft spread(ShardProblem problem, long tolerance) {
    return new WorkWindows(problem, tolerance).run();
  }

  private void append(int document, long from, long count) {
    documents[segments] = document;
    froms[segments] = from;
    rows[segments] = count;
    works[segments] = document < 0 ? 0 : problem.work(document, from, from + count);
    addToLine();
  }

  private void addToLine() {
    rowsBefore[segments + 1] = rowsBefore[segments] + rows[segments];
    workBefore[segments + 1] = workBefore[segments] + works[segments];
    segments++;
  }

  private ShardDraft run() {
    for (int rank = 0; rank < problem.ranks(); rank++) {
      target = workBefore[segments] / (problem.ranks() - rank);
      findWindow();
      remove(rank, best, best + length);
    }
    draft.addPadding();
    return draft;
  }

  private void findWindow() {
    best = -1;
    long last = rowsBefore[segments] - length;
    long low = 0;
    boolean sign = excess(low) < 0;
    consider(low);
    while (low < last && excess(low + length) < 0 == sign) {
      low += length;
      consider(low);
    }
    long high = Math.min(last, low + length);
    while (high - low > 1) {
      long middle = (low + high) >>> 1;
      if (excess(middle) < 0 == sign) {
        low = middle;
      } else {
        high = middle;
      }
    }
    consider(low);
    consider(high);
    // Where nothing need be cut at one end, perhaps with a little more or less work.
    long begin = low;
    for (int i = 0; i < PLACES_TO_TRY && begin >= 0; i++) {
      consider(begin);
      long end = rowsBefore[segmentBefore(begin + length)] - length;
      begin = Math.max(end, begin == 0 ? -1 : rowsBefore[segmentBefore(begin)]);
    }
    begin = high;
    for (int i = 0; i < PLACES_TO_TRY && begin < last; i++) {
      long end = rowsBefore[segment(begin + length) + 1] - length;
      begin = Math.min(last, Math.min(end, rowsBefore[segment(begin) + 1]));
      consider(begin);
    }
  }

  private void consider(long begin) {
    long miss = Math.max(0, Math.abs(excess(begin)) - tolerance);
    long cost = cutCost(begin) + cutCost(begin + length);
    if (best < 0 || miss < bestMiss || (miss == bestMiss && cost < bestCost)) {
      best = begin;
      bestMiss = miss;
      bestCost = cost;
    }
  }

  private long excess(long begin) {
    return workUpTo(begin + length) - workUpTo(begin) - target;
  }

  private long workUpTo(long row) {
    int i = segment(row);
    return workBefore[i] + work(i, row - rowsBefore[i]);
  }

  private long work(int segment, long count) {
    return documents[segment] < 0
        ? 0
        : problem.work(documents[segment], froms[segment], froms[segment] + count);
  }

  /** The segment with a row of the line; of the end the last one. */
  private int segment(long row) {
    int found = Arrays.binarySearch(rowsBefore, 0, segments, row);
    return found >= 0 ? found : -found - 2;
  }

  /** The segment with the row before. */
  private int segmentBefore(long row) {
    return segment(row - 1);
  }

  /** Rows that one more rank needs if a document is cut before this row of the line. */
  private long cutCost(long row) {
    int i = segment(row);
    return row == rowsBefore[i] || row == rowsBefore[segments] || documents[i] < 0
        ? 0
        : froms[i] + row - rowsBefore[i];
  }

  private void remove(int rank, long begin, long end) {
    int first = segment(begin);
    int last = segmentBefore(end);
    long before = begin - rowsBefore[first];
    long after = rowsBefore[last + 1] - end;
    for (int i = first; i <= last; i++) {
      long from = froms[i] + (i == first ? before : 0);
      long to = froms[i] + rows[i] - (i == last ? after : 0);
      if (documents[i] >= 0) {
        draft.add(rank, documents[i], from, to, problem.work(documents[i], from, to));
      }
    }
    int lastDocument = documents[last];
    long lastEnd = froms[last] + rows[last];
    int kept = (before > 0 ? 1 : 0) + (after > 0 ? 1 : 0);
    int moved = segments - last - 1;
    for (Object array : new Object[] {documents, froms, rows, works}) {
      System.arraycopy(array, last + 1, array, first + kept, moved);
    }
    segments = first;
    if (before > 0) {
      append(documents[first], froms[first], before);
    }
    if (after > 0) {
      append(lastDocument, lastEnd - after, after);
    }
    for (int i = 0; i < moved; i++) {
      addToLine();
    }
  }
}
