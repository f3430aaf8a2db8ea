// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

class ContextParallelPlanTest {
  private static RowRange rows(long begin, long end) {
    return new RowRange(begin, end);
  }

  private static ContextParallelPlan.Builder oneDocument(int length, CpGrid grid) {
    return ContextParallelPlan.builder(PackedSequence.ofLengths(length), grid);
  }

  @Test
  void zigzagGivesEachRankOneEarlyAndOneLateChunk() {
    ContextParallelPlan plan = oneDocument(16, CpGrid.ring(4)).build();
    assertEquals(List.of(rows(0, 2), rows(14, 16)), plan.shard(0));
    assertEquals(List.of(rows(2, 4), rows(12, 14)), plan.shard(1));
    assertEquals(List.of(rows(6, 10)), plan.shard(3));
    for (int r = 0; r < 4; r++) {
      assertEquals(plan.totalWork() / 4, plan.work(r));
    }
  }

  @Test
  void chunksOfLengthsThatDoNotDivideDifferByOneRow() {
    // 2 x 3 chunks of 15 rows begin at 0 2 5 7 10 12.
    ContextParallelPlan plan = oneDocument(15, CpGrid.ring(3)).build();
    assertEquals(List.of(rows(0, 2), rows(12, 15)), plan.shard(0));
    assertEquals(List.of(rows(2, 5), rows(10, 12)), plan.shard(1));
    assertEquals(List.of(rows(5, 10)), plan.shard(2));
  }

  @Test
  void ulyssesCutsTheLocalRowsOfARingRank() {
    ContextParallelPlan plan = oneDocument(24, new CpGrid(2, 3)).build();
    // Ring rank 0 holds rows 0-5 and 18-23, each Ulysses rank four of them.
    assertEquals(List.of(rows(0, 4)), plan.shard(0));
    assertEquals(List.of(rows(4, 6), rows(18, 20)), plan.shard(1));
    assertEquals(List.of(rows(20, 24)), plan.shard(2));
    assertEquals(List.of(rows(6, 10)), plan.shard(3));
    assertEquals(List.of(rows(0, 6), rows(18, 24)), plan.ringShard(0));
    assertEquals(4, plan.localRows());
    assertEquals(12, plan.ringRows(1));
  }

  @Test
  void plainUlyssesIsContiguousAndHasOneStep() {
    ContextParallelPlan plan = oneDocument(12, CpGrid.ulysses(4)).build();
    assertEquals(List.of(rows(3, 6)), plan.shard(1));
    assertEquals(1, plan.steps(0).size());
    assertEquals(78, plan.steps(0).getFirst().pairs());
  }

  @Test
  void positionIdsFollowGlobalRowsNotLocalOnes() {
    // Two documents of 4 rows, each split in zigzag order over 2 ranks: rank 0 has 0 3 | 4 7.
    List<List<RowRange>> perDocument =
        List.of(List.of(rows(0, 1), rows(3, 5), rows(7, 8)), List.of(rows(1, 3), rows(5, 7)));
    ContextParallelPlan plan =
        ContextParallelPlan.builder(PackedSequence.ofLengths(4, 4), CpGrid.ring(2))
            .ringShards(perDocument)
            .build();
    assertArrayEquals(new long[] {0, 3, 4, 7}, plan.positionIds(0, false));
    assertArrayEquals(new long[] {0, 3, 0, 3}, plan.positionIds(0, true));
    assertArrayEquals(new long[] {1, 2, 5, 6}, plan.positionIds(1, false));
    assertArrayEquals(new long[] {1, 2, 1, 2}, plan.positionIds(1, true));
    ContextParallelPlan whole =
        ContextParallelPlan.builder(PackedSequence.ofLengths(8), CpGrid.ring(2))
            .ringShards(perDocument)
            .build();
    assertArrayEquals(new long[] {0, 3, 4, 7}, whole.positionIds(0, true));
  }

  @Test
  void localStepOfADocumentOverBothChunksIsOneSegment() {
    ContextParallelPlan plan =
        ContextParallelPlan.builder(
                PackedSequence.ofLengths(new long[] {1, 13}, 16), CpGrid.ring(2))
            .build();
    // Rank 0 holds rows 0-3 and 12-15, of which 14 and 15 are padding.
    AttentionCall call = plan.steps(0).getFirst().calls().getFirst();
    assertEquals(
        new AttentionCall(
            List.of(rows(0, 1), rows(1, 6)), List.of(rows(0, 1), rows(1, 6)), CallMask.CAUSAL),
        call);
    assertEquals(6, plan.validRingRows(0));
    assertEquals(8, plan.validRingRows(1));
  }

