// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.List;

/** Adds the calls of a rank's queries of one document on an owner's keys of it. */
final class Rectangles {
  private final PlanGeometry geometry;
  private final CallSplitter calls;

  // The rectangle that the next one may extend.
  private RowRange q = RowRange.EMPTY;
  private RowRange kv = RowRange.EMPTY;

  Rectangles(PlanGeometry geometry, CallSplitter calls) {
    this.geometry = geometry;
    this.calls = calls;
  }

  /** Adds the calls on the keys of another rank. */
  void add(RankPieces.Document document, int owner) {
    for (int p = 0; p < document.pieces().size(); p++) {
      RowRange piece = document.pieces().get(p);
      RowRange queries = document.localPiece(p);
      switch (geometry.mask()) {
        case AttentionMask.SlidingWindow window ->
            addWindow(document, piece, queries, owner, window);
        case AttentionMask.General(GeneralMask pattern) ->
            addPattern(document, piece, queries, owner, pattern);
        default ->
            addDense(
                queries,
                geometry
                    .layout()
                    .local(
                        owner,
                        document.rows().begin(),
                        geometry.visible().reach(document.index(), piece)));
      }
    }
    close();
  }

  /** Adds the calls on the rank's own keys; for a window, only those of other pieces. */
  void addOwn(RankPieces.Document document) {
    for (int p = 0; p < document.pieces().size(); p++) {
      RowRange piece = document.pieces().get(p);
      RowRange queries = document.localPiece(p);
      switch (geometry.mask()) {
        case AttentionMask.SlidingWindow window -> {
          for (int k = 0; k < document.pieces().size(); k++) {
            if (k != p) {
              addWindow(
                  piece, queries, document.pieces().get(k), document.localPiece(k).begin(), window);
            }
          }
        }
        case AttentionMask.General(GeneralMask pattern) -> {
          RowSet seen = geometry.visible().of(document.index(), piece);
          for (int k = 0; k < document.pieces().size(); k++) {
            addPattern(
                piece,
                queries,
                seen,
                document.pieces().get(k),
                document.localPiece(k).begin(),
                pattern);
          }
        }
        default -> throw new IllegalStateException(geometry.mask() + " needs no rectangles here");
      }
      close();
    }
  }

  private void addWindow(
      RankPieces.Document document,
      RowRange piece,
      RowRange queries,
      int owner,
      AttentionMask.SlidingWindow window) {
    RowRange seen = geometry.visible().of(document.index(), piece).ranges().getFirst();
    forChunks(owner, seen, (keys, local) -> addWindow(piece, queries, keys, local, window));
  }

  /** Adds the window's part of a piece and some keys that are all before it or all after it. */
  private void addWindow(
      RowRange piece,
      RowRange queries,
      RowRange chunk,
      long chunkLocal,
      AttentionMask.SlidingWindow window) {
    boolean before = chunk.end() <= piece.begin();
    RowRange keys =
        chunk.intersect(
            new RowRange(Math.max(0, piece.begin() - window.left()), piece.end() + window.right()));
    if (keys.isEmpty()) {
      return;
    }
    RowRange rows =
        piece.intersect(
            before
                ? new RowRange(0, keys.end() + window.left())
                : new RowRange(Math.max(0, keys.begin() - window.right()), Long.MAX_VALUE));
    if (rows.isEmpty()) {
      return;
    }
    RowRange localQueries = rows.shift(queries.begin() - piece.begin());
    RowRange localKeys = keys.shift(chunkLocal - chunk.begin());
    boolean dense =
        before
            ? rows.end() - 1 - window.left() <= keys.begin()
            : rows.begin() + window.right() >= keys.end() - 1;
    if (dense) {
      addDense(localQueries, localKeys);
      return;
    }
    close();
    // Where the window's middle is, seen from the segment's diagonal.
    long shift = rows.end() - keys.end();
    calls.add(
        localQueries,
        localKeys,
        before
            ? new CallMask.Band(window.left() - shift, rows.length() + keys.length())
            : new CallMask.Band(rows.length() + keys.length(), window.right() + shift));
  }

  private void addPattern(
      RankPieces.Document document,
      RowRange piece,
      RowRange queries,
      int owner,
      GeneralMask pattern) {
    RowSet seen = geometry.visible().of(document.index(), piece);
    forChunks(
        owner,
        document.rows(),
        (keys, local) -> addPattern(piece, queries, seen, keys, local, pattern));
  }

  private void addPattern(
      RowRange piece,
      RowRange queries,
      RowSet seen,
      RowRange chunk,
      long chunkLocal,
      GeneralMask pattern) {
    long toLocalQuery = queries.begin() - piece.begin();
    long toLocalKey = chunkLocal - chunk.begin();
    PatternBlocks blocks =
        new PatternBlocks(
            pattern,
            true,
            (rows, keys, dense) -> {
              RowRange range = keys.ranges().getFirst();
              calls.add(
                  rows.shift(toLocalQuery),
                  range.shift(toLocalKey),
                  dense ? CallMask.DENSE : new CallMask.General(pattern, rows.begin(), keys));
            });
    for (RowRange range : seen.intersect(chunk).ranges()) {
      blocks.visit(piece, RowSet.of(range));
    }
  }

  private interface KeyVisitor {
    void keys(RowRange rows, long localBegin);
  }

  /** Visits an owner's part of some rows of the sequence, chunk by chunk. */
  private void forChunks(int owner, RowRange rows, KeyVisitor visitor) {
    ShardLayout layout = geometry.layout();
    RowRange local = layout.local(owner, rows.begin(), rows.end());
    long localBegin = local.begin();
    List<RowRange> chunks = layout.global(owner, local);
    for (RowRange chunk : chunks) {
      visitor.keys(chunk, localBegin);
      localBegin += chunk.length();
    }
  }

  private void addDense(RowRange queries, RowRange keys) {
    if (keys.isEmpty()) {
      return;
    }
    if (keys.equals(kv) && q.end() == queries.begin()) {
      q = q.hull(queries);
      return;
    }
    if (queries.equals(q) && kv.end() == keys.begin()) {
      kv = kv.hull(keys);
      return;
    }
    close();
    q = queries;
    kv = keys;
  }

  private void close() {
    if (!q.isEmpty()) {
      calls.add(q, kv, CallMask.DENSE);
    }
    q = RowRange.EMPTY;
    kv = RowRange.EMPTY;
  }
}
