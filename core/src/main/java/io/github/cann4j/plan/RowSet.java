// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.ArrayList;
import java.util.List;

/**
 * Rows as ranges that ascend and do not touch, such as rows that lie end to end in one block of
 * memory. Immutable and thread-safe.
 */
public final class RowSet {
  /** No rows. */
  public static final RowSet EMPTY = new RowSet(List.of());

  private final List<RowRange> ranges;
  // Rows before each range, and all rows.
  private final long[] before;

  private RowSet(List<RowRange> ranges) {
    this.ranges = ranges;
    before = new long[ranges.size() + 1];
    for (int i = 0; i < ranges.size(); i++) {
      before[i + 1] = before[i] + ranges.get(i).length();
    }
  }

  /**
   * The rows of some ranges.
   *
   * @param ranges in the order of their first rows; they may be empty, touch and overlap
   * @return the set
   * @throws IllegalArgumentException if they are not in that order
   */
  public static RowSet of(List<RowRange> ranges) {
    List<RowRange> joined = new ArrayList<>(ranges.size());
    for (RowRange rows : ranges) {
      if (rows.isEmpty()) {
        continue;
      }
      RowRange last = joined.isEmpty() ? null : joined.getLast();
      if (last != null && rows.begin() < last.begin()) {
        throw new IllegalArgumentException("ranges of rows must ascend: " + ranges);
      }
      if (last != null && rows.begin() <= last.end()) {
        joined.set(joined.size() - 1, last.hull(rows));
      } else {
        joined.add(rows);
      }
    }
    return joined.isEmpty() ? EMPTY : new RowSet(List.copyOf(joined));
  }

  /**
   * The rows of one range.
   *
   * @param rows may be empty
   * @return the set
   */
  public static RowSet of(RowRange rows) {
    return rows.isEmpty() ? EMPTY : new RowSet(List.of(rows));
  }

  /** {@return the ranges; immutable} */
  public List<RowRange> ranges() {
    return ranges;
  }

  /** {@return number of rows} */
  public long rows() {
    return before[ranges.size()];
  }

  /** {@return whether there are no rows} */
  public boolean isEmpty() {
    return ranges.isEmpty();
  }

  /**
   * Whether all of some rows are in the set.
   *
   * @param rows may be empty
   * @return whether they are
   */
  public boolean contains(RowRange rows) {
    int i = rangeEndingAfter(rows.begin());
    return rows.isEmpty() || i < ranges.size() && ranges.get(i).contains(rows);
  }

  /**
   * How many rows of the set lie before one of its rows.
   *
   * @param row a row of the set
   * @return 0 … rows − 1
   * @throws IllegalArgumentException if the set does not have the row
   */
  public long position(long row) {
    int i = rangeEndingAfter(row);
    if (i == ranges.size() || !ranges.get(i).contains(row)) {
      throw new IllegalArgumentException("row " + row + " is not among " + this);
    }
    return before[i] + row - ranges.get(i).begin();
  }

  /**
   * The row with so many rows of the set before it.
   *
   * @param position 0 … rows − 1
   * @return the row
   */
  public long row(long position) {
    int low = 0;
    int high = ranges.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (before[middle] <= position) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return ranges.get(low).begin() + position - before[low];
  }

  /**
   * Where some consecutive rows of the set lie when its rows lie end to end.
   *
   * @param rows not empty
   * @return positions
   * @throws IllegalArgumentException if the set does not have the first of them
   */
  public RowRange positions(RowRange rows) {
    long begin = position(rows.begin());
    return new RowRange(begin, begin + rows.length());
  }

  /** Rows of the set before any row. */
  long rowsBefore(long row) {
    int i = rangeEndingAfter(row);
    return i == ranges.size() ? rows() : before[i] + Math.max(0, row - ranges.get(i).begin());
  }

  /**
   * The rows of either.
   *
   * @param other another set
   * @return the set
   */
  public RowSet union(RowSet other) {
    if (isEmpty() || other.isEmpty()) {
      return isEmpty() ? other : this;
    }
    List<RowRange> all = new ArrayList<>(ranges.size() + other.ranges.size());
    int i = 0;
    int j = 0;
    while (i < ranges.size() || j < other.ranges.size()) {
      boolean own =
          j == other.ranges.size()
              || i < ranges.size() && ranges.get(i).begin() <= other.ranges.get(j).begin();
      all.add(own ? ranges.get(i++) : other.ranges.get(j++));
    }
    return of(all);
  }

  /** The common rows with a range. */
  RowSet intersect(RowRange rows) {
    List<RowRange> common = new ArrayList<>();
    for (int i = rangeEndingAfter(rows.begin());
        i < ranges.size() && ranges.get(i).begin() < rows.end();
        i++) {
      common.add(ranges.get(i).intersect(rows));
    }
    return of(common);
  }

  private int rangeEndingAfter(long row) {
    int low = 0;
    int high = ranges.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (ranges.get(middle).end() <= row) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RowSet that && ranges.equals(that.ranges);
  }

  @Override
  public int hashCode() {
    return ranges.hashCode();
  }

  @Override
  public String toString() {
    return ranges.toString();
  }
}
