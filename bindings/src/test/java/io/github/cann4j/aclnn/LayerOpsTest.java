// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.support.Bench;
import io.github.cann4j.support.Close;
import io.github.cann4j.support.Seed;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("npu")
class LayerOpsTest {
  private Bench bench;
  private Random random;

  @BeforeEach
  void open() {
    bench = new Bench(6);
    random = Seed.random("LayerOpsTest");
  }

  @AfterEach
  void close() {
    bench.close();
  }

  @Test
  void rmsNorm() {
    int rows = 5;
    int width = 33;
    Tensor x = bench.normal(random, DataType.FLOAT, rows, width);
    Tensor gamma = bench.normal(random, DataType.FLOAT, width);
    Tensor y = bench.garbage(DataType.FLOAT, rows, width);
    Tensor rstd = bench.garbage(DataType.FLOAT, rows, 1);
    LayerOps.rmsNorm(x, gamma, 1e-5, y, rstd, bench.stream, bench.workspace);
    float[] in = bench.floats(x);
    float[] factors = bench.floats(gamma);
    double[] expected = new double[in.length];
    double[] inverse = new double[rows];
    for (int r = 0; r < rows; r++) {
      double squares = 0;
      for (int c = 0; c < width; c++) {
        squares += (double) in[r * width + c] * in[r * width + c];
      }
      inverse[r] = 1 / Math.sqrt(squares / width + 1e-5);
      for (int c = 0; c < width; c++) {
        expected[r * width + c] = in[r * width + c] * inverse[r] * factors[c];
      }
    }
    Close.forward(DataType.FLOAT, expected, bench.floats(y), "y");
    Close.forward(DataType.FLOAT, inverse, bench.floats(rstd), "rstd");
  }

  @Test
  void gatedActivation() {
    Tensor x = bench.normal(random, DataType.FLOAT, 3, 10);
    Tensor out = bench.garbage(DataType.FLOAT, 3, 5);
    LayerOps.swiGlu(x, -1, out, bench.stream, bench.workspace);
    float[] in = bench.floats(x);
    double[] expected = new double[15];
    for (int i = 0; i < 15; i++) {
      double a = in[i / 5 * 10 + i % 5];
      expected[i] = a / (1 + Math.exp(-a)) * in[i / 5 * 10 + 5 + i % 5];
    }
    Close.forward(DataType.FLOAT, expected, bench.floats(out), "out");
    assertThrows(
        IllegalArgumentException.class,
        () -> LayerOps.swiGlu(out, 1, x, bench.stream, bench.workspace));
  }

  @Test
  void crossEntropyAndItsGradient() {
    int rows = 4;
    int classes = 7;
    Tensor logits = bench.normal(random, DataType.FLOAT, rows, classes);
    long[] targets = {3, -100, 0, 6};
    Tensor target = bench.longs(targets);
    Tensor loss = bench.garbage(DataType.FLOAT, 1);
    Tensor logProb = bench.garbage(DataType.FLOAT, rows, classes);
    LayerOps.crossEntropyLoss(
        logits, target, Reduction.MEAN, -100, 0, loss, logProb, bench.stream, bench.workspace);
    float[] in = bench.floats(logits);
    double[] expectedLog = new double[in.length];
    double[] expectedGrad = new double[in.length];
    double total = 0;
    for (int r = 0; r < rows; r++) {
      double sum = 0;
      for (int c = 0; c < classes; c++) {
        sum += Math.exp(in[r * classes + c]);
      }
      for (int c = 0; c < classes; c++) {
        double p = in[r * classes + c] - Math.log(sum);
        expectedLog[r * classes + c] = p;
        if (targets[r] >= 0) {
          total -= c == targets[r] ? p : 0;
          expectedGrad[r * classes + c] = (Math.exp(p) - (c == targets[r] ? 1 : 0)) / 3 * 2;
        }
      }
    }
    assertEquals(total / 3, bench.floats(loss)[0], 1e-5);
    Close.forward(DataType.FLOAT, expectedLog, bench.floats(logProb), "logProb");
    Tensor gradLoss = bench.of(DataType.FLOAT, new float[] {2}, 1);
    Tensor grad = bench.garbage(DataType.FLOAT, rows, classes);
    LayerOps.crossEntropyLossGrad(
        gradLoss, logProb, target, Reduction.MEAN, -100, 0, grad, bench.stream, bench.workspace);
    Close.gradient(DataType.FLOAT, expectedGrad, bench.floats(grad), "grad");
  }

  @Test
  void dropoutMasksRepeatAndKeepTheirShare() {
    int elements = 100_000;
    Tensor mask = bench.garbage(DataType.UINT8, LayerOps.dropoutMaskBytes(elements));
    byte[][] drawn = new byte[3][(int) mask.elements()];
    for (int i = 0; i < 3; i++) {
      LayerOps.dropoutGenMask(
          elements, 0.9, i == 2 ? 8 : 7, 0, mask, bench.stream, bench.workspace);
      bench.stream.synchronize();
      mask.buffer().copyTo(0, MemorySegment.ofArray(drawn[i]));
    }
    assertArrayEquals(drawn[0], drawn[1]);
    int ones = 0;
    int differences = 0;
    for (int i = 0; i < elements; i++) {
      int bit = drawn[0][i / 8] >> i % 8 & 1;
      ones += bit;
      differences += bit ^ drawn[2][i / 8] >> i % 8 & 1;
    }
    assertEquals(0.9, ones / (double) elements, 0.01);
    assertTrue(differences > elements / 10, "seeds 7 and 8 differ in " + differences);

    Tensor x = bench.normal(random, DataType.FLOAT, 1000);
    Tensor out = bench.garbage(DataType.FLOAT, 1000);
    LayerOps.dropoutGenMask(elements, 0.9, 7, 0, mask, bench.stream, bench.workspace);
    LayerOps.dropoutDoMask(x, mask, 0.9, out, bench.stream, bench.workspace);
    float[] in = bench.floats(x);
    double[] expected = new double[1000];
    for (int i = 0; i < 1000; i++) {
      expected[i] = in[i] * (drawn[0][i / 8] >> i % 8 & 1) / 0.9;
    }
    Close.forward(DataType.FLOAT, expected, bench.floats(out), "out");
  }

  @Test
  void wrongArgumentsAreNamed() {
    Tensor logits = bench.garbage(DataType.FLOAT, 4, 7);
    Tensor targets = bench.longs(1, 2, 3);
    Tensor one = bench.garbage(DataType.FLOAT, 1);
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    LayerOps.crossEntropyLoss(
                        logits,
                        targets,
                        Reduction.SUM,
                        -100,
                        0,
                        one,
                        bench.garbage(DataType.FLOAT, 4, 7),
                        bench.stream,
                        bench.workspace))
            .getMessage();
    assertTrue(message.contains("target") && message.contains("[4]"), message);
  }
}
