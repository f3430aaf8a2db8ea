// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

class PlanCacheTest {
  private static ContextParallelPlan.Builder builder(long... lengths) {
    return ContextParallelPlan.builder(PackedSequence.ofLengths(lengths), CpGrid.ring(2));
  }

  @Test
  void equalContentGivesTheSamePlan() {
    PlanCache cache = new PlanCache(4);
    ContextParallelPlan plan = cache.get(builder(3, 5).mask(AttentionMask.prefix(1, 2)));
    assertSame(plan, cache.get(builder(3, 5).mask(AttentionMask.prefix(1, 2))));
    assertArrayEquals(
        builder(3, 5).mask(AttentionMask.prefix(1, 2)).build().contentHash(), plan.contentHash());
    assertEquals(1, cache.size());
    cache.clear();
    assertNotSame(plan, cache.get(builder(3, 5).mask(AttentionMask.prefix(1, 2))));
  }

  @Test
  void whateverDeterminesAPlanTellsItFromOthers() {
    PackedSequence sequence = PackedSequence.ofLengths(3, 5);
    List<ContextParallelPlan.Builder> builders =
        List.of(
            builder(3, 5),
            builder(5, 3),
            ContextParallelPlan.builder(
                PackedSequence.ofLengths(new long[] {3, 4}, 8), CpGrid.ring(2)),
            ContextParallelPlan.builder(sequence, CpGrid.ring(4)),
            ContextParallelPlan.builder(sequence, CpGrid.ulysses(2)),
            builder(3, 5).mask(AttentionMask.full()),
            builder(3, 5).mask(AttentionMask.slidingWindow(1, 0)),
            builder(3, 5).mask(AttentionMask.prefix(0, 1)),
            builder(3, 5).mask(AttentionMask.prefix(1, 0)),
            builder(3, 5)
                .mask(AttentionMask.general(GeneralMask.of(8, (query, key) -> key <= query))),
            builder(3, 5).mask(AttentionMask.general(GeneralMask.of(8, (query, key) -> true))),
            builder(3, 5).sharding(Sharding.BALANCED),
            builder(3, 5).pattern(ExchangePattern.RING),
            builder(3, 5).maxSequencesPerCall(1),
            builder(3, 5).maxPairsPerCall(40));
    PlanCache cache = new PlanCache(builders.size());
    List<ContextParallelPlan> plans = builders.stream().map(cache::get).toList();
    assertEquals(builders.size(), cache.size());
    assertEquals(plans, builders.stream().map(cache::get).toList());
    assertEquals(builders.size(), plans.stream().distinct().count());
  }

  @Test
  void thePlanThatWasNotUsedForLongestGoes() {
    PlanCache cache = new PlanCache(2);
    ContextParallelPlan first = cache.get(builder(8));
    ContextParallelPlan second = cache.get(builder(1, 7));
    assertSame(first, cache.get(builder(8)));
    cache.get(builder(2, 6));
    assertEquals(2, cache.size());
    assertSame(first, cache.get(builder(8)));
    assertNotSame(second, cache.get(builder(1, 7)));
  }

  @Test
  void failuresAreNotKept() {
    PlanCache cache = new PlanCache(2);
    for (int i = 0; i < 2; i++) {
      assertThrows(IllegalArgumentException.class, () -> cache.get(builder(7)));
      assertEquals(0, cache.size());
    }
    assertThrows(IllegalArgumentException.class, () -> new PlanCache(0));
  }

  @Test
  void threadsThatAskTogetherGetTheSamePlan() throws Exception {
    int threads = 8;
    CyclicBarrier together = new CyclicBarrier(threads);
    for (int round = 1; round <= 20; round++) {
      PlanCache cache = new PlanCache(1);
      int length = 1024 * round;
      List<Callable<ContextParallelPlan>> asks = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        asks.add(
            () -> {
              together.await();
              return cache.get(builder(length, length).sharding(Sharding.BALANCED));
            });
      }
      try (var pool = Executors.newFixedThreadPool(threads)) {
        ContextParallelPlan plan = null;
        for (var answer : pool.invokeAll(asks)) {
          plan = plan == null ? answer.get() : plan;
          assertSame(plan, answer.get());
        }
      }
    }
  }
}
