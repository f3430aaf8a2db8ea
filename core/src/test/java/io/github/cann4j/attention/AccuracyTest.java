// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static io.github.cann4j.attention.ContextParallelAttentionTest.rmse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What splitting adds to the rounding errors of bf16, on up to 16 ranks, as RMSE over that of one
 * device. A gradient of one device has two roundings, of its kernel's operands and of the result;
 * the sum of several kernels' parts has one more: √(3/2) where rounding is all the error there is.
 */
@Tag("npu")
class AccuracyTest {
  private static final double MOST = 1.25;
  private static final String[] NAMES = {"out", "dq", "dk", "dv"};

  private static AttentionCase problem;
  private static List<double[]> exact;
  private static AttentionCase.Results one;

  @BeforeAll
  static void onOneDevice() throws Exception {
    AttentionConfig config =
        AttentionConfig.builder().heads(16, 16).headDim(32).dataType(DataType.BF16).build();
    problem = new AttentionCase(PackedSequence.ofLengths(500, 37, 231), config, 3);
    exact = problem.reference();
    one = problem.run(problem.plan(new CpGrid(1, 1)), 1);
  }

  @ParameterizedTest(name = "{0} ring ranks of {1}")
  @CsvSource({"2,1", "4,1", "8,1", "16,1", "1,2", "1,4", "1,8", "1,16", "2,2", "4,2", "4,4", "8,2"})
  void splittingAddsNoError(int ring, int ulysses) throws Exception {
    check(problem.plan(new CpGrid(ring, ulysses)));
  }

  @ParameterizedTest
  @EnumSource
  void norDoesAnyExchange(ExchangePattern pattern) throws Exception {
    for (int ranks : new int[] {4, 16}) {
      check(
          ContextParallelPlan.builder(problem.sequence, new CpGrid(ranks, 1))
              .pattern(pattern)
              .build());
    }
  }

  private static void check(ContextParallelPlan plan) throws Exception {
    AttentionCase.Results split = problem.run(plan, 1);
    for (int i = 0; i < NAMES.length; i++) {
      double error = rmse(exact.get(i), split.all().get(i));
      double single = rmse(exact.get(i), one.all().get(i));
      double most = plan.grid().ringDegree() == 1 ? 1.01 : MOST;
      assertTrue(
          error <= most * single,
          "%s: RMSE %g over ranks is %.3f of %g on one device, more than %.2f"
              .formatted(NAMES[i], error, error / single, single, most));
    }
  }
}