  @Test
  void hopsAreRectanglesOfTheSharedDocumentOnly() {
    ContextParallelPlan plan =
        ContextParallelPlan.builder(PackedSequence.ofLengths(3, 6, 7), CpGrid.ring(2)).build();
    // Chunks 0-3 4-7 8-11 12-15. Rank 0 has 0-3 and 12-15, rank 1 has 4-11.
    AttentionStep zero = plan.steps(0).get(1);
    AttentionStep one = plan.steps(1).get(1);
    // Rows 12-15 (local 4-7) of the third document see rows 9-11 (local 5-7) of rank 1.
    assertEquals(List.of(dense(rows(4, 8), rows(5, 8))), zero.calls());
    assertEquals(Optional.of(new Transfer(1, 1, RowSet.of(rows(5, 8)))), zero.kvReceive());
    // Rows 4-8 (local 0-4) of the second document see row 3 of rank 0.
    assertEquals(List.of(dense(rows(0, 5), rows(3, 4))), one.calls());
    assertEquals(Optional.of(new Transfer(1, 0, RowSet.of(rows(3, 4)))), zero.kvSend());
    assertEquals(zero.kvReceive(), zero.gradientSend());
    assertEquals(zero.kvSend(), zero.gradientReceive());
    assertEquals(1, plan.forwardRowsSent(0));
    assertEquals(3, plan.gradientRowsSent(0));
    assertEquals(10, plan.forwardBytesSent(0, 10));
    assertEquals(10 + 60, plan.backwardBytesSent(0, 10, 20));
  }

  @Test
  void documentsWithinARankSendNothing() {
    ContextParallelPlan plan =
        ContextParallelPlan.builder(PackedSequence.ofLengths(4, 4, 4, 4), CpGrid.ring(4))
            .sharding(Sharding.CONTIGUOUS)
            .build();
    for (int r = 0; r < 4; r++) {
      assertTrue(plan.steps(r).stream().skip(1).allMatch(AttentionStep::isEmpty));
      assertEquals(0, plan.forwardRowsSent(r));
    }
  }

  @Test
  void longDocumentIsSplitByQueryRowsWithinThePairLimit() {
    AttentionStep step =
        oneDocument(10, CpGrid.ring(1)).maxPairsPerCall(20).build().steps(0).getFirst();
    // 1+..+5 = 15, 6+7 = 13, 8+9 = 17, 10.
    assertEquals(
        List.of(rows(0, 5), rows(5, 7), rows(7, 9), rows(9, 10)),
        step.calls().stream().map(AttentionCall::q).toList());
    assertEquals(
        List.of(rows(0, 5), rows(0, 7), rows(0, 9), rows(0, 10)),
        step.calls().stream().map(AttentionCall::kv).toList());
    assertEquals(55, step.pairs());
  }

  @Test
  void documentAfterASplitOneJoinsItsLastPart() {
    ContextParallelPlan plan =
        ContextParallelPlan.builder(PackedSequence.ofLengths(5, 2), CpGrid.ring(1))
            .maxPairsPerCall(12)
            .build();
    assertEquals(
        List.of(
            new AttentionCall(List.of(rows(0, 4)), List.of(rows(0, 4)), CallMask.CAUSAL),
            new AttentionCall(
                List.of(rows(4, 5), rows(5, 7)), List.of(rows(0, 5), rows(5, 7)), CallMask.CAUSAL)),
        plan.steps(0).getFirst().calls());
  }

  @Test
  void sequenceLimitSplitsCalls() {
    long[] lengths = new long[5000];
    Arrays.fill(lengths, 1);
    AttentionStep step =
        ContextParallelPlan.builder(PackedSequence.ofLengths(lengths), CpGrid.ring(1))
            .build()
            .steps(0)
            .getFirst();
    assertEquals(
        List.of(2048, 2048, 904), step.calls().stream().map(AttentionCall::segments).toList());
  }

  @Test
  void refusesWhatCannotBePlanned() {
    assertMessage(
        () -> oneDocument(10, new CpGrid(2, 2)).build(),
        "10",
        "size 4",
        "ring 2 x Ulysses 2",
        "12");
    assertMessage(() -> new CpGrid(0, 2), "ring 0 and Ulysses 2");
    assertMessage(() -> oneDocument(8, CpGrid.ring(2)).maxSequencesPerCall(0).build(), "not 0");
    assertMessage(
        () -> oneDocument(8, CpGrid.ring(2)).maxPairsPerCall(3).build(), "3 pairs", "4 keys");
    assertMessage(
        () -> new AttentionCall(List.of(rows(0, 3)), List.of(rows(0, 2)), CallMask.CAUSAL),
        "3 query and 2 key rows");
    ContextParallelPlan plan = oneDocument(8, CpGrid.ring(2)).build();
    assertThrows(IndexOutOfBoundsException.class, () -> plan.steps(2));
    assertThrows(IndexOutOfBoundsException.class, () -> plan.shard(-1));
    assertMessage(() -> plan.gather(new long[7], 0), "64", "56");
  }

  private static AttentionCall dense(RowRange q, RowRange kv) {
    return new AttentionCall(List.of(q), List.of(kv), CallMask.DENSE);
  }

