// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which rows of the sequence the queries of a piece of a document see, and no others: what has to
 * be where the piece is computed.
 */
final class SeenRows {
  private final PackedSequence sequence;
  private final AttentionMask mask;
  // Of a general mask, which has to be walked over.
  private final Map<RowRange, RowSet> known = new ConcurrentHashMap<>();

  /**
   * Looks at a sequence.
   *
   * @param mask the {@link #simplest} one
   */
  SeenRows(PackedSequence sequence, AttentionMask mask) {
    this.sequence = sequence;
    this.mask = mask;
  }

  /** The mask without what makes no difference in the sequence. */
  static AttentionMask simplest(PackedSequence sequence, AttentionMask mask) {
    long longest = sequence.longestDocument();
    return switch (mask) {
      case AttentionMask.SlidingWindow(long left, long right) -> {
        boolean allBefore = left >= longest - 1;
        boolean allAfter = right >= longest - 1;
        yield allBefore && right == 0
            ? AttentionMask.causal()
            : allBefore && allAfter
                ? AttentionMask.full()
                : AttentionMask.slidingWindow(Math.min(left, longest), Math.min(right, longest));
      }
      case AttentionMask.Prefix prefix -> {
        // A prefix of one row is causal.
        for (int d = 0; d < sequence.documentCount(); d++) {
          if (prefix.length(d) > 1) {
            yield prefix;
          }
        }
        yield AttentionMask.causal();
      }
      case AttentionMask.General(GeneralMask pattern) ->
          AttentionMask.general(pattern.within(sequence));
      default -> mask;
    };
  }

  AttentionMask mask() {
    return mask;
  }

  /** All keys that the queries of a piece see, in the sequence. */
  RowSet of(int document, RowRange piece) {
    long begin = sequence.documentBegin(document);
    long end = sequence.documentEnd(document);
    return switch (mask) {
      case AttentionMask.SlidingWindow(long left, long right) ->
          RowSet.of(
              new RowRange(
                  Math.max(begin, piece.begin() - left), Math.min(end, piece.end() + right)));
      case AttentionMask.General(GeneralMask pattern) ->
          known.computeIfAbsent(piece, rows -> union(pattern, rows));
      default -> RowSet.of(new RowRange(begin, reach(document, piece)));
    };
  }

  /** Where the keys of a piece end, for the masks that see all rows before it. */
  long reach(int document, RowRange piece) {
    return switch (mask) {
      case AttentionMask.Causal _ -> piece.end();
      case AttentionMask.Full _ -> sequence.documentEnd(document);
      case AttentionMask.Prefix _ -> Math.max(piece.end(), prefixEnd(document));
      default -> throw new IllegalStateException(mask + " does not see all rows before");
    };
  }

  /** The row after a document's prefix. */
  long prefixEnd(int document) {
    return sequence.documentBegin(document) + ((AttentionMask.Prefix) mask).length(document);
  }

  private static RowSet union(GeneralMask pattern, RowRange piece) {
    List<RowRange> ranges = new ArrayList<>();
    List<RowRange> previous = List.of();
    for (long query = piece.begin(); query < piece.end(); query++) {
      List<RowRange> keys = pattern.keys(query);
      if (!keys.equals(previous)) {
        ranges.addAll(keys);
        previous = keys;
      }
    }
    ranges.sort(Comparator.comparingLong(RowRange::begin));
    return RowSet.of(ranges);
  }
}
