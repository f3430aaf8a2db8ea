// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

/**
 * Rows {@code begin .. end - 1}. Whether rows are counted in the whole sequence or in a rank's
 * local memory order is said where a range is given.
 *
 * @param begin first row
 * @param end row after the last
 */
public record RowRange(long begin, long end) {
  /** No rows. */
  public static final RowRange EMPTY = new RowRange(0, 0);

  /**
   * Checks the range.
   *
   * @throws IllegalArgumentException unless {@code 0 <= begin <= end}
   */
  public RowRange {
    if (begin < 0 || end < begin) {
      throw new IllegalArgumentException("rows " + begin + " to " + end + " are not a range");
    }
  }

  /** {@return number of rows} */
  public long length() {
    return end - begin;
  }

  /** {@return whether there are no rows} */
  public boolean isEmpty() {
    return begin == end;
  }

  /**
   * Tells whether a row lies in the range.
   *
   * @param row any number
   * @return whether it does
   */
  public boolean contains(long row) {
    return begin <= row && row < end;
  }

  /**
   * Whether all rows of {@code other} are rows of this range; true for an empty one.
   *
   * @param other another range
   * @return whether it does
   */
  public boolean contains(RowRange other) {
    return other.isEmpty() || (begin <= other.begin && other.end <= end);
  }

  /**
   * The same number of rows, {@code rows} further on.
   *
   * @param rows how far
   * @return the range
   */
  public RowRange shift(long rows) {
    return new RowRange(begin + rows, end + rows);
  }

  /**
   * The smallest range that holds both; an empty range adds nothing.
   *
   * @param other another range
   * @return the range
   */
  public RowRange hull(RowRange other) {
    if (isEmpty()) {
      return other;
    }
    return other.isEmpty()
        ? this
        : new RowRange(Math.min(begin, other.begin), Math.max(end, other.end));
  }

  /**
   * The common rows; {@link #EMPTY} if there are none.
   *
   * @param other another range
   * @return the range
   */
  public RowRange intersect(RowRange other) {
    long from = Math.max(begin, other.begin);
    long to = Math.min(end, other.end);
    return from < to ? new RowRange(from, to) : EMPTY;
  }

  @Override
  public String toString() {
    return "[" + begin + "," + end + ")";
  }
}
