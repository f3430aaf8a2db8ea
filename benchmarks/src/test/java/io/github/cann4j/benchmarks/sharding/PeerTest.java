// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.sharding;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.plan.Sharding;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PeerTest {
  private static final long ROWS = 65_536;
  private static final int RANKS = 16;

  @ParameterizedTest
  @EnumSource
  void everyRowIsHeldOnceAndAllRanksHoldAsMany(Peer peer) {
    for (Lengths lengths : Lengths.values()) {
      List<List<RowRange>> shards = peer.shards(lengths.draw(ROWS, 1), RANKS);
      long row = 0;
      for (RowRange rows :
          shards.stream()
              .flatMap(List::stream)
              .sorted(Comparator.comparingLong(RowRange::begin))
              .toList()) {
        assertEquals(row, rows.begin());
        row = rows.end();
      }
      assertEquals(ROWS, row);
      for (List<RowRange> shard : shards) {
        long held = shard.stream().mapToLong(RowRange::length).sum();
        assertTrue(Math.abs(held - ROWS / RANKS) <= 1, () -> lengths + ": " + held + " rows");
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void thatOthersAreEvenOnOneDocument(Peer peer) {
    List<List<RowRange>> shards = peer.shards(Lengths.SINGLE.draw(ROWS, 1), RANKS);
    double imbalance = Spread.imbalance(Lengths.SINGLE.draw(ROWS, 1), shards);
    assertTrue(imbalance < 1.1, () -> "" + imbalance);
  }

  @ParameterizedTest
  @EnumSource
  void countsAgreeWithPlans(Lengths lengths) {
    PackedSequence sequence = lengths.draw(ROWS, 2);
    ContextParallelPlan plan =
        ContextParallelPlan.builder(sequence, CpGrid.ring(RANKS))
            .sharding(Sharding.BALANCED)
            .build();
    List<List<RowRange>> shards = IntStream.range(0, RANKS).mapToObj(plan::ringShard).toList();
    double most = IntStream.range(0, RANKS).mapToLong(plan::work).max().orElseThrow();
    double sent = IntStream.range(0, RANKS).mapToLong(plan::forwardRowsSent).sum();
    assertEquals(most * RANKS / plan.totalWork(), Spread.imbalance(sequence, shards), 1e-12);
    assertEquals(100 * sent / ((RANKS - 1) * ROWS), Spread.percentNeeded(sequence, shards), 1e-9);
  }
}
