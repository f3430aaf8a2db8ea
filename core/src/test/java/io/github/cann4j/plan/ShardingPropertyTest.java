// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.packing.PackedSequence;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Which rows ranks get, in thousands of random batches. */
class ShardingPropertyTest {
  private static long baseSeed;

  @BeforeAll
  static void seed() {
    baseSeed = RandomPlans.seed(ShardingPropertyTest.class);
  }

  private interface Check {
    void accept(long seed);
  }

  private static void repeat(int times, Check check) {
    for (long seed = baseSeed; seed < baseSeed + times; seed++) {
      try {
        check.accept(seed);
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("batch with seed " + seed, e);
      }
    }
  }

  @Test
  void everyRowIsHeldOnceAndRanksHoldAsMany() {
    repeat(
        5000,
        seed -> {
          RandomPlans plans = new RandomPlans(seed);
          CpGrid grid = plans.grid();
          PackedSequence sequence = plans.sequence(grid);
          AttentionMask mask = plans.mask(sequence);
          for (Sharding sharding : Sharding.values()) {
            checkRows(sequence, grid, plan(sequence, grid, sharding, mask));
          }
        });
  }

  private static ContextParallelPlan plan(
      PackedSequence sequence, CpGrid grid, Sharding sharding, AttentionMask mask) {
    return ContextParallelPlan.builder(sequence, grid).sharding(sharding).mask(mask).build();
  }

  private static void checkRows(PackedSequence sequence, CpGrid grid, ContextParallelPlan plan) {
    RowRange[] all =
        IntStream.range(0, grid.ringDegree())
            .mapToObj(plan::ringShard)
            .flatMap(List::stream)
            .sorted((a, b) -> Long.compare(a.begin(), b.begin()))
            .toArray(RowRange[]::new);
    long row = 0;
    for (RowRange rows : all) {
      assertEquals(row, rows.begin());
      row = rows.end();
    }
    assertEquals(sequence.length(), row);
    for (int rank = 0; rank < grid.ringDegree(); rank++) {
      List<RowRange> shard = plan.ringShard(rank);
      assertEquals(
          sequence.length() / grid.ringDegree(), shard.stream().mapToLong(RowRange::length).sum());
      for (int i = 1; i < shard.size(); i++) {
        assertTrue(shard.get(i - 1).end() < shard.get(i).begin(), shard::toString);
      }
    }
  }

  /**
   * Each rank but the last may miss the mean of what is left by one row's work and by half a
   * percent; what it misses is shared by the ranks after it.
   */
  @Test
  void anyWorkIsEvenButForSingleRows() {
    repeat(
        5000,
        seed -> {
          RandomPlans plans = new RandomPlans(seed);
          CpGrid grid = plans.grid();
          PackedSequence sequence = plans.sequence(grid);
          AttentionMask mask = plans.mask(sequence);
          ContextParallelPlan plan = plan(sequence, grid, Sharding.BALANCED, mask);
          double mean = (double) plan.totalWork() / grid.ringDegree();
          AllowedPairs pairs = new AllowedPairs(sequence, SeenRows.simplest(sequence, mask));
          long heaviestRow =
              LongStream.range(0, sequence.length())
                  .map(r -> pairs.pairs(r, r + 1))
                  .max()
                  .orElse(0);
          double missed = heaviestRow + mean / 200 + 1;
          double limit = mean + missed;
          for (int left = grid.ringDegree() - 1; left > 0; left--) {
            limit += missed / left;
          }
          assertTrue(maxWork(plan) <= Math.max(1.025 * mean, limit), plan::toString);
        });
  }

  private static long maxWork(ContextParallelPlan plan) {
    return IntStream.range(0, plan.grid().ringDegree()).mapToLong(plan::work).max().orElseThrow();
  }

  @Test
  void workOfTrainingBatchesIsEvenAndFewRowsTravel() {
    repeat(300, seed -> checkTrainingBatch(131_072, seed));
  }

