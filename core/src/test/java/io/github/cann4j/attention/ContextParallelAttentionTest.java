// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.Sharding;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Ring, Ulysses and hybrid attention against the fp64 reference and against one device. */
@Tag("npu")
class ContextParallelAttentionTest {
  private static final String[] NAMES = {"out", "dq", "dk", "dv"};

  private static final List<CpGrid> GRIDS =
      List.of(
          new CpGrid(1, 1),
          new CpGrid(2, 1),
          new CpGrid(3, 1),
          new CpGrid(4, 1),
          new CpGrid(8, 1),
          new CpGrid(1, 2),
          new CpGrid(1, 4),
          new CpGrid(2, 2),
          new CpGrid(4, 2),
          new CpGrid(2, 4),
          new CpGrid(3, 2));

  /** 240 rows, which every size above divides. */
  private static final List<PackedSequence> SEQUENCES =
      List.of(
          PackedSequence.ofLengths(240),
          PackedSequence.ofLengths(1, 1, 37, 101, 1, 3, 65, 31),
          PackedSequence.ofLengths(200, 40),
          PackedSequence.ofLengths(30, 30, 30, 30, 30, 30, 30, 30),
          PackedSequence.ofLengths(new long[] {5, 80, 60}, 240),
          PackedSequence.ofLengths(new long[] {1}, 240));

  record Case(PackedSequence sequence, CpGrid grid, AttentionConfig config) {}

