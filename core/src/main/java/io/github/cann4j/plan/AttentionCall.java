// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * One attention kernel call. Segment i attends from its query rows to its own key rows, as the mask
 * says. Query rows of segments lie end to end in the computing ring rank's local memory order; key
 * rows lie end to end in the memory that the call reads: the owner's local rows in step 0, else the
 * rows that the step received.
 *
 * <p>Key rows of different calls may overlap, so gradients of keys are to be added up over calls.
 *
 * @param qSegments query rows in the local memory order of the computing ring rank
 * @param kvSegments key/value rows in the local memory order of the owning ring rank, or, in a
 *     {@link KvGather}, of the gathered rows
 * @param mask which keys of its segment a query sees
 */
public record AttentionCall(List<RowRange> qSegments, List<RowRange> kvSegments, CallMask mask) {
  /**
   * Checks and copies the segments.
   *
   * @throws IllegalArgumentException if segments are missing or empty, query rows do not lie end to
   *     end, or a causal segment has fewer key than query rows
   */
  public AttentionCall {
    qSegments = List.copyOf(qSegments);
    kvSegments = List.copyOf(kvSegments);
    Objects.requireNonNull(mask, "mask");
    if (qSegments.isEmpty() || qSegments.size() != kvSegments.size()) {
      throw new IllegalArgumentException(
          "a call has %d segments of queries and %d of keys"
              .formatted(qSegments.size(), kvSegments.size()));
    }
    boolean causal = mask instanceof CallMask.Causal || mask instanceof CallMask.Prefix;
    for (int i = 0; i < qSegments.size(); i++) {
      long queries = qSegments.get(i).length();
      long keys = kvSegments.get(i).length();
      if (queries < 1 || keys < 1 || causal && keys < queries) {
        throw new IllegalArgumentException(
            "segment %d of a call has %d query and %d key rows".formatted(i, queries, keys));
      }
      if (i > 0 && qSegments.get(i - 1).end() != qSegments.get(i).begin()) {
        throw new IllegalArgumentException(
            "query rows of a call must lie end to end, not %s".formatted(qSegments));
      }
    }
  }

  /** {@return all query rows} */
  public RowRange q() {
    return new RowRange(qSegments.getFirst().begin(), qSegments.getLast().end());
  }

  /** {@return the rows from the first key to the last, in the order of {@link #kvSegments()}} */
  public RowRange kv() {
    return new RowRange(kvSegments.getFirst().begin(), kvSegments.getLast().end());
  }

  /** {@return number of segments} */
  public int segments() {
    return qSegments.size();
  }

  /** {@return number of key rows} */
  public long keys() {
    long keys = 0;
    for (RowRange rows : kvSegments) {
      keys += rows.length();
    }
    return keys;
  }

  /** {@return CANN's {@code actualSeqQLen}: cumulative ends of the segments' queries} */
  public long[] actualSeqQLen() {
    return ends(qSegments);
  }

  /** {@return CANN's {@code actualSeqKvLen}: cumulative ends of the segments' keys} */
  public long[] actualSeqKvLen() {
    return ends(kvSegments);
  }

  private static long[] ends(List<RowRange> segments) {
    long[] ends = new long[segments.size()];
    long end = 0;
    for (int i = 0; i < ends.length; i++) {
      end += segments.get(i).length();
      ends[i] = end;
    }
    return ends;
  }

  /** {@return (query, key) pairs per head that the mask allows} */
  public long pairs() {
    long pairs = 0;
    for (int i = 0; i < segments(); i++) {
      long queries = qSegments.get(i).length();
      pairs += mask.pairs(queries, kvSegments.get(i).length(), i, 0, queries);
    }
    return pairs;
  }

  @Override
  public String toString() {
    List<String> parts = new ArrayList<>();
    for (int i = 0; i < Math.min(3, segments()); i++) {
      parts.add(qSegments.get(i) + "x" + kvSegments.get(i));
    }
    return "AttentionCall[%s, segments=%d: %s%s]"
        .formatted(
            mask, segments(), String.join(" ", parts), segments() > parts.size() ? " ..." : "");
  }
}
