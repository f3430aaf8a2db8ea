// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.ArrayList;
import java.util.List;

/** Derives what a rank gathers, and its calls, for {@link ExchangePattern#ALL_GATHER}. */
final class GatherPlanner {
  private final PlanGeometry geometry;
  private final int maxSequencesPerCall;
  private final long maxPairsPerCall;

  GatherPlanner(PlanGeometry geometry, int maxSequencesPerCall, long maxPairsPerCall) {
    this.geometry = geometry;
    this.maxSequencesPerCall = maxSequencesPerCall;
    this.maxPairsPerCall = maxPairsPerCall;
  }

  KvGather gather(int rank) {
    List<Transfer> sends = new ArrayList<>();
    List<Transfer> receives = new ArrayList<>();
    for (int peer = 0; peer < geometry.ranks(); peer++) {
      if (peer != rank) {
        addTransfer(sends, peer, rank, geometry.needed(peer, rank));
        addTransfer(receives, peer, peer, geometry.needed(rank, peer));
      }
    }
    CallSplitter local = new CallSplitter(maxSequencesPerCall, maxPairsPerCall, null);
    CallSplitter gathered = new CallSplitter(maxSequencesPerCall, maxPairsPerCall, null);
    List<KvGather.Part> parts = new ArrayList<>();
    long begin = 0;
    int shared = 0;
    for (RankPieces.Document document : geometry.pieces(rank).documents()) {
      RowSet seen = document.isWhole() ? null : geometry.seen(rank).get(shared++);
      List<KvGather.Part> own = seen == null ? List.of() : parts(seen);
      if (isLocal(document, own, rank)) {
        addLocal(document, local);
      } else {
        parts.addAll(own);
        addGathered(document, seen, begin, gathered);
        begin += seen.rows();
      }
    }
    return new KvGather(local.finish(), sends, receives, parts, gathered.finish());
  }

  private static void addTransfer(List<Transfer> transfers, int peer, int owner, RowSet rows) {
    if (!rows.isEmpty()) {
      transfers.add(new Transfer(peer, owner, rows));
    }
  }

  /** Whether the rank's own rows serve, and as they lie in memory. */
  private boolean isLocal(RankPieces.Document document, List<KvGather.Part> parts, int rank) {
    if (document.isWhole()) {
      return true;
    }
    boolean byDistance =
        geometry.mask() instanceof AttentionMask.SlidingWindow
            || geometry.mask() instanceof AttentionMask.General;
    return parts.stream().allMatch(part -> part.owner() == rank)
        && !(byDistance && document.pieces().size() > 1);
  }

  private void addLocal(RankPieces.Document document, CallSplitter calls) {
    if (geometry.mask() instanceof AttentionMask.General(GeneralMask pattern)) {
      RowRange piece = document.pieces().getFirst();
      addPattern(
          pattern, piece, document.local(), RowSet.of(piece), document.local().begin(), calls);
    } else {
      new LocalCalls(geometry, calls, calls).add(document);
    }
  }

  /** Who has the rows of a set, in their order. */
  private List<KvGather.Part> parts(RowSet rows) {
    List<KvGather.Part> parts = new ArrayList<>();
    ShardLayout layout = geometry.layout();
    ChunkOwners owners = geometry.owners();
    for (RowRange range : rows.ranges()) {
      for (long row = range.begin(); row < range.end(); ) {
        int owner = owners.owner(row);
        long end = Math.min(range.end(), owners.chunkEnd(row));
        parts.add(new KvGather.Part(owner, layout.local(owner, row, end)));
        row = end;
      }
    }
    return parts;
  }

  private void addGathered(
      RankPieces.Document document, RowSet seen, long begin, CallSplitter calls) {
    SeenRows visible = geometry.visible();
    for (int p = 0; p < document.pieces().size(); p++) {
      RowRange piece = document.pieces().get(p);
      RowRange queries = document.localPiece(p);
      if (geometry.mask() instanceof AttentionMask.General(GeneralMask pattern)) {
        addPattern(pattern, piece, queries, seen, begin, calls);
        continue;
      }
      RowRange keys = visible.of(document.index(), piece).ranges().getFirst();
      RowRange gathered = seen.positions(keys).shift(begin);
      switch (geometry.mask()) {
        case AttentionMask.Causal _ -> calls.add(queries, gathered, CallMask.CAUSAL);
        case AttentionMask.Prefix _ -> {
          long prefix = visible.prefixEnd(document.index());
          long least = keys.length() - queries.length();
          calls.add(
              queries,
              gathered,
              prefix >= piece.end()
                  ? CallMask.DENSE
                  : new CallMask.Prefix(
                      List.of(Math.max(least, prefix - document.rows().begin()))));
        }
        case AttentionMask.SlidingWindow(long left, long right) -> {
          long shift = piece.end() - keys.end();
          calls.add(queries, gathered, new CallMask.Band(left - shift, right + shift));
        }
        default -> calls.add(queries, gathered, CallMask.DENSE);
      }
    }
  }

  private static void addPattern(
      GeneralMask pattern,
      RowRange piece,
      RowRange queries,
      RowSet keys,
      long keysBegin,
      CallSplitter calls) {
    new PatternBlocks(
            pattern,
            false,
            (rows, blockKeys, dense) -> {
              long first = keysBegin + keys.position(blockKeys.ranges().getFirst().begin());
              calls.add(
                  rows.shift(queries.begin() - piece.begin()),
                  new RowRange(first, first + blockKeys.rows()),
                  dense ? CallMask.DENSE : new CallMask.General(pattern, rows.begin(), blockKeys));
            })
        .visit(piece, keys);
  }
}
