// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.AclException;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.support.Bench;
import io.github.cann4j.support.Close;
import io.github.cann4j.support.Seed;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("npu")
class RingAttentionUpdateTest {
  private static final int ROWS = 9;
  private static final int HEADS = 3;

  private Bench bench;
  private Random random;

  @BeforeEach
  void open() {
    bench = new Bench(0);
    random = Seed.random("RingAttentionUpdateTest");
  }

  @AfterEach
  void close() {
    bench.close();
  }

  /** Statistics with eight equal values per row; sums are positive. */
  private Tensor statistics(boolean sums, long... shape) {
    int rows = ROWS * HEADS;
    float[] values = new float[rows * 8];
    for (int row = 0; row < rows; row++) {
      float value = (float) (sums ? 0.1 + random.nextDouble(20) : 3 * random.nextGaussian());
      for (int copy = 0; copy < 8; copy++) {
        values[row * 8 + copy] = value;
      }
    }
    return bench.of(DataType.FLOAT, values, shape);
  }

  private RingAttentionUpdate.Builder operands(DataType type, long[] output, long[] statistics) {
    return RingAttentionUpdate.builder()
        .prevAttnOut(bench.normal(random, type, output))
        .prevSoftmaxMax(statistics(false, statistics))
        .prevSoftmaxSum(statistics(true, statistics))
        .curAttnOut(bench.normal(random, type, output))
        .curSoftmaxMax(statistics(false, statistics))
        .curSoftmaxSum(statistics(true, statistics))
        .attnOut(bench.garbage(type, output))
        .softmaxMax(bench.garbage(DataType.FLOAT, statistics))
        .softmaxSum(bench.garbage(DataType.FLOAT, statistics));
  }

  /** {@code row(h, i)} is the position of head h's row i among the statistics. */
  private interface Order {
    int row(int head, int step);
  }

  private void check(RingAttentionUpdate update, DataType type, int dim, Order order) {
    update.run(bench.stream, bench.workspace);
    float[][] in = {
      bench.floats(update.prevAttnOut()),
      bench.floats(update.prevSoftmaxMax()),
      bench.floats(update.prevSoftmaxSum()),
      bench.floats(update.curAttnOut()),
      bench.floats(update.curSoftmaxMax()),
      bench.floats(update.curSoftmaxSum())
    };
    double[] out = new double[ROWS * HEADS * dim];
    double[] max = new double[ROWS * HEADS * 8];
    double[] sum = new double[ROWS * HEADS * 8];
    for (int h = 0; h < HEADS; h++) {
      for (int i = 0; i < ROWS; i++) {
        int row = order.row(h, i) * 8;
        double m = Math.max(in[1][row], in[4][row]);
        double a = in[2][row] * Math.exp(in[1][row] - m);
        double b = in[5][row] * Math.exp(in[4][row] - m);
        for (int copy = 0; copy < 8; copy++) {
          max[row + copy] = m;
          sum[row + copy] = a + b;
        }
        for (int d = 0; d < dim; d++) {
          int at = (i * HEADS + h) * dim + d;
          out[at] = (in[0][at] * a + in[3][at] * b) / (a + b);
        }
      }
    }
    Close.forward(DataType.FLOAT, max, bench.floats(update.softmaxMax()), "max");
    Close.check(1e-4, 1e-5, sum, bench.floats(update.softmaxSum()), "sum");
    Close.forward(type, out, bench.floats(update.attnOut()), "out");
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT", "BF16", "FLOAT16"})
  void mergesSbh(DataType type) {
    int dim = 20;
    RingAttentionUpdate update =
        operands(type, new long[] {ROWS, 1, HEADS * dim}, new long[] {1, HEADS, ROWS, 8}).build();
    check(update, type, dim, (head, step) -> head * ROWS + step);
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT", "BF16"})
  void mergesTnd(DataType type) {
    int dim = 64;
    int first = 4;
    RingAttentionUpdate update =
        operands(type, new long[] {ROWS, HEADS, dim}, new long[] {ROWS, HEADS, 8})
            .inputLayout(Layout.TND)
            .actualSeqQLen(bench.longs(0, first, ROWS))
            .build();
    check(
        update,
        type,
        dim,
        (head, step) ->
            step < first
                ? head * first + step
                : first * HEADS + head * (ROWS - first) + step - first);
  }

  @Test
  void badArgumentsAreRefused() {
    long[] output = {ROWS, 1, HEADS * 20};
    long[] statistics = {1, HEADS, ROWS, 8};
    RingAttentionUpdate.Builder good = operands(DataType.FLOAT, output, statistics);
    refused(UnsupportedOperationException.class, good.inputLayout(Layout.BSND), "SBH", "BSND");
    good.inputLayout(Layout.SBH);
    refused(IllegalArgumentException.class, good.actualSeqQLen(bench.longs(0, ROWS)), "TND", "SBH");
    good.actualSeqQLen(null).build();

    RingAttentionUpdate.Builder mixed = operands(DataType.FLOAT, output, statistics);
    refused(
        IllegalArgumentException.class,
        mixed.curAttnOut(bench.garbage(DataType.BF16, output)),
        "one type");
    RingAttentionUpdate.Builder half = operands(DataType.FLOAT, output, statistics);
    refused(
        IllegalArgumentException.class,
        half.softmaxSum(bench.garbage(DataType.FLOAT, 1, HEADS, ROWS, 4)),
        "one shape");
    RingAttentionUpdate.Builder alias = operands(DataType.FLOAT, output, statistics);
    Tensor shared = bench.normal(random, DataType.FLOAT, output);
    refused(IllegalArgumentException.class, alias.prevAttnOut(shared).attnOut(shared), "overlap");
    RingAttentionUpdate.Builder tnd =
        operands(DataType.FLOAT, new long[] {ROWS, HEADS, 20}, new long[] {ROWS, HEADS, 8})
            .inputLayout(Layout.TND);
    refused(IllegalArgumentException.class, tnd, "actualSeqQLen");
    refused(
        UnsupportedOperationException.class,
        tnd.actualSeqQLen(bench.longs(0, ROWS)),
        "64",
        "20",
        "SBH");
  }

  private static void refused(
      Class<? extends RuntimeException> type,
      RingAttentionUpdate.Builder builder,
      String... words) {
    String message = assertThrows(type, builder::build).getMessage();
    for (String word : words) {
      assertTrue(message.contains(word), "'" + word + "' is not in: " + message);
    }
  }

  /** Only the device sees the values of the sequence ends, so the failure comes later. */
  @Test
  void asynchronousFailuresAppearWhenSynchronizing() {
    RingAttentionUpdate update =
        operands(DataType.FLOAT, new long[] {ROWS, HEADS, 64}, new long[] {ROWS, HEADS, 8})
            .inputLayout(Layout.TND)
            .actualSeqQLen(bench.longs(5, ROWS))
            .build();
    update.run(bench.stream, bench.workspace);
    AclException e = assertThrows(AclException.class, bench.stream::synchronize);
    assertEquals("aclrtSynchronizeStream", e.function());
    assertEquals("ACL_ERROR_RT_AICORE_EXCEPTION", e.codeName());
  }
}
