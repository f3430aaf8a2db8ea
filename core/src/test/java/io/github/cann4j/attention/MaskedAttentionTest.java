// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.AttentionMask;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.GeneralMask;
import io.github.cann4j.plan.RandomPlans;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.plan.Sharding;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.function.LongUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every mask on every grid, in every exchange pattern and sharding, forward and backward: the fp64
 * reference's results, and no byte more than what travels because a row is needed. Documents, head
 * counts, types and layouts are drawn.
 */
@Tag("npu")
class MaskedAttentionTest {
  private static final long ROWS = 240;

  private static final List<CpGrid> GRIDS =
      List.of(
          new CpGrid(1, 1),
          new CpGrid(2, 1),
          new CpGrid(3, 1),
          new CpGrid(4, 1),
          new CpGrid(8, 1),
          new CpGrid(1, 4),
          new CpGrid(2, 2),
          new CpGrid(4, 2));

  private static final List<PackedSequence> SEQUENCES =
      List.of(
          PackedSequence.ofLengths(ROWS),
          PackedSequence.ofLengths(1, 1, 37, 101, 1, 3, 65, 31),
          PackedSequence.ofLengths(200, 40),
          PackedSequence.ofLengths(30, 30, 30, 30, 30, 30, 30, 30),
          PackedSequence.ofLengths(new long[] {5, 80, 60}, ROWS),
          PackedSequence.ofLengths(new long[] {1}, ROWS));

  private static final List<AttentionConfig> CONFIGS =
      Stream.of(DataType.FLOAT, DataType.BF16, DataType.FLOAT16)
          .flatMap(
              type ->
                  Stream.of(
                      config(type, 4, 4, 16, 16, Layout.TND, 1),
                      config(type, 6, 2, 16, 16, Layout.TND, 1),
                      config(type, 4, 4, 48, 32, Layout.TND, 1), // D above Dv, as in MLA
                      config(type, 8, 4, 16, 16, Layout.BSND, 2)))
          .toList();

  private static AttentionConfig config(
      DataType type,
      int heads,
      int kvHeads,
      int headDim,
      int headDimV,
      Layout layout,
      int batchSize) {
    return AttentionConfig.builder()
        .heads(heads, kvHeads)
        .headDim(headDim, headDimV)
        .dataType(type)
        .layout(layout)
        .batchSize(batchSize)
        // Where one key of many decides, what half types round off the output shows in dq.
        .scale(0.1)
        .build();
  }

  private enum Masks {
    CAUSAL(_ -> AttentionMask.causal()),
    FULL(_ -> AttentionMask.full()),
    WINDOW_OF_ITSELF(_ -> AttentionMask.slidingWindow(0, 0)),
    WINDOW_OF_TWO(_ -> AttentionMask.slidingWindow(1, 0)),
    WINDOW(_ -> AttentionMask.slidingWindow(6, 0)),
    WINDOW_AHEAD(_ -> AttentionMask.slidingWindow(0, 5)),
    WINDOW_OF_BOTH_SIDES(_ -> AttentionMask.slidingWindow(3, 4)),
    WINDOW_LONGER_THAN_A_SHARD(_ -> AttentionMask.slidingWindow(90, 0)),
    WINDOW_LONGER_THAN_A_SHARD_ON_BOTH_SIDES(_ -> AttentionMask.slidingWindow(65, 70)),
    PREFIX_OF_NOTHING(s -> AttentionMask.prefix(new long[s.documentCount()])),
    PREFIX_OF_SOME(s -> prefix(s, length -> length / 3)),
    PREFIX_LONGER_THAN_A_SHARD(s -> prefix(s, length -> Math.min(length, 130))),
    PREFIX_OF_ALL(s -> prefix(s, length -> length)),
    BLOCKS(s -> general(blocks(s))),
    BLOCKS_FAR_APART(
        s -> general(GeneralMask.of(s.length(), (q, k) -> q / 50 == k / 50 + 1 || k / 7 == 3))),
    HOLES(s -> general(GeneralMask.of(s.length(), (q, k) -> (q * 7 + k * 5) % 11 < 5))),
    ROWS_WITHOUT_KEYS(
        s -> general(GeneralMask.of(s.length(), (q, k) -> q % 60 > 2 && q < 190 && k % 3 != 0))),
    NOTHING(s -> general(GeneralMask.builder(s.length()).build()));

