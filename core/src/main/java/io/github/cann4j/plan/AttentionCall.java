// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.Arrays;

/**
 * One attention kernel call of a step. Segment i attends from its query rows to its own key rows:
 * all of them, or with {@code causal} as sparse mode 3 (right-down causal) says, query row a to key
 * rows up to a + (key rows - query rows).
 *
 * <p>The calls of one step have disjoint query rows, in ascending order. Their key rows may
 * overlap: when a limit splits a document by query rows, each part reads the keys from the
 * document's first local row on, so gradients of keys are to be added up over calls.
 *
 * @param q query rows in the local memory order of the computing ring rank
 * @param kv key/value rows in the local memory order of the owning ring rank
 * @param qEnds cumulative ends of the segments' query rows, relative to {@code q.begin()}, without
 *     a leading 0; the last is {@code q.length()}
 * @param kvEnds likewise for key rows
 * @param causal whether segments are causal; a call that is not is dense, with no mask
 */
public record AttentionCall(RowRange q, RowRange kv, long[] qEnds, long[] kvEnds, boolean causal) {
  /**
   * Checks and copies the ends.
   *
   * @throws IllegalArgumentException if segments are missing or empty, do not fill the ranges, or a
   *     causal one has fewer key than query rows
   */
  public AttentionCall {
    qEnds = qEnds.clone();
    kvEnds = kvEnds.clone();
    int n = qEnds.length;
    if (n == 0
        || kvEnds.length != n
        || qEnds[n - 1] != q.length()
        || kvEnds[n - 1] != kv.length()) {
      throw new IllegalArgumentException(
          "segment ends "
              + Arrays.toString(qEnds)
              + " and "
              + Arrays.toString(kvEnds)
              + " do not fill rows "
              + q
              + " and "
              + kv);
    }
    for (int i = 0; i < n; i++) {
      long queries = qEnds[i] - (i == 0 ? 0 : qEnds[i - 1]);
      long keys = kvEnds[i] - (i == 0 ? 0 : kvEnds[i - 1]);
      if (queries < 1 || keys < 1 || (causal && keys < queries)) {
        throw new IllegalArgumentException(
            "segment " + i + " of a call has " + queries + " query and " + keys + " key rows");
      }
    }
  }

  /**
   * A call without mask on one segment.
   *
   * @param q query rows
   * @param kv key/value rows
   * @return the call
   */
  public static AttentionCall dense(RowRange q, RowRange kv) {
    return new AttentionCall(q, kv, new long[] {q.length()}, new long[] {kv.length()}, false);
  }

  /** {@return the cumulative ends of the segments' query rows; a copy} */
  @Override
  public long[] qEnds() {
    return qEnds.clone();
  }

  /** {@return the cumulative ends of the segments' key rows; a copy} */
  @Override
  public long[] kvEnds() {
    return kvEnds.clone();
  }

  /** {@return number of segments} */
  public int segments() {
    return qEnds.length;
  }

  /**
   * Query rows of segment {@code i}, in the computing rank's local order.
   *
   * @param i its index, from 0
   * @return the rows
   */
  public RowRange qSegment(int i) {
    return segment(q, qEnds, i);
  }

  /**
   * Key/value rows of segment {@code i}, in the owning rank's local order.
   *
   * @param i its index, from 0
   * @return the rows
   */
  public RowRange kvSegment(int i) {
    return segment(kv, kvEnds, i);
  }

  private static RowRange segment(RowRange rows, long[] ends, int i) {
    return new RowRange(rows.begin() + (i == 0 ? 0 : ends[i - 1]), rows.begin() + ends[i]);
  }

  /** {@return allowed (query, key) pairs per head} */
  public long pairs() {
    long pairs = 0;
    for (int i = 0; i < qEnds.length; i++) {
      long queries = qSegment(i).length();
      pairs += queries * kvSegment(i).length() - (causal ? queries * (queries - 1) / 2 : 0);
    }
    return pairs;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof AttentionCall that
        && q.equals(that.q)
        && kv.equals(that.kv)
        && Arrays.equals(qEnds, that.qEnds)
        && Arrays.equals(kvEnds, that.kvEnds)
        && causal == that.causal;
  }

  @Override
  public int hashCode() {
    return 31 * (31 * q.hashCode() + kv.hashCode())
        + 31 * Arrays.hashCode(qEnds)
        + Arrays.hashCode(kvEnds)
        + (causal ? 1 : 0);
  }

  @Override
  public String toString() {
    return (causal ? "causal q=" : "dense q=")
        + q
        + " kv="
        + kv
        + (segments() == 1 ? "" : " segments=" + segments());
  }
}
