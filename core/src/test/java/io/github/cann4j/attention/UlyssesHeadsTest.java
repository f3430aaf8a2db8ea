// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Head counts that the Ulysses degree does not divide, against the fp64 reference and one device.
 */
@Tag("npu")
class UlyssesHeadsTest {
  private static final CpGrid ONE = new CpGrid(1, 1);

  private static final List<CpGrid> GRIDS =
      List.of(
          new CpGrid(1, 2),
          new CpGrid(1, 3),
          new CpGrid(1, 4),
          new CpGrid(2, 3),
          new CpGrid(3, 2),
          new CpGrid(2, 4));

  private static final int[][] HEADS = {{5, 5}, {6, 2}, {7, 1}, {12, 3}, {8, 2}, {4, 4}, {15, 5}};

  private static final PackedSequence PACKED =
      PackedSequence.ofLengths(1, 1, 37, 101, 1, 3, 65, 31);
  private static final PackedSequence PADDED =
      PackedSequence.ofLengths(new long[] {5, 80, 60}, 240);

  record Case(PackedSequence sequence, CpGrid grid, AttentionConfig config) {}

  static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (CpGrid grid : GRIDS) {
      for (int[] heads : HEADS) {
        cases.add(new Case(PACKED, grid, config(heads, 16, 16, DataType.FLOAT, Layout.TND, 1)));
        cases.add(new Case(PADDED, grid, config(heads, 16, 16, DataType.BF16, Layout.TND, 1)));
      }
      int[] heads = {6, 2};
      cases.add(new Case(PACKED, grid, config(heads, 24, 16, DataType.FLOAT, Layout.BSND, 2)));
      cases.add(new Case(PADDED, grid, config(heads, 48, 32, DataType.BF16, Layout.BSND, 3)));
      cases.add(new Case(PACKED, grid, config(heads, 16, 16, DataType.FLOAT16, Layout.TND, 1)));
      int[] runs = {15, 5};
      cases.add(new Case(PACKED, grid, config(runs, 48, 32, DataType.FLOAT16, Layout.BSND, 2)));
      cases.add(new Case(PADDED, grid, config(runs, 192, 128, DataType.BF16, Layout.TND, 1)));
    }
    cases.add(
        new Case(
            PACKED,
            new CpGrid(1, 3),
            config(new int[] {3, 3}, 16, 16, DataType.FLOAT, Layout.TND, 1)));
    cases.add(
        new Case(
            PACKED,
            new CpGrid(1, 8),
            config(new int[] {32, 1}, 16, 16, DataType.BF16, Layout.TND, 1)));
    return cases;
  }

  private static AttentionConfig config(
      int[] heads, int dim, int dimV, DataType type, Layout layout, int batch) {
    return AttentionConfig.builder()
        .heads(heads[0], heads[1])
        .headDim(dim, dimV)
        .dataType(type)
        .layout(layout)
        .batchSize(batch)
        .build();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void equalsReferenceAndOneDevice(Case c) throws Exception {
    AttentionCase problem = new AttentionCase(c.sequence(), c.config(), 7);
    ContextParallelAttentionTest.checkAgainstReferenceAndOneDevice(problem, problem.plan(c.grid()));
  }

  @ParameterizedTest
  @EnumSource
  void everyPatternGivesTheSame(ExchangePattern pattern) throws Exception {
    for (DataType type : List.of(DataType.FLOAT, DataType.BF16)) {
      AttentionCase problem =
          new AttentionCase(PACKED, config(new int[] {15, 5}, 16, 16, type, Layout.BSND, 2), 3);
      ContextParallelAttentionTest.checkAgainstReferenceAndOneDevice(
          problem, ContextParallelPlan.builder(PACKED, new CpGrid(2, 3)).pattern(pattern).build());
    }
  }

  @ParameterizedTest
  @CsvSource({"8, 4, 2", "8, 8, 4", "5, 5, 3", "7, 7, 2", "6, 3, 3", "5, 5, 2"})
  void wholeGroupsGiveTheBitsOfOneDevice(int heads, int kvHeads, int degree) throws Exception {
    checkBits(new int[] {heads, kvHeads}, degree, 4);
  }

  /**
   * Output and dq belong to one query head, so that they do not depend on who else has its kv head.
   */
  @ParameterizedTest
  @CsvSource({"8, 2, 4", "7, 1, 3", "10, 5, 4", "15, 5, 3"})
  void partsOfGroupsGiveTheBitsOfOneDeviceInOutputAndQueryGradient(
      int heads, int kvHeads, int degree) throws Exception {
    checkBits(new int[] {heads, kvHeads}, degree, 2);
  }

  private static void checkBits(int[] heads, int degree, int results) throws Exception {
    for (DataType type : List.of(DataType.FLOAT, DataType.BF16, DataType.FLOAT16)) {
      AttentionCase problem =
          new AttentionCase(PADDED, config(heads, 16, 16, type, Layout.TND, 1), 5);
      List<float[]> one = problem.run(problem.plan(ONE), 1).all();
      List<float[]> split = problem.run(problem.plan(new CpGrid(1, degree)), 1).all();
      for (int i = 0; i < results; i++) {
        assertArrayEquals(one.get(i), split.get(i), type + ", result " + i);
      }
    }
  }

  @Test
  void repeatedRunsGiveTheSameBits() throws Exception {
    AttentionCase problem =
        new AttentionCase(
            PACKED, config(new int[] {15, 5}, 16, 16, DataType.BF16, Layout.TND, 1), 13);
    ContextParallelPlan plan = problem.plan(new CpGrid(2, 3));
    List<float[]> once = problem.run(plan, 1).all();
    List<float[]> again = problem.run(plan, 5).all();
    for (int i = 0; i < once.size(); i++) {
      assertArrayEquals(once.get(i), again.get(i));
    }
  }

  /**
   * One kv head for all query heads: 8 ranks take it whole, and 7 eighths of the query heads leave
   * each rank.
   */
  @Test
  void kvHeadsGoOnlyToRanksThatNeedThem() throws Exception {
    long rows = 240;
    long row = rows * 16 * 4;
    assertEquals(row * (4 * 32 * 7 / 8 + 4 * 7), sent(new int[] {32, 1}, new CpGrid(1, 8)));
    // Two of four ranks need each kv head: one of them gives it to the other, the others to both.
    assertEquals(
        row * (4 * 8 * 3 / 4 + 4 * (2 * 1 + 2 * 2) / 4 * 2),
        sent(new int[] {8, 2}, new CpGrid(1, 4)));
  }

  private static long sent(int[] heads, CpGrid grid) throws Exception {
    AttentionCase problem =
        new AttentionCase(PACKED, config(heads, 16, 16, DataType.FLOAT, Layout.TND, 1), 1);
    return problem.run(problem.plan(grid), 1).bytesSent();
  }
}
