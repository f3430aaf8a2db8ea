// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

/**
 * Cuts what a general mask allows of some queries and keys into blocks, so that parts that it
 * excludes are not computed and parts that it allows as a whole need no mask.
 */
final class PatternBlocks {
  // Smaller blocks would cost more by their number than they save.
  private static final long SMALLEST = 512;
  private static final int WORTH_CUTTING = 3;

  private final GeneralMask pattern;
  private final boolean cutsKeys;
  private final Visitor visitor;

  /** Takes the blocks, in ascending order of queries where no keys are cut. */
  interface Visitor {
    /** Global rows; {@code dense} if every pair is allowed. Every query has a key. */
    void block(RowRange queries, RowSet keys, boolean dense);
  }

  /**
   * Prepares the cutting.
   *
   * @param pattern the mask
   * @param cutsKeys whether a query may come in several blocks
   * @param visitor takes the blocks
   */
  PatternBlocks(GeneralMask pattern, boolean cutsKeys, Visitor visitor) {
    this.pattern = pattern;
    this.cutsKeys = cutsKeys;
    this.visitor = visitor;
  }

  void visit(RowRange queries, RowSet keys) {
    // Where every query has a key, and the smallest set of keys for all of them.
    long begin = queries.begin();
    while (begin < queries.end()) {
      while (begin < queries.end() && count(begin, keys) == 0) {
        begin++;
      }
      long end = begin;
      long pairs = 0;
      RowRange hull = RowRange.EMPTY;
      for (; end < queries.end(); end++) {
        long own = count(end, keys);
        if (own == 0) {
          break;
        }
        pairs += own;
        hull = hull.hull(hull(end, keys));
      }
      if (begin < end) {
        visitRun(new RowRange(begin, end), keys.intersect(hull), pairs);
      }
      begin = end;
    }
  }

  private void visitRun(RowRange queries, RowSet keys, long pairs) {
    long area = queries.length() * keys.rows();
    boolean long_ = queries.length() >= keys.rows() || !cutsKeys;
    long side = long_ ? queries.length() : keys.rows();
    if (pairs * WORTH_CUTTING >= area || side < 2 * SMALLEST) {
      visitor.block(queries, keys, pairs == area);
    } else if (long_) {
      long middle = queries.begin() + queries.length() / 2;
      visit(new RowRange(queries.begin(), middle), keys);
      visit(new RowRange(middle, queries.end()), keys);
    } else {
      long middle = keys.row(keys.rows() / 2);
      visit(queries, keys.intersect(new RowRange(0, middle)));
      visit(queries, keys.intersect(new RowRange(middle, Long.MAX_VALUE)));
    }
  }

  private long count(long query, RowSet keys) {
    long count = 0;
    for (RowRange range : keys.ranges()) {
      count += pattern.count(query, range.begin(), range.end());
    }
    return count;
  }

  private RowRange hull(long query, RowSet keys) {
    RowRange hull = RowRange.EMPTY;
    for (RowRange range : keys.ranges()) {
      hull = hull.hull(pattern.hull(query, range.begin(), range.end()));
    }
    return hull;
  }
}