  @Test
  void alsoInLongBatches() {
    repeat(12, seed -> checkTrainingBatch(1_048_576, seed));
  }

  private static void checkTrainingBatch(long rows, long seed) {
    Random random = new Random(seed);
    Batches kind = Batches.values()[random.nextInt(Batches.values().length)];
    int ranks = 2 + random.nextInt(63);
    PackedSequence sequence = kind.draw(rows / ranks * ranks, random);
    CpGrid grid = CpGrid.ring(ranks);
    AttentionMask mask = AttentionMask.causal();
    ContextParallelPlan plan = plan(sequence, grid, Sharding.BALANCED, mask);
    double imbalance = (double) maxWork(plan) * ranks / plan.totalWork();
    String batch =
        kind
            + " over "
            + ranks
            + " ranks: "
            + imbalance
            + ", ends "
            + Arrays.toString(Arrays.copyOf(sequence.actualSeqLen(), 8));
    assertTrue(imbalance <= 1.05, batch);
    ContextParallelPlan zigzag = plan(sequence, grid, Sharding.ZIGZAG_PER_DOCUMENT, mask);
    ShardProblem problem =
        new ShardProblem(
            sequence, mask, new AllowedPairs(sequence, SeenRows.simplest(sequence, mask)), ranks);
    long needed = rowsNeeded(problem, plan);
    assertTrue(
        needed <= rowsNeeded(problem, zigzag),
        () -> batch + ": " + needed + " rows, not " + rowsNeeded(problem, zigzag));
  }

  private static long rowsNeeded(ShardProblem problem, ContextParallelPlan plan) {
    return IntStream.range(0, problem.ranks())
        .mapToObj(plan::ringShard)
        .mapToLong(problem::rowsNeeded)
        .sum();
  }

  @Test
  void rowsNeededAreThoseThatPlansSend() {
    repeat(
        3000,
        seed -> {
          RandomPlans plans = new RandomPlans(seed);
          CpGrid grid = plans.grid();
          PackedSequence sequence = plans.sequence(grid);
          AttentionMask mask = plans.mask(sequence);
          if (mask instanceof AttentionMask.General || mask instanceof AttentionMask.Prefix) {
            return;
          }
          ShardProblem problem =
              new ShardProblem(
                  sequence,
                  mask,
                  new AllowedPairs(sequence, SeenRows.simplest(sequence, mask)),
                  grid.ringDegree());
          for (Sharding sharding : Sharding.values()) {
            ContextParallelPlan plan = plan(sequence, grid, sharding, mask);
            long sent =
                IntStream.range(0, grid.ringDegree()).mapToLong(plan::forwardRowsSent).sum();
            assertEquals(sent, rowsNeeded(problem, plan), () -> mask + " " + plan);
          }
        });
  }

  @Test
  void zigzagPerDocumentDealsOutEvenSingleRows() {
    ContextParallelPlan four =
        plan(
            PackedSequence.ofLengths(4, 4),
            CpGrid.ring(2),
            Sharding.ZIGZAG_PER_DOCUMENT,
            AttentionMask.causal());
    assertEquals(
        List.of(new RowRange(0, 1), new RowRange(3, 5), new RowRange(7, 8)), four.ringShard(0));
    ContextParallelPlan ones =
        plan(
            PackedSequence.ofLengths(1, 1, 1, 1),
            CpGrid.ring(2),
            Sharding.ZIGZAG_PER_DOCUMENT,
            AttentionMask.causal());
    assertEquals(List.of(new RowRange(0, 1), new RowRange(2, 3)), ones.ringShard(0));
  }

  @Test
  void balancedShardsKeepWholeDocumentsTogetherWhereTheyFit() {
    ContextParallelPlan plan =
        plan(
            PackedSequence.ofLengths(10, 6, 10, 4, 6, 4),
            CpGrid.ring(2),
            Sharding.BALANCED,
            AttentionMask.causal());
    assertEquals(plan.work(0), plan.work(1));
    assertEquals(0, plan.forwardRowsSent(0) + plan.forwardRowsSent(1));
  }
}
