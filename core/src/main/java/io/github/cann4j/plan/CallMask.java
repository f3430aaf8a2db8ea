// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.List;

/**
 * Which of a segment's keys its queries see, counted within the segment: query a of Q and key b of
 * K. Every query of a segment sees a key.
 */
public sealed interface CallMask {
  /** Every key: a call without a mask. */
  record Dense() implements CallMask {}

  /** b ≤ a + K − Q (sparse mode 3, right-down causal). */
  record Causal() implements CallMask {}

  /**
   * b ≤ a + K − Q or b &lt; P (sparse mode 6, compressed prefix).
   *
   * @param lengths P of each segment, K − Q … K
   */
  record Prefix(List<Long> lengths) implements CallMask {
    /** Copies the lengths. */
    public Prefix {
      lengths = List.copyOf(lengths);
    }
  }

  /**
   * a + K − Q − preTokens ≤ b ≤ a + K − Q + nextTokens (sparse mode 4, band).
   *
   * @param preTokens keys before the diagonal
   * @param nextTokens keys after it
   */
  record Band(long preTokens, long nextTokens) implements CallMask {}

  /**
   * What a pattern allows (sparse mode 1, with a mask of Q × K bytes).
   *
   * @param pattern over the whole sequence
   * @param firstQuery global row of query 0; the others follow
   * @param keyRows global rows of the keys
   */
  record General(GeneralMask pattern, long firstQuery, RowSet keyRows) implements CallMask {}

  /** A call without a mask. */
  CallMask DENSE = new Dense();

  /** Right-down causal. */
  CallMask CAUSAL = new Causal();

  /**
   * Whether a query sees a key.
   *
   * @param queries Q
   * @param keys K
   * @param segment of the call, from 0
   * @param query a
   * @param key b
   * @return whether it does
   */
  default boolean sees(long queries, long keys, int segment, long query, long key) {
    long diagonal = query + keys - queries;
    return switch (this) {
      case Dense _ -> true;
      case Causal _ -> key <= diagonal;
      case Prefix(List<Long> lengths) -> key <= diagonal || key < lengths.get(segment);
      case Band(long pre, long next) -> diagonal - pre <= key && key <= diagonal + next;
      case General(GeneralMask pattern, long firstQuery, RowSet keyRows) ->
          pattern.allows(firstQuery + query, keyRows.row(key));
    };
  }

  /**
   * Counts the pairs of some queries of a segment.
   *
   * @param queries Q
   * @param keys K
   * @param segment of the call, from 0
   * @param begin first query
   * @param end query after the last
   * @return pairs per head
   */
  default long pairs(long queries, long keys, int segment, long begin, long end) {
    long rows = end - begin;
    long diagonal = begin + keys - queries;
    return switch (this) {
      case Dense _ -> rows * keys;
      case Causal _ -> clampedSum(diagonal, rows, 0, keys - 1) + rows;
      case Prefix(List<Long> lengths) ->
          clampedSum(diagonal, rows, lengths.get(segment) - 1, keys - 1) + rows;
      case Band(long pre, long next) ->
          clampedSum(diagonal + next, rows, 0, keys - 1)
              - clampedSum(diagonal - pre, rows, 0, keys - 1)
              + rows;
      case General(GeneralMask pattern, long firstQuery, RowSet keyRows) -> {
        long pairs = 0;
        for (long query = firstQuery + begin; query < firstQuery + end; query++) {
          for (RowRange range : keyRows.ranges()) {
            pairs += pattern.count(query, range.begin(), range.end());
          }
        }
        yield pairs;
      }
    };
  }

  /** Sum over n = first … first + count − 1 of n, but at least low and at most high. */
  private static long clampedSum(long first, long count, long low, long high) {
    long below = Math.clamp(low - first, 0, count);
    long above = Math.clamp(first + count - 1 - high, 0, count - below);
    long between = count - below - above;
    return below * low + above * high + between * (first + below) + between * (between - 1) / 2;
  }
}
