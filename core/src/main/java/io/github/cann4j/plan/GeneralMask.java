// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Allowed (query, key) pairs of rows of one sequence, in any pattern: per query row its keys as
 * ascending ranges. Takes memory by the number of ranges, not rows times rows. Immutable and
 * thread-safe.
 */
public final class GeneralMask {
  private final int rows;
  // Row i has the ranges first[i] … first[i + 1] − 1; range n is the keys bounds[2n] … bounds[2n +
  // 1] − 1.
  private final int[] first;
  private final long[] bounds;
  private final long[] pairsBefore;

  private GeneralMask(int rows, int[] first, long[] bounds) {
    this.rows = rows;
    this.first = first;
    this.bounds = bounds;
    pairsBefore = new long[rows + 1];
    for (int row = 0; row < rows; row++) {
      long pairs = 0;
      for (int n = first[row]; n < first[row + 1]; n++) {
        pairs += bounds[2 * n + 1] - bounds[2 * n];
      }
      pairsBefore[row + 1] = pairsBefore[row] + pairs;
    }
  }

  /** Tells whether a query row may attend to a key row. */
  @FunctionalInterface
  public interface Pattern {
    /**
     * Asked once for each pair.
     *
     * @param query its row
     * @param key its row
     * @return whether the query may attend to the key
     */
    boolean allows(long query, long key);
  }

  /**
   * Starts a pattern that allows nothing.
   *
   * @param rows rows of the sequence
   * @return a builder
   */
  public static Builder builder(long rows) {
    return new Builder(rows);
  }

  /**
   * Asks for every pair: time rows times rows.
   *
   * @param rows rows of the sequence
   * @param pattern what is allowed
   * @return the mask
   */
  public static GeneralMask of(long rows, Pattern pattern) {
    RowCollector collector = new RowCollector(checkedRows(rows));
    for (long query = 0; query < rows; query++) {
      long begin = -1;
      for (long key = 0; key < rows; key++) {
        boolean allowed = pattern.allows(query, key);
        if (allowed && begin < 0) {
          begin = key;
        } else if (!allowed && begin >= 0) {
          collector.add(begin, key);
          begin = -1;
        }
      }
      if (begin >= 0) {
        collector.add(begin, rows);
      }
      collector.endRow();
    }
    return collector.mask();
  }

  /**
   * Reads a dense mask as CANN has it: one byte per pair, not 0 where a pair is masked out.
   *
   * @param rows rows of the sequence
   * @param mask {@code rows * rows} bytes of host memory, the keys of a query side by side
   * @return the mask
   * @throws IllegalArgumentException if the memory has another size
   */
  public static GeneralMask ofDense(long rows, MemorySegment mask) {
    if (mask.byteSize() != Math.multiplyExact(rows, rows)) {
      throw new IllegalArgumentException(
          "a dense mask of %d rows has %d bytes, not %d"
              .formatted(rows, rows * rows, mask.byteSize()));
    }
    return of(rows, (query, key) -> mask.get(ValueLayout.JAVA_BYTE, query * rows + key) == 0);
  }

  /** {@return rows of the sequence} */
  public long rows() {
    return rows;
  }

  /**
   * Tells whether a query attends to a key.
   *
   * @param query its row
   * @param key its row
   * @return whether it does
   */
  public boolean allows(long query, long key) {
    int range = firstEndingAfter((int) query, key);
    return range < first[(int) query + 1] && bounds[2 * range] <= key;
  }

  /**
   * Keys of a query.
   *
   * @param query its row
   * @return ascending ranges that do not touch
   */
  public List<RowRange> keys(long query) {
    List<RowRange> keys = new ArrayList<>();
    for (int n = first[(int) query]; n < first[(int) query + 1]; n++) {
      keys.add(new RowRange(bounds[2 * n], bounds[2 * n + 1]));
    }
    return keys;
  }

  /** {@return allowed pairs of all rows} */
  public long pairs() {
    return pairsBefore[rows];
  }

  /** Allowed pairs of the queries before a row. */
  long pairsBefore(long row) {
    return pairsBefore[(int) row];
  }

  /** The smallest range that holds those of the keys {@code begin .. end - 1} that a query has. */
  RowRange hull(long query, long begin, long end) {
    int last = first[(int) query + 1];
    int n = firstEndingAfter((int) query, begin);
    if (n == last || bounds[2 * n] >= end) {
      return RowRange.EMPTY;
    }
    long from = Math.max(begin, bounds[2 * n]);
    int m = n;
    while (m + 1 < last && bounds[2 * (m + 1)] < end) {
      m++;
    }
    return new RowRange(from, Math.min(end, bounds[2 * m + 1]));
  }

  /** How many of the keys {@code begin .. end - 1} a query has. */
  long count(long query, long begin, long end) {
    long count = 0;
    for (int n = firstEndingAfter((int) query, begin);
        n < first[(int) query + 1] && bounds[2 * n] < end;
        n++) {
      count += Math.min(end, bounds[2 * n + 1]) - Math.max(begin, bounds[2 * n]);
    }
    return count;
  }