  private static void assertMessage(Callable<?> action, String... parts) {
    String message = assertThrows(IllegalArgumentException.class, action::call).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), () -> "no \"" + part + "\" in: " + message);
    }
  }

  @Test
  void everyOptionChangesTheContentHash() {
    PackedSequence sequence = PackedSequence.ofLengths(new long[] {5, 7}, 16);
    CpGrid grid = new CpGrid(2, 2);
    List<ContextParallelPlan> plans =
        List.of(
            ContextParallelPlan.builder(sequence, grid).build(),
            ContextParallelPlan.builder(PackedSequence.ofLengths(new long[] {7, 5}, 16), grid)
                .build(),
            ContextParallelPlan.builder(PackedSequence.ofLengths(new long[] {5, 6}, 16), grid)
                .build(),
            ContextParallelPlan.builder(PackedSequence.ofLengths(new long[] {5, 7}, 12), grid)
                .build(),
            ContextParallelPlan.builder(sequence.asOneDocument(), grid).build(),
            ContextParallelPlan.builder(sequence, CpGrid.ring(4)).build(),
            ContextParallelPlan.builder(sequence, CpGrid.ulysses(4)).build(),
            ContextParallelPlan.builder(sequence, grid).sharding(Sharding.CONTIGUOUS).build(),
            ContextParallelPlan.builder(sequence, grid).pattern(ExchangePattern.RING).build(),
            ContextParallelPlan.builder(sequence, grid).maxSequencesPerCall(7).build(),
            ContextParallelPlan.builder(sequence, grid).pattern(ExchangePattern.ALL_GATHER).build(),
            ContextParallelPlan.builder(sequence, grid).mask(AttentionMask.full()).build(),
            ContextParallelPlan.builder(sequence, grid)
                .mask(AttentionMask.slidingWindow(2, 0))
                .build(),
            ContextParallelPlan.builder(sequence, grid)
                .mask(AttentionMask.slidingWindow(0, 2))
                .build(),
            ContextParallelPlan.builder(sequence, grid).mask(AttentionMask.prefix(2, 0)).build(),
            ContextParallelPlan.builder(sequence, grid).mask(AttentionMask.prefix(0, 2)).build(),
            ContextParallelPlan.builder(sequence, grid)
                .mask(AttentionMask.general(GeneralMask.of(16, (q, k) -> k <= q)))
                .build(),
            ContextParallelPlan.builder(sequence, grid).maxPairsPerCall(99).build());
    Set<String> hashes = new HashSet<>();
    plans.forEach(plan -> hashes.add(HexFormat.of().formatHex(plan.contentHash())));
    assertEquals(plans.size(), hashes.size());
    byte[] hash = plans.getFirst().contentHash();
    assertEquals(32, hash.length);
    hash[0]++;
    assertNotEquals(hash[0], plans.getFirst().contentHash()[0]);
  }

  @Test
  void aCallKnowsItsCumulativeEnds() {
    AttentionCall call =
        new AttentionCall(
            List.of(rows(4, 6), rows(6, 7)), List.of(rows(1, 4), rows(9, 10)), CallMask.CAUSAL);
    assertArrayEquals(new long[] {2, 3}, call.actualSeqQLen());
    assertArrayEquals(new long[] {3, 4}, call.actualSeqKvLen());
    assertEquals(rows(4, 7), call.q());
    assertEquals(4, call.keys());
    assertEquals(6, call.pairs());
  }

  @Test
  void threadsThatAskTogetherGetTheSameSteps() throws Exception {
    int threads = 8;
    CyclicBarrier together = new CyclicBarrier(threads);
    ContextParallelPlan plan =
        oneDocument(4096, CpGrid.ring(16)).pattern(ExchangePattern.RING).build();
    List<Callable<List<AttentionStep>>> asks = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      asks.add(
          () -> {
            together.await();
            return plan.steps(5);
          });
    }
    try (var pool = Executors.newFixedThreadPool(threads)) {
      for (var answer : pool.invokeAll(asks)) {
        assertSame(plan.steps(5), answer.get());
      }
    }
  }

  /** Prints how long planning takes; machines differ too much to assert it. */
  @Test
  void plansAMillionTokensQuickly() {
    Random random = new Random(1);
    long[] ends = random.longs(1, 1 << 20).distinct().limit(9_999).sorted().toArray();
    ends = Arrays.copyOf(ends, 10_000);
    ends[9_999] = 1 << 20;
    PackedSequence packed = PackedSequence.ofActualSeqLen(ends, 1 << 20);
    PackedSequence single = packed.asOneDocument();
    for (ExchangePattern pattern : ExchangePattern.values()) {
      for (PackedSequence sequence : List.of(packed, single)) {
        double best = Double.MAX_VALUE;
        double first = 0;
        for (int i = 0; i < 20; i++) {
          long start = System.nanoTime();
          ContextParallelPlan plan =
              ContextParallelPlan.builder(sequence, CpGrid.ring(64)).pattern(pattern).build();
          plan.contentHash();
          if (pattern == ExchangePattern.ALL_GATHER) {
            plan.gather(i);
          } else {
            plan.steps(i);
          }
          double millis = (System.nanoTime() - start) / 1e6;
          best = Math.min(best, millis);
          first = i == 0 ? millis : first;
        }
        System.out.printf(
            "plan of %d documents, %s, cp = 64: first %.2f ms, best %.2f ms%n",
            sequence.documentCount(), pattern, first, best);
      }
    }
  }
}