  static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (CpGrid grid : GRIDS) {
      for (int i = 0; i < SEQUENCES.size(); i++) {
        // Each type meets both on every grid.
        int kvHeads = i % 2 == 0 ? 8 : 4;
        for (DataType type : List.of(DataType.FLOAT, DataType.BF16)) {
          cases.add(new Case(SEQUENCES.get(i), grid, config(type, 8, kvHeads, Layout.TND, 1)));
          kvHeads = 12 - kvHeads;
        }
      }
      cases.add(new Case(SEQUENCES.getFirst(), grid, config(DataType.FLOAT, 8, 4, Layout.BSND, 2)));
      cases.add(new Case(SEQUENCES.get(4), grid, config(DataType.BF16, 8, 4, Layout.BSND, 3)));
      cases.add(new Case(SEQUENCES.get(1), grid, config(DataType.FLOAT16, 8, 4, Layout.TND, 1)));
    }
    cases.add(
        new Case(SEQUENCES.get(1), new CpGrid(1, 8), config(DataType.FLOAT, 8, 8, Layout.TND, 1)));
    cases.add(
        new Case(SEQUENCES.get(2), new CpGrid(1, 3), config(DataType.BF16, 6, 3, Layout.BSND, 2)));
    cases.add(
        new Case(
            SEQUENCES.get(1),
            new CpGrid(2, 2),
            AttentionConfig.builder()
                .heads(4, 2)
                .headDim(24, 16)
                .dataType(DataType.FLOAT)
                .build()));
    return cases;
  }

  static AttentionConfig config(
      DataType type, int heads, int kvHeads, Layout layout, int batchSize) {
    return AttentionConfig.builder()
        .heads(heads, kvHeads)
        .headDim(16)
        .dataType(type)
        .layout(layout)
        .batchSize(batchSize)
        .build();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void equalsReferenceAndOneDevice(Case c) throws Exception {
    AttentionCase problem = new AttentionCase(c.sequence(), c.config(), 7);
    checkAgainstReferenceAndOneDevice(problem, problem.plan(c.grid()));
  }

  private static final double RMSE_LIMIT = 2; // as a multiple of that of one device

  /**
   * Compares results, in half types also their RMSE with that of one device, and the bytes at the
   * communicators.
   */
  static void checkAgainstReferenceAndOneDevice(AttentionCase problem, ContextParallelPlan plan)
      throws Exception {
    DataType type = problem.config.dataType();
    AttentionCase.Results results = problem.run(plan, 1);
    List<double[]> expected = problem.reference();
    Tolerance.of(type).check(expected, results);
    if (type != DataType.FLOAT && plan.grid().size() > 1) {
      AttentionCase.Results one = problem.run(problem.plan(new CpGrid(1, 1)), 1);
      for (int i = 0; i < NAMES.length; i++) {
        double single = rmse(expected.get(i), one.all().get(i));
        double split = rmse(expected.get(i), results.all().get(i));
        assertTrue(
            split <= RMSE_LIMIT * single,
            "%s: RMSE %g over ranks, %g on one device".formatted(NAMES[i], split, single));
      }
    }
    assertEquals(plannedBytes(plan, problem.config), results.bytesSent(), "bytes sent");
  }

  static List<Case> ringCases() {
    List<Case> cases = new ArrayList<>();
    for (CpGrid grid : List.of(new CpGrid(3, 1), new CpGrid(4, 2))) {
      for (PackedSequence sequence : SEQUENCES) {
        cases.add(new Case(sequence, grid, config(DataType.FLOAT, 4, 2, Layout.TND, 1)));
      }
      cases.add(new Case(SEQUENCES.get(2), grid, config(DataType.BF16, 4, 2, Layout.BSND, 2)));
    }
    return cases;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("ringCases")
  void otherShardingsPatternsAndLimitsGiveTheSame(Case c) throws Exception {
    AttentionCase problem = new AttentionCase(c.sequence(), c.config(), 11);
    List<double[]> expected = problem.reference();
    Tolerance tolerance = Tolerance.of(c.config().dataType());
    for (Sharding sharding : Sharding.values()) {
      for (ExchangePattern pattern : ExchangePattern.values()) {
        // Every second combination, so that each sharding and each pattern meets both.
        boolean limited = (sharding.ordinal() + pattern.ordinal()) % 2 == 0;
        ContextParallelPlan plan =
            ContextParallelPlan.builder(c.sequence(), c.grid())
                .sharding(sharding)
                .pattern(pattern)
                .maxPairsPerCall(limited ? 300 : Long.MAX_VALUE)
                .maxSequencesPerCall(limited ? 2 : 2048)
                .build();
        tolerance.check(expected, problem.run(plan, 1));
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void repeatedRunsGiveTheSameBits(ExchangePattern pattern) throws Exception {
    AttentionCase problem =
        new AttentionCase(SEQUENCES.get(1), config(DataType.BF16, 8, 4, Layout.TND, 1), 13);
    for (CpGrid grid : List.of(new CpGrid(2, 2), new CpGrid(4, 1), new CpGrid(1, 3))) {
      ContextParallelPlan plan =
          ContextParallelPlan.builder(problem.sequence, grid)
              .sharding(Sharding.BALANCED)
              .pattern(pattern)
              .build();
      AttentionCase.Results once = problem.run(plan, 1);
      AttentionCase.Results again = problem.run(plan, 3);
      for (int i = 0; i < NAMES.length; i++) {
        assertArrayEquals(once.all().get(i), again.all().get(i), NAMES[i] + " on " + grid);
      }
    }
  }

  /** Bytes over all ranks of one forward and backward. */
  private static long plannedBytes(ContextParallelPlan plan, AttentionConfig config) {
    CpGrid grid = plan.grid();
    int elementBytes = config.dataType().byteSize();
    // Kv heads, counted once for each Ulysses rank that needs them.
    HeadSplit split = new HeadSplit(config.heads(), config.kvHeads(), grid.ulyssesDegree());
    long kvHeads = 0;
    for (int i = 0; i < split.exchanges(); i++) {
      kvHeads += split.keys(i).total();
    }
    long kvRow = kvHeads * (config.headDim() + config.headDimV()) * elementBytes;
    // Sums that travel from rank to rank are fp32.
    long gradientRow =
        plan.pattern() == ExchangePattern.DIRECT ? kvRow : kvRow / elementBytes * Float.BYTES;
    long queryRow = (long) config.heads() * (config.headDim() + config.headDimV()) * elementBytes;
    long bytes = 0;
    for (int rank = 0; rank < grid.ringDegree(); rank++) {
      // Every Ulysses rank sends its share of the heads.
      bytes += plan.forwardBytesSent(rank, kvRow);
      bytes += plan.backwardBytesSent(rank, kvRow, gradientRow);
    }
    long ulysses = grid.ulyssesDegree();
    long moved = plan.sequence().length() * (2 * kvRow + 2 * queryRow);
    return config.batchSize() * (bytes + moved * (ulysses - 1) / ulysses);
  }

  static double rmse(double[] expected, float[] actual) {
    double sum = 0;
    for (int i = 0; i < actual.length; i++) {
      double difference = actual[i] - expected[i];
      sum += difference * difference;
    }
    return Math.sqrt(sum / actual.length);
  }

  /** |error| ≤ atol + rtol·|reference|. */
  record Tolerance(double atol, double gradientAtol, double rtol) {
    static Tolerance of(DataType type) {
      return switch (type) {
        case FLOAT -> new Tolerance(2e-5, 1e-4, 1e-5);
        case FLOAT16 -> new Tolerance(5e-3, 5e-3, 1.0 / 1024);
        default -> new Tolerance(2.5e-2, 2.5e-2, 1.0 / 128);
      };
    }

    void check(List<double[]> expected, AttentionCase.Results results) {
      for (int i = 0; i < NAMES.length; i++) {
        double[] reference = expected.get(i);
        float[] actual = results.all().get(i);
        for (int j = 0; j < actual.length; j++) {
          double limit = (i == 0 ? atol : gradientAtol) + rtol * Math.abs(reference[j]);
          if (!(Math.abs(actual[j] - reference[j]) <= limit)) {
            throw new AssertionError(
                "%s[%d] is %s, should be %s ± %s"
                    .formatted(NAMES[i], j, actual[j], reference[j], limit));
          }
        }
      }
    }
  }
}
