// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.TokenType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Plans of thousands of random small batches, checked pair by pair. */
class PlanPropertyTest {
  private static final int BATCHES = 4000;
  private static long baseSeed;

  @BeforeAll
  static void seed() {
    baseSeed = RandomPlans.seed(PlanPropertyTest.class);
  }

  private static void forBatches(
      Function<RandomPlans, ContextParallelPlan> make, Consumer<ContextParallelPlan> check) {
    for (int i = 0; i < BATCHES; i++) {
      ContextParallelPlan plan = make.apply(new RandomPlans(baseSeed + i));
      try {
        check.accept(plan);
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError(
            "batch with seed "
                + (baseSeed + i)
                + ": "
                + plan
                + ", ends "
                + Arrays.toString(plan.sequence().actualSeqLen())
                + ", at most "
                + plan.maxSequencesPerCall()
                + " sequences and "
                + plan.maxPairsPerCall()
                + " pairs per call",
            e);
      }
    }
  }

  @Test
  void everyAllowedPairIsComputedOnceAndItsRowsTravel() {
    forBatches(RandomPlans::plan, PlanPropertyTest::checkAll);
  }

  @Test
  void anyOtherLayoutOfRowsWorksToo() {
    forBatches(RandomPlans::planOfAnyLayout, PlanPropertyTest::checkAll);
  }

  @Test
  void gatheringBringsTheRowsThatAreNeededAndComputesEveryPairOnce() {
    forBatches(plans -> plans.gathering().plan(), plan -> new GatherCheck(plan).check());
    forBatches(plans -> plans.gathering().planOfAnyLayout(), plan -> new GatherCheck(plan).check());
  }

  private static void checkAll(ContextParallelPlan plan) {
    PlanCheck check = new PlanCheck(plan);
    check.shards();
    check.coverage();
    check.transfers();
    check.gradients();
  }

  @Test
  void withoutLimitsEachStepIsOneCallAtMost() {
    forBatches(
        plans -> {
          CpGrid grid = plans.grid();
          return ContextParallelPlan.builder(plans.sequence(grid), grid)
              .sharding(grid.size() % 3 == 0 ? Sharding.CONTIGUOUS : Sharding.ZIGZAG)
              .build();
        },
        plan -> new PlanCheck(plan).fewestCalls());
  }

  @Test
  void permutationsAndPerRankDataAgreeWithTheWholeSequence() {
    forBatches(RandomPlans::plan, PlanPropertyTest::checkData);
  }

  private static void checkData(ContextParallelPlan plan) {
    PackedSequence sequence = plan.sequence();
    int length = (int) sequence.length();
    int local = (int) plan.localRows();
    long[] permutation = plan.permutation();
    long[] inverse = plan.inversePermutation();
    for (int i = 0; i < length; i++) {
      assertEquals(i, inverse[(int) permutation[i]]);
      assertEquals(i, permutation[(int) inverse[i]]);
    }
    int[] tokens = LongStream.range(0, length).mapToInt(t -> (int) (t * 7 + 3)).toArray();
    MemorySegment segment = MemorySegment.ofArray(tokens);
    long[] labels = sequence.labels(tokens);
    float[] weights = sequence.lossWeights();
    long[] rebuilt = new long[length];
    for (int rank = 0; rank < plan.grid().size(); rank++) {
      long[] rows = Arrays.copyOfRange(permutation, rank * local, (rank + 1) * local);
      assertArrayEquals(
          rows,
          plan.shard(rank).stream()
              .flatMapToLong(range -> LongStream.range(range.begin(), range.end()))
              .toArray());
      for (boolean reset : new boolean[] {false, true}) {
        long[] ids = sequence.positionIds(reset);
        assertArrayEquals(pick(ids, rows), plan.positionIds(rank, reset));
        assertArrayEquals(pick(ids, rows), plan.gather(ids, rank));
      }
      assertArrayEquals(pick(labels, rows), plan.labels(rank, segment, TokenType.INT32));
      float[] localWeights = plan.lossWeights(rank);
      assertArrayEquals(plan.gather(weights, rank), localWeights);
      for (int i = 0; i < local; i++) {
        assertEquals(weights[(int) rows[i]], localWeights[i]);
      }
      plan.scatter(MemorySegment.ofArray(rows), 8, rank, MemorySegment.ofArray(rebuilt));
    }
    assertArrayEquals(LongStream.range(0, length).toArray(), rebuilt);
  }

  private static long[] pick(long[] values, long[] rows) {
    return LongStream.of(rows).map(row -> values[(int) row]).toArray();
  }

  @Test
  void sameInputsGiveTheSamePlan() {
    for (int i = 0; i < 200; i++) {
      ContextParallelPlan one = new RandomPlans(baseSeed + i).plan();
      ContextParallelPlan two = new RandomPlans(baseSeed + i).plan();
      assertArrayEquals(one.contentHash(), two.contentHash());
      for (int r = 0; r < one.grid().ringDegree(); r++) {
        assertEquals(one.steps(r), two.steps(r));
      }
    }
  }
}
