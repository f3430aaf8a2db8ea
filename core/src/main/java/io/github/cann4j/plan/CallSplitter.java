// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Collects the kernel calls of one step within the limits of sequences and pairs per call. */
final class CallSplitter {
  private final int maxSequences;
  private final long maxPairs;
  private final List<AttentionCall> calls = new ArrayList<>();

  // The open causal call: its segments lie end to end from these rows on.
  private long qBegin;
  private long kvBegin;
  private long[] qEnds = new long[8];
  private long[] kvEnds = new long[8];
  private int segments;
  private long pairs;

  CallSplitter(int maxSequences, long maxPairs) {
    this.maxSequences = maxSequences;
    this.maxPairs = maxPairs;
  }

  /**
   * Adds a document whose local query and key rows are the same. Documents come in local order,
   * each beginning where the one before ended.
   */
  void addCausal(RowRange rows) {
    if (segments == maxSequences || trapezoid(0, rows.length()) > maxPairs - pairs) {
      close();
    }
    long first = 0;
    while (trapezoid(first, rows.length()) > maxPairs) {
      long stop = lastRowWithin(first, rows.length());
      append(rows, first, stop);
      close();
      first = stop;
    }
    append(rows, first, rows.length());
  }

  /** Adds a dense rectangle. */
  void addDense(RowRange q, RowRange kv) {
    close();
    long rowsPerCall = Math.clamp(maxPairs / kv.length(), 1, q.length());
    for (long begin = q.begin(); begin < q.end(); begin += rowsPerCall) {
      long end = Math.min(q.end(), begin + rowsPerCall);
      calls.add(AttentionCall.dense(new RowRange(begin, end), kv));
    }
  }

  List<AttentionCall> finish() {
    close();
    return calls;
  }

  /** Pairs of a document's rows first .. stop - 1. */
  private static long trapezoid(long first, long stop) {
    return Triangle.pairs(stop) - Triangle.pairs(first);
  }

  private long lastRowWithin(long first, long end) {
    long low = first + 1;
    long high = end;
    while (low < high) {
      long middle = (low + high + 1) >>> 1;
      if (trapezoid(first, middle) <= maxPairs) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  private void append(RowRange document, long first, long stop) {
    if (segments == 0) {
      qBegin = document.begin() + first;
      kvBegin = document.begin();
    }
    if (segments == qEnds.length) {
      qEnds = Arrays.copyOf(qEnds, segments * 2);
      kvEnds = Arrays.copyOf(kvEnds, segments * 2);
    }
    qEnds[segments] = document.begin() + stop - qBegin;
    kvEnds[segments] = document.begin() + stop - kvBegin;
    segments++;
    pairs += trapezoid(first, stop);
  }

  private void close() {
    if (segments > 0) {
      calls.add(
          new AttentionCall(
              new RowRange(qBegin, qBegin + qEnds[segments - 1]),
              new RowRange(kvBegin, kvBegin + kvEnds[segments - 1]),
              Arrays.copyOf(qEnds, segments),
              Arrays.copyOf(kvEnds, segments),
              true));
    }
    segments = 0;
    pairs = 0;
  }
}
