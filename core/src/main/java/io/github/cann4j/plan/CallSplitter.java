// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.ArrayList;
import java.util.List;

/**
 * Collects segments into as few kernel calls as their places in memory and the limits of sequences
 * and pairs per call allow.
 */
final class CallSplitter {
  private final int maxSequences;
  private final long maxPairs;
  private final RowSet block;
  private final List<AttentionCall> calls = new ArrayList<>();

  private final List<RowRange> q = new ArrayList<>();
  private final List<RowRange> kv = new ArrayList<>();
  private final List<Long> prefixes = new ArrayList<>();
  private CallMask mask;
  private long pairs;

  /**
   * Begins.
   *
   * @param maxSequences most segments of a call
   * @param maxPairs most pairs of a call
   * @param block rows that lie end to end in the memory that calls read; null if that is all rows
   */
  CallSplitter(int maxSequences, long maxPairs, RowSet block) {
    this.maxSequences = maxSequences;
    this.maxPairs = maxPairs;
    this.block = block;
  }

  /** Adds a segment; a {@link CallMask.Prefix} has one length. */
  void add(RowRange queries, RowRange keys, CallMask segmentMask) {
    long rows = queries.length();
    long count = segmentMask.pairs(rows, keys.length(), 0, 0, rows);
    if (count <= maxPairs) {
      append(queries, keys, segmentMask, count);
      return;
    }
    close();
    for (long first = 0; first < rows; ) {
      long stop = lastRowWithin(segmentMask, rows, keys.length(), first);
      addPart(queries, keys, segmentMask, first, stop);
      first = stop;
    }
  }

  private long lastRowWithin(CallMask segmentMask, long rows, long keys, long first) {
    long low = first + 1;
    long high = rows;
    while (low < high) {
      long middle = (low + high + 1) >>> 1;
      if (segmentMask.pairs(rows, keys, 0, first, middle) <= maxPairs) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  /** Adds queries first .. stop - 1 of a segment with the keys that they see. */
  private void addPart(RowRange queries, RowRange keys, CallMask whole, long first, long stop) {
    RowRange part = new RowRange(queries.begin() + first, queries.begin() + stop);
    long rows = stop - first;
    // Key of the part's last query on the segment's diagonal, and the key after it.
    long end = stop + keys.length() - queries.length();
    RowRange partKeys = keys;
    CallMask partMask = whole;
    switch (whole) {
      case CallMask.Dense _ -> {}
      case CallMask.Causal _ -> partKeys = new RowRange(keys.begin(), keys.begin() + end);
      case CallMask.Prefix(List<Long> lengths) -> {
        long prefix = lengths.getFirst();
        long last = Math.max(prefix, end);
        partKeys = new RowRange(keys.begin(), keys.begin() + last);
        partMask =
            prefix >= end
                ? CallMask.DENSE
                : new CallMask.Prefix(List.of(Math.max(prefix, last - rows)));
      }
      case CallMask.Band(long pre, long next) -> {
        long from = Math.max(0, end - rows - pre);
        long to = Math.min(keys.length(), end + next);
        partKeys = new RowRange(keys.begin() + from, keys.begin() + to);
        long shift = end - to;
        partMask = new CallMask.Band(pre - shift, next + shift);
      }
      case CallMask.General(GeneralMask pattern, long firstQuery, RowSet keyRows) ->
          partMask = new CallMask.General(pattern, firstQuery + first, keyRows);
    }
    append(part, partKeys, partMask, partMask.pairs(rows, partKeys.length(), 0, 0, rows));
  }

  private void append(RowRange queries, RowRange keys, CallMask segmentMask, long count) {
    if (!q.isEmpty()
        && (!joins(segmentMask)
            || q.size() == maxSequences
            || count > maxPairs - pairs
            || q.getLast().end() != queries.begin()
            || !follows(kv.getLast(), keys))) {
      close();
    }
    q.add(queries);
    kv.add(keys);
    if (segmentMask instanceof CallMask.Prefix(List<Long> lengths)) {
      prefixes.addAll(lengths);
    }
    mask = segmentMask;
    pairs += count;
  }

  private boolean joins(CallMask other) {
    return switch (other) {
      case CallMask.General _ -> false;
      case CallMask.Prefix _ -> mask instanceof CallMask.Prefix;
      default -> other.equals(mask);
    };
  }

  private boolean follows(RowRange before, RowRange keys) {
    return block == null
        ? before.end() == keys.begin()
        : block.position(before.end() - 1) + 1 == block.position(keys.begin());
  }

  private void close() {
    if (!q.isEmpty()) {
      calls.add(
          new AttentionCall(
              q, kv, mask instanceof CallMask.Prefix ? new CallMask.Prefix(prefixes) : mask));
    }
    q.clear();
    kv.clear();
    prefixes.clear();
    pairs = 0;
  }

  List<AttentionCall> finish() {
    close();
    return calls;
  }
}
