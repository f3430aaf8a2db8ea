// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
class MatrixOpsTest {
  private Bench bench;
  private Random random;

  @BeforeEach
  void open() {
    bench = new Bench(6);
    random = Seed.random("MatrixOpsTest");
  }

  @AfterEach
  void close() {
    bench.close();
  }

  private static double[] product(float[] a, float[] b, int m, int k, int n) {
    double[] c = new double[m * n];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        for (int x = 0; x < k; x++) {
          c[i * n + j] += (double) a[i * k + x] * b[x * n + j];
        }
      }
    }
    return c;
  }

  @ParameterizedTest
  @EnumSource(
      value = DataType.class,
      names = {"FLOAT", "BF16", "FLOAT16"})
  void products(DataType type) {
    Tensor a = bench.normal(random, type, 5, 19);
    Tensor b = bench.normal(random, type, 19, 7);
    Tensor c = bench.garbage(type, 5, 7);
    double[] expected = product(bench.floats(a), bench.floats(b), 5, 19, 7);
    MatrixOps.mm(a, b, c, CubeMathType.KEEP_DTYPE, bench.stream, bench.workspace);
    Close.check(3e-2, 1e-2, expected, bench.floats(c), "mm");
    Tensor again = bench.garbage(type, 5, 7);
    MatrixOps.matmul(a, b, again, CubeMathType.KEEP_DTYPE, bench.stream, bench.workspace);
    Close.check(3e-2, 1e-2, expected, bench.floats(again), "matmul");
    Tensor transposed = bench.garbage(type, 7, 19);
    TensorOps.permute(b, new int[] {1, 0}, transposed, bench.stream, bench.workspace);
    MatrixOps.mm(
        a, transposed.permute(1, 0), again, CubeMathType.KEEP_DTYPE, bench.stream, bench.workspace);
    Close.check(3e-2, 1e-2, expected, bench.floats(again), "a transposed view");
  }

  @Test
  void batchesBroadcast() {
    Tensor a = bench.normal(random, DataType.FLOAT, 2, 1, 3, 4);
    Tensor b = bench.normal(random, DataType.FLOAT, 5, 4, 6);
    Tensor c = bench.garbage(DataType.FLOAT, 2, 5, 3, 6);
    MatrixOps.matmul(a, b, c, CubeMathType.KEEP_DTYPE, bench.stream, bench.workspace);
    float[] result = bench.floats(c);
    for (int i = 0; i < 2; i++) {
      for (int j = 0; j < 5; j++) {
        double[] expected =
            product(
                java.util.Arrays.copyOfRange(bench.floats(a), i * 12, i * 12 + 12),
                java.util.Arrays.copyOfRange(bench.floats(b), j * 24, j * 24 + 24),
                3,
                4,
                6);
        for (int x = 0; x < 18; x++) {
          assertEquals(expected[x], result[(i * 5 + j) * 18 + x], 1e-5);
        }
      }
    }
    Tensor batches = bench.normal(random, DataType.FLOAT, 5, 3, 4);
    Tensor out = bench.garbage(DataType.FLOAT, 5, 3, 6);
    MatrixOps.batchMatMul(batches, b, out, CubeMathType.KEEP_DTYPE, bench.stream, bench.workspace);
    assertEquals(5 * 18, bench.floats(out).length);
    assertEquals(
        product(bench.floats(batches), bench.floats(b), 3, 4, 6)[7], bench.floats(out)[7], 1e-5);
  }

  @Test
  void operandsMustFit() {
    Tensor a = bench.garbage(DataType.FLOAT, 5, 19);
    Tensor b = bench.garbage(DataType.FLOAT, 18, 7);
    Tensor c = bench.garbage(DataType.FLOAT, 5, 7);
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> MatrixOps.mm(a, b, c, CubeMathType.KEEP_DTYPE, bench.stream, bench.workspace))
            .getMessage();
    assertTrue(message.contains("19") && message.contains("18"), message);
  }

  @Test
  void reductions() {
    Tensor x = bench.normal(random, DataType.FLOAT, 3, 4, 5);
    float[] in = bench.floats(x);
    Tensor sums = bench.garbage(DataType.FLOAT, 4);
    ReductionOps.reduceSum(x, new int[] {0, -1}, false, sums, bench.stream, bench.workspace);
    Tensor logs = bench.garbage(DataType.FLOAT, 3, 4, 1);
    ReductionOps.logSumExp(x, new int[] {2}, true, logs, bench.stream, bench.workspace);
    Tensor softmax = bench.garbage(DataType.FLOAT, 3, 4, 5);
    ReductionOps.softmax(x, -1, softmax, bench.stream, bench.workspace);
    double[] expectedSums = new double[4];
    double[] expectedLogs = new double[12];
    for (int i = 0; i < in.length; i++) {
      expectedSums[i / 5 % 4] += in[i];
      expectedLogs[i / 5] += Math.exp(in[i]);
    }
    double[] expectedSoftmax = new double[60];
    for (int i = 0; i < 60; i++) {
      expectedSoftmax[i] = Math.exp(in[i]) / expectedLogs[i / 5];
    }
    for (int i = 0; i < 12; i++) {
      expectedLogs[i] = Math.log(expectedLogs[i]);
    }
    Close.forward(DataType.FLOAT, expectedSums, bench.floats(sums), "sums");
    Close.forward(DataType.FLOAT, expectedLogs, bench.floats(logs), "logs");
    Close.forward(DataType.FLOAT, expectedSoftmax, bench.floats(softmax), "softmax");
    assertThrows(
        IllegalArgumentException.class,
        () ->
            ReductionOps.reduceSum(
                x, new int[] {2, -1}, false, sums, bench.stream, bench.workspace));
  }
}
