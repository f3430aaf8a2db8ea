// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;

/** Who holds which rows of which document and who needs whose: what both kinds of plan rest on. */
final class PlanGeometry {
  private final PackedSequence sequence;
  private final ShardLayout layout;
  private final SeenRows visible;
  private final AtomicReferenceArray<RankPieces> pieces;
  private final AtomicReferenceArray<List<RankPieces.Document>> shared;
  private final AtomicReferenceArray<List<RowSet>> seen;
  private volatile ChunkOwners owners;

  PlanGeometry(PackedSequence sequence, ShardLayout layout, AttentionMask mask) {
    this.sequence = sequence;
    this.layout = layout;
    this.visible = new SeenRows(sequence, mask);
    pieces = new AtomicReferenceArray<>(layout.ranks());
    shared = new AtomicReferenceArray<>(layout.ranks());
    seen = new AtomicReferenceArray<>(layout.ranks());
  }

  int ranks() {
    return layout.ranks();
  }

  ShardLayout layout() {
    return layout;
  }

  SeenRows visible() {
    return visible;
  }

  AttentionMask mask() {
    return visible.mask();
  }

  /** Who holds which row; derived when first asked for. */
  ChunkOwners owners() {
    ChunkOwners known = owners;
    if (known == null) {
      known = new ChunkOwners(layout);
      owners = known;
    }
    return known;
  }

  /** The rows of a rank by document. Derived when first asked for, like all that follows. */
  RankPieces pieces(int rank) {
    RankPieces known = pieces.get(rank);
    if (known == null) {
      pieces.compareAndSet(rank, null, RankPieces.of(sequence, layout, rank));
      known = pieces.get(rank);
    }
    return known;
  }

  /** The documents that a rank shares with others. */
  List<RankPieces.Document> shared(int rank) {
    List<RankPieces.Document> known = shared.get(rank);
    if (known == null) {
      shared.compareAndSet(rank, null, pieces(rank).shared());
      known = shared.get(rank);
    }
    return known;
  }

  /** Rows of the sequence that the rank's queries see in each of its shared documents. */
  List<RowSet> seen(int rank) {
    List<RowSet> known = seen.get(rank);
    if (known == null) {
      List<RowSet> rows = new ArrayList<>();
      for (RankPieces.Document document : shared(rank)) {
        RowSet all = RowSet.EMPTY;
        for (RowRange piece : document.pieces()) {
          all = all.union(visible.of(document.index(), piece));
        }
        rows.add(all);
      }
      seen.compareAndSet(rank, null, List.copyOf(rows));
      known = seen.get(rank);
    }
    return known;
  }

  /** The owner's local rows that another rank's queries attend to. */
  RowSet needed(int rank, int owner) {
    List<RowRange> rows = new ArrayList<>();
    for (RowSet document : seen(rank)) {
      for (RowRange range : document.ranges()) {
        rows.add(layout.local(owner, range.begin(), range.end()));
      }
    }
    return RowSet.of(rows.stream().filter(range -> !range.isEmpty()).toList());
  }
}