  /** The same pattern without pairs of different documents and without padding rows. */
  GeneralMask within(PackedSequence sequence) {
    RowCollector collector = new RowCollector(rows);
    for (int row = 0; row < rows; row++) {
      int document = sequence.documentOf(row);
      if (document >= 0) {
        long begin = sequence.documentBegin(document);
        long end = sequence.documentEnd(document);
        for (int n = firstEndingAfter(row, begin); n < first[row + 1] && bounds[2 * n] < end; n++) {
          collector.add(Math.max(begin, bounds[2 * n]), Math.min(end, bounds[2 * n + 1]));
        }
      }
      collector.endRow();
    }
    return collector.mask();
  }

  private int firstEndingAfter(int row, long key) {
    int low = first[row];
    int high = first[row + 1];
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (bounds[2 * middle + 1] <= key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  long[] content() {
    long[] content = new long[rows + bounds.length];
    for (int row = 0; row < rows; row++) {
      content[row] = first[row + 1];
    }
    System.arraycopy(bounds, 0, content, rows, bounds.length);
    return content;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof GeneralMask that
        && Arrays.equals(first, that.first)
        && Arrays.equals(bounds, that.bounds);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(first) + Arrays.hashCode(bounds);
  }

  @Override
  public String toString() {
    return "GeneralMask[rows=" + rows + ", pairs=" + pairs() + "]";
  }

  private static int checkedRows(long rows) {
    if (rows < 1 || rows > PackedSequence.MAX_LENGTH) {
      throw new IllegalArgumentException(
          "a mask has 1 to " + PackedSequence.MAX_LENGTH + " rows, not " + rows);
    }
    return (int) rows;
  }

  /** Takes the ranges of one row after the other. */
  private static final class RowCollector {
    private final int rows;
    private final int[] first;
    private long[] bounds = new long[64];
    private int ranges;
    private int row;

    RowCollector(int rows) {
      this.rows = rows;
      first = new int[rows + 1];
    }

    /** Adds keys that begin no earlier than those added to the row before. */
    void add(long begin, long end) {
      if (ranges > first[row] && bounds[2 * ranges - 1] >= begin) {
        bounds[2 * ranges - 1] = Math.max(bounds[2 * ranges - 1], end);
        return;
      }
      if (2 * ranges == bounds.length) {
        bounds = Arrays.copyOf(bounds, Math.multiplyExact(2, bounds.length));
      }
      bounds[2 * ranges] = begin;
      bounds[2 * ranges + 1] = end;
      ranges++;
    }

    void endRow() {
      first[++row] = ranges;
    }

    GeneralMask mask() {
      return new GeneralMask(rows, first, Arrays.copyOf(bounds, 2 * ranges));
    }
  }

  /** Adds up a pattern. Not thread-safe. */
  public static final class Builder {
    private final int rows;
    private final List<Block> blocks = new ArrayList<>();

    private record Block(RowRange queries, RowRange keys, boolean causal) {}

    private Builder(long rows) {
      this.rows = checkedRows(rows);
    }

    /**
     * Allows all pairs of some queries and keys.
     *
     * @param queries rows of the sequence
     * @param keys rows of the sequence
     * @return this
     * @throws IllegalArgumentException if the sequence does not have these rows
     */
    public Builder allow(RowRange queries, RowRange keys) {
      return add(queries, keys, false);
    }

    /**
     * Allows of some queries and keys the pairs whose key is not after the query.
     *
     * @param queries rows of the sequence
     * @param keys rows of the sequence
     * @return this
     * @throws IllegalArgumentException if the sequence does not have these rows
     */
    public Builder allowCausal(RowRange queries, RowRange keys) {
      return add(queries, keys, true);
    }

    private Builder add(RowRange queries, RowRange keys, boolean causal) {
      if (queries.end() > rows || keys.end() > rows) {
        throw new IllegalArgumentException(
            "a mask of %d rows does not have queries %s and keys %s"
                .formatted(rows, queries, keys));
      }
      if (!queries.isEmpty() && !keys.isEmpty()) {
        blocks.add(new Block(queries, keys, causal));
      }
      return this;
    }

    /** {@return the mask} */
    public GeneralMask build() {
      List<Block> waiting = new ArrayList<>(blocks);
      waiting.sort(Comparator.comparingLong(b -> b.queries.begin()));
      // Those that hold the current row, by their first key.
      List<Block> active = new ArrayList<>();
      RowCollector collector = new RowCollector(rows);
      int next = 0;
      for (int row = 0; row < rows; row++) {
        int current = row;
        active.removeIf(block -> block.queries.end() <= current);
        boolean more = false;
        while (next < waiting.size() && waiting.get(next).queries.begin() <= row) {
          active.add(waiting.get(next++));
          more = true;
        }
        if (more) {
          active.sort(Comparator.comparingLong(b -> b.keys.begin()));
        }
        for (Block block : active) {
          long end = block.causal ? Math.min(block.keys.end(), row + 1) : block.keys.end();
          if (block.keys.begin() < end) {
            collector.add(block.keys.begin(), end);
          }
        }
        collector.endRow();
      }
      return collector.mask();
    }
  }
}
