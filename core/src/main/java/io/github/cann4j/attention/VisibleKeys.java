// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.AttentionMask;
import io.github.cann4j.plan.GeneralMask;
import io.github.cann4j.plan.RowRange;

/**
 * The keys of each row under a mask: the smallest range that holds them, and whether all keys of
 * the range are among them.
 */
final class VisibleKeys {
  // Of a row without keys both are the beginning of its document, or 0 in padding.
  private final int[] begin;
  private final int[] end;
  private final GeneralMask holes;

  VisibleKeys(PackedSequence sequence, AttentionMask mask) {
    begin = new int[(int) sequence.length()];
    end = new int[begin.length];
    holes = mask instanceof AttentionMask.General(GeneralMask pattern) ? pattern : null;
    for (int document = 0; document < sequence.documentCount(); document++) {
      fill(mask, document, sequence.documentBegin(document), sequence.documentEnd(document));
    }
  }

  private void fill(AttentionMask mask, int document, long from, long to) {
    switch (mask) {
      case AttentionMask.Causal _ -> {
        for (long row = from; row < to; row++) {
          set(row, from, row + 1);
        }
      }
      case AttentionMask.Full _ -> {
        for (long row = from; row < to; row++) {
          set(row, from, to);
        }
      }
      case AttentionMask.SlidingWindow(long left, long right) -> {
        for (long row = from; row < to; row++) {
          set(row, row - Math.min(left, row - from), row + 1 + Math.min(right, to - 1 - row));
        }
      }
      case AttentionMask.Prefix prefix -> {
        long dense = from + prefix.lengths()[document];
        for (long row = from; row < to; row++) {
          set(row, from, Math.max(row + 1, dense));
        }
      }
      case AttentionMask.General(GeneralMask pattern) -> {
        RowRange rows = new RowRange(from, to);
        for (long row = from; row < to; row++) {
          RowRange hull = RowRange.EMPTY;
          for (RowRange keys : pattern.keys(row)) {
            hull = hull.hull(keys.intersect(rows));
          }
          set(row, hull.isEmpty() ? from : hull.begin(), hull.isEmpty() ? from : hull.end());
        }
      }
    }
  }

  private void set(long row, long from, long to) {
    begin[(int) row] = (int) from;
    end[(int) row] = (int) to;
  }

  /** First key of a row. */
  int begin(int row) {
    return begin[row];
  }

  /** Key after the last one of a row. */
  int end(int row) {
    return end[row];
  }

  /** First key of some rows of one document. */
  int begin(int firstRow, int endRow) {
    int first = Integer.MAX_VALUE;
    for (int row = firstRow; row < endRow; row++) {
      first = begin[row] < end[row] ? Math.min(first, begin[row]) : first;
    }
    return first;
  }

  /** Key after the last one of some rows of one document. */
  int end(int firstRow, int endRow) {
    int last = 0;
    for (int row = firstRow; row < endRow; row++) {
      last = begin[row] < end[row] ? Math.max(last, end[row]) : last;
    }
    return last;
  }

  /** The first of a document's rows that may have a key at or after {@code key}. */
  int firstRow(int documentBegin, int documentEnd, int key) {
    return holes != null ? documentBegin : firstAbove(end, documentBegin, documentEnd, key);
  }

  /** The row after the last of a document's rows that may have a key before {@code endKey}. */
  int endRow(int documentBegin, int documentEnd, int endKey) {
    return holes != null ? documentEnd : firstAbove(begin, documentBegin, documentEnd, endKey - 1);
  }

  /** Rows of a document without holes in its mask have ranges whose bounds ascend. */
  private static int firstAbove(int[] bounds, int from, int to, int key) {
    int low = from;
    int high = to;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (bounds[middle] > key) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  /**
   * Puts {@code value} where a row's range has keys that the row does not see: element i is key
   * {@code key + i}.
   */
  void fillHoles(int row, int key, int from, int to, double[] values, double value) {
    if (holes == null) {
      return;
    }
    for (int i = from; i < to; i++) {
      if (!holes.allows(row, key + i)) {
        values[i] = value;
      }
    }
  }
}
