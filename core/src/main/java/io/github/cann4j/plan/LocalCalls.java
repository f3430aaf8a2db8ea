// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Collects the calls of ring ranks' local steps, or of those documents that need no other rank. */
final class LocalCalls {
  private final PlanGeometry geometry;
  private final CallSplitter first;
  private final CallSplitter merged;
  private List<AttentionCall> firstCalls;
  private List<AttentionCall> mergedCalls;

  LocalCalls(PlanGeometry geometry, CallSplitter first, CallSplitter merged) {
    this.geometry = geometry;
    this.first = first;
    this.merged = merged;
  }

  /** Adds the queries of a document against the rank's own keys of it. */
  void add(RankPieces.Document document) {
    RowRange local = document.local();
    switch (geometry.mask()) {
      case AttentionMask.Causal _ -> first.add(local, local, CallMask.CAUSAL);
      case AttentionMask.Full _ -> first.add(local, local, CallMask.DENSE);
      case AttentionMask.Prefix _ -> {
        RowRange prefix =
            new RowRange(document.rows().begin(), geometry.visible().prefixEnd(document.index()));
        long rows = 0;
        for (RowRange piece : document.pieces()) {
          rows += piece.intersect(prefix).length();
        }
        first.add(local, local, new CallMask.Prefix(List.of(rows)));
      }
      case AttentionMask.SlidingWindow(long left, long right) -> {
        // Within a piece distances are those of the sequence, between two they are not.
        for (int p = 0; p < document.pieces().size(); p++) {
          RowRange piece = document.localPiece(p);
          first.add(piece, piece, new CallMask.Band(left, right));
        }
        new Rectangles(geometry, merged).addOwn(document);
      }
      case AttentionMask.General _ -> new Rectangles(geometry, first).addOwn(document);
    }
  }

  /** Calls on disjoint queries, ascending. */
  List<AttentionCall> firstCalls() {
    divide();
    return firstCalls;
  }

  /** Calls on queries that first calls have too. */
  List<AttentionCall> mergedCalls() {
    divide();
    return mergedCalls;
  }

  private void divide() {
    if (firstCalls != null) {
      return;
    }
    if (!(geometry.mask() instanceof AttentionMask.General)) {
      firstCalls = first.finish();
      mergedCalls = merged.finish();
      return;
    }
    List<AttentionCall> calls = new ArrayList<>(first.finish());
    calls.sort(
        Comparator.comparingLong((AttentionCall call) -> call.q().begin())
            .thenComparingLong(call -> -call.q().length()));
    firstCalls = new ArrayList<>();
    mergedCalls = new ArrayList<>();
    long end = 0;
    for (AttentionCall call : calls) {
      if (call.q().begin() >= end) {
        firstCalls.add(call);
        end = call.q().end();
      } else {
        mergedCalls.add(call);
      }
    }
  }
}