    private final Function<PackedSequence, AttentionMask> mask;

    Masks(Function<PackedSequence, AttentionMask> mask) {
      this.mask = mask;
    }

    private static AttentionMask prefix(PackedSequence sequence, LongUnaryOperator ofLength) {
      return AttentionMask.prefix(
          IntStream.range(0, sequence.documentCount())
              .mapToLong(sequence::documentLength)
              .map(ofLength)
              .toArray());
    }

    private static AttentionMask general(GeneralMask pattern) {
      return AttentionMask.general(pattern);
    }

    /** Overlapping rectangles and triangles. */
    private static GeneralMask blocks(PackedSequence sequence) {
      Random random = new Random(sequence.documentCount());
      GeneralMask.Builder builder = GeneralMask.builder(sequence.length());
      for (int i = 0; i < 12; i++) {
        RowRange queries = rows(random, sequence.length());
        builder.allow(queries, rows(random, sequence.length()));
        builder.allowCausal(rows(random, sequence.length()), rows(random, sequence.length()));
      }
      return builder.build();
    }

    private static RowRange rows(Random random, long end) {
      long begin = random.nextLong(end);
      return new RowRange(begin, Math.min(end, begin + 1 + random.nextLong(60)));
    }
  }

  record Case(
      Masks mask,
      CpGrid grid,
      Sharding sharding,
      ExchangePattern pattern,
      PackedSequence sequence,
      AttentionConfig config,
      long maxPairs) {}

  static List<Case> cases() {
    long seed = Long.getLong("cann4j.test.seed", System.nanoTime());
    System.out.println("MaskedAttentionTest: -Dcann4j.test.seed=" + seed);
    Random random = new Random(seed);
    List<Case> cases = new ArrayList<>();
    Sharding[] shardings = Sharding.values();
    int turn = 0;
    for (Masks mask : Masks.values()) {
      for (CpGrid grid : GRIDS) {
        turn++;
        for (ExchangePattern pattern : ExchangePattern.values()) {
          // One pattern in turn; where nothing travels, always the same.
          if (grid.ringDegree() == 1
              ? pattern != ExchangePattern.DIRECT
              : (turn + pattern.ordinal()) % 3 != 0) {
            continue;
          }
          cases.add(
              new Case(
                  mask,
                  grid,
                  shardings[(mask.ordinal() + turn + pattern.ordinal()) % shardings.length],
                  pattern,
                  SEQUENCES.get(random.nextInt(SEQUENCES.size())),
                  CONFIGS.get(random.nextInt(CONFIGS.size())),
                  random.nextInt(4) == 0 ? ROWS + random.nextLong(600) : Long.MAX_VALUE));
        }
      }
    }
    return cases;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void equalsReferenceAndSendsWhatIsNeeded(Case c) throws Exception {
    AttentionMask mask = c.mask().mask.apply(c.sequence());
    ContextParallelPlan plan =
        ContextParallelPlan.builder(c.sequence(), c.grid())
            .mask(mask)
            .sharding(c.sharding())
            .pattern(c.pattern())
            .maxPairsPerCall(c.maxPairs())
            .build();
    ContextParallelAttentionTest.checkAgainstReferenceAndOneDevice(
        new AttentionCase(c.sequence(), mask, c.config(), 17), plan);
    if (c.pattern() != ExchangePattern.RING) {
      assertEquals(
          neededRows(plan),
          IntStream.range(0, c.grid().ringDegree()).mapToLong(plan::forwardRowsSent).sum(),
          "rows sent");
    }
  }

  /** Rows of other ring ranks that a query of a ring rank sees, over all ring ranks. */
  private static long neededRows(ContextParallelPlan plan) {
    long needed = 0;
    for (int rank = 0; rank < plan.grid().ringDegree(); rank++) {
      List<RowRange> own = plan.ringShard(rank);
      needed +=
          LongStream.range(0, plan.sequence().length())
              .filter(key -> own.stream().noneMatch(rows -> rows.contains(key)))
              .filter(
                  key ->
                      own.stream()
                          .flatMapToLong(rows -> LongStream.range(rows.begin(), rows.end()))
                          .anyMatch(q -> RandomPlans.allows(plan.sequence(), plan.mask(), q, key)))
              .count();
    }
    return needed;
  }
}
