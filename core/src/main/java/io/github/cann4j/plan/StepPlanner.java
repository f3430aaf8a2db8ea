// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Derives the steps of ring attention: which calls a rank makes on whose keys, and which rows
 * travel for them.
 */
final class StepPlanner {
  private final PlanGeometry geometry;
  private final ExchangePattern pattern;
  private final int maxSequencesPerCall;
  private final long maxPairsPerCall;

  StepPlanner(
      PlanGeometry geometry,
      ExchangePattern pattern,
      int maxSequencesPerCall,
      long maxPairsPerCall) {
    this.geometry = geometry;
    this.pattern = pattern;
    this.maxSequencesPerCall = maxSequencesPerCall;
    this.maxPairsPerCall = maxPairsPerCall;
  }

  List<AttentionStep> steps(int rank) {
    int ranks = geometry.ranks();
    List<AttentionStep> steps = new ArrayList<>(ranks);
    steps.add(localStep(rank));
    RingRows rows = pattern == ExchangePattern.RING ? new RingRows(rank) : null;
    for (int i = 1; i < ranks; i++) {
      steps.add(rows == null ? directStep(rank, i) : rows.step(i));
    }
    return List.copyOf(steps);
  }

  private AttentionStep localStep(int rank) {
    LocalCalls calls = new LocalCalls(geometry, calls(null), calls(null));
    for (RankPieces.Document document : geometry.pieces(rank).documents()) {
      calls.add(document);
    }
    return new AttentionStep(
        0,
        rank,
        calls.firstCalls(),
        calls.mergedCalls(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  private CallSplitter calls(RowSet block) {
    return new CallSplitter(maxSequencesPerCall, maxPairsPerCall, block);
  }

  private AttentionStep directStep(int rank, int i) {
    int owner = wrap(rank - i);
    int receiver = wrap(rank + i);
    RowSet in = geometry.needed(rank, owner);
    RowSet out = geometry.needed(receiver, rank);
    return new AttentionStep(
        i,
        owner,
        List.of(),
        hopCalls(rank, owner, in),
        transfer(receiver, rank, out),
        transfer(owner, owner, in),
        transfer(owner, owner, in),
        transfer(receiver, rank, out));
  }

  /**
   * Rows that travel around a ring. The rows of an owner visit owner-1, owner-2, ..., owner+1; what
   * enters a rank is what it and the ranks after it need, what leaves it as gradient what it and
   * the ranks before it needed.
   */
  private final class RingRows {
    private final int rank;
    private final RowSet[][] known = new RowSet[geometry.ranks()][geometry.ranks()];

    RingRows(int rank) {
      this.rank = rank;
    }

    AttentionStep step(int i) {
      int owner = wrap(rank + i);
      int previous = wrap(rank - 1);
      int next = wrap(rank + 1);
      int sentOwner = wrap(owner - 1);
      int homeward = wrap(owner + 1);
      return new AttentionStep(
          i,
          owner,
          List.of(),
          hopCalls(rank, owner, null),
          transfer(previous, sentOwner, needed(sentOwner, i, geometry.ranks() - 1)),
          transfer(next, owner, needed(owner, i, geometry.ranks() - 1)),
          transfer(previous, owner, needed(owner, 1, i)),
          transfer(next, homeward, needed(homeward, 1, i)));
    }

    /** What the ranks that hold the owner's rows in these steps need of them. */
    private RowSet needed(int owner, int firstStep, int lastStep) {
      RowSet rows = RowSet.EMPTY;
      for (int step = firstStep; step <= lastStep; step++) {
        rows = rows.union(needed(wrap(owner - step), owner));
      }
      return rows;
    }

    /** Known from earlier steps, because a ring asks for the same again and again. */
    private RowSet needed(int asking, int owner) {
      if (known[asking][owner] == null) {
        known[asking][owner] = geometry.needed(asking, owner);
      }
      return known[asking][owner];
    }
  }

  private int wrap(int rank) {
    return Math.floorMod(rank, geometry.ranks());
  }

  private static Optional<Transfer> transfer(int peer, int owner, RowSet rows) {
    return rows.isEmpty() ? Optional.empty() : Optional.of(new Transfer(peer, owner, rows));
  }

  private List<AttentionCall> hopCalls(int rank, int owner, RowSet block) {
    CallSplitter calls = calls(block);
    Rectangles rectangles = new Rectangles(geometry, calls);
    for (RankPieces.Document document : geometry.shared(rank)) {
      rectangles.add(document, owner);
    }
    return calls.finish();
  }
}
