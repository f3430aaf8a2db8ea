// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.cann4j.acl.Cann;
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

@Tag("npu")
class RotaryOpsTest {
  private Bench bench;
  private Random random;

  @BeforeEach
  void open() {
    bench = new Bench(6);
    random = Seed.random("RotaryOpsTest");
  }

  @AfterEach
  void close() {
    bench.close();
  }

  @Test
  void queriesAndKeysInPlace() {
    int steps = 3;
    int dim = 128;
    Tensor q = bench.normal(random, DataType.FLOAT, 1, steps, 2, dim);
    Tensor k = bench.normal(random, DataType.FLOAT, 1, steps, 1, dim);
    Tensor cos = bench.normal(random, DataType.FLOAT, 1, steps, 1, dim);
    Tensor sin = bench.normal(random, DataType.FLOAT, 1, steps, 1, dim);
    float[] before = bench.floats(q);
    float[] c = bench.floats(cos);
    float[] s = bench.floats(sin);
    RotaryOps.applyRotaryPosEmb(q, k, cos, sin, bench.stream, bench.workspace);
    double[] expected = new double[before.length];
    for (int i = 0; i < expected.length; i++) {
      int d = i % dim;
      int at = i / dim / 2 * dim + d;
      double turned = d < dim / 2 ? -before[i + dim / 2] : before[i - dim / 2];
      expected[i] = before[i] * c[at] + turned * s[at];
    }
    Close.forward(DataType.FLOAT, expected, bench.floats(q), "query");
  }

  @Test
  void modes() {
    assumeTrue(
        Cann.toolkit().has("aclnnRotaryPositionEmbedding"), "the toolkit has no such operator");
    int steps = 3;
    int heads = 2;
    int dim = 64;
    Tensor x = bench.normal(random, DataType.FLOAT, 1, steps, heads, dim);
    Tensor cos = bench.normal(random, DataType.FLOAT, 1, steps, 1, dim);
    Tensor sin = bench.normal(random, DataType.FLOAT, 1, steps, 1, dim);
    float[] in = bench.floats(x);
    float[] c = bench.floats(cos);
    float[] s = bench.floats(sin);
    for (RotaryMode mode : RotaryMode.values()) {
      Tensor out = bench.garbage(DataType.FLOAT, 1, steps, heads, dim);
      RotaryOps.rotaryPositionEmbedding(x, cos, sin, mode, out, bench.stream, bench.workspace);
      double[] expected = new double[in.length];
      for (int row = 0; row < in.length; row += dim) {
        for (int d = 0; d < dim; d++) {
          int half = dim / 2;
          int quarter = dim / 4;
          int own = d;
          int other;
          boolean first;
          switch (mode) {
            case HALF -> {
              first = d < half;
              other = first ? d + half : d - half;
            }
            case INTERLEAVE -> {
              first = d % 2 == 0;
              other = first ? d + 1 : d - 1;
            }
            case QUARTER -> {
              first = d % half < quarter;
              other = first ? d + quarter : d - quarter;
            }
            default -> {
              first = d < half;
              own = first ? 2 * d : 2 * (d - half) + 1;
              other = first ? own + 1 : own - 1;
            }
          }
          int at = row / dim / heads * dim + d;
          expected[row + d] = in[row + own] * c[at] + (first ? -1 : 1) * in[row + other] * s[at];
        }
      }
      Close.forward(DataType.FLOAT, expected, bench.floats(out), mode.toString());
    }
    Tensor odd = bench.garbage(DataType.FLOAT, 1, 1, 1, 6);
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                RotaryOps.rotaryPositionEmbedding(
                    odd, odd, odd, RotaryMode.QUARTER, odd, bench.stream, bench.workspace));
    assertTrue(refused.getMessage().contains("no multiple of 4"), refused.getMessage());
  }
}
