// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.AttentionMask;
import io.github.cann4j.plan.GeneralMask;
import io.github.cann4j.plan.RandomPlans;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ReferenceAttentionTest {
  private static long seed;

  @BeforeAll
  static void printSeed() {
    seed = Long.getLong("cann4j.test.seed", System.nanoTime());
    System.out.println("ReferenceAttentionTest: -Dcann4j.test.seed=" + seed);
  }

  private record Shape(
      PackedSequence sequence, AttentionMask mask, int n, int m, int d, int dv, double scale) {
    Shape(PackedSequence sequence, int n, int m, int d, int dv, double scale) {
      this(sequence, AttentionMask.causal(), n, m, d, dv, scale);
    }

    ReferenceAttention attention() {
      return mask instanceof AttentionMask.Causal
          ? new ReferenceAttention(sequence, n, m, d, dv, scale)
          : new ReferenceAttention(sequence, mask, n, m, d, dv, scale);
    }

    Shape with(AttentionMask other) {
      return new Shape(sequence, other, n, m, d, dv, scale);
    }
  }

  private record Inputs(double[] q, double[] k, double[] v, double[] dy) {
    static Inputs random(Shape shape, long seed) {
      Random random = new Random(seed);
      ReferenceAttention attention = shape.attention();
      return new Inputs(
          gaussian(random, attention.queryElements()),
          gaussian(random, attention.keyElements()),
          gaussian(random, attention.valueElements()),
          gaussian(random, attention.outElements()));
    }
  }

  private static double[] gaussian(Random random, int n) {
    double[] values = new double[n];
    Arrays.setAll(values, i -> random.nextGaussian());
    return values;
  }

  private static final Shape[] SHAPES = {
    new Shape(PackedSequence.ofLengths(1), 1, 1, 1, 1, 1),
    new Shape(PackedSequence.ofLengths(7), 2, 2, 8, 8, 0.35),
    new Shape(PackedSequence.ofLengths(1, 1, 5, 1), 4, 2, 6, 4, 0.4),
    new Shape(PackedSequence.ofLengths(new long[] {3, 9}, 17), 6, 1, 12, 8, 0.3),
    new Shape(PackedSequence.ofLengths(64, 65, 1, 63), 2, 1, 5, 5, 0.45),
    new Shape(PackedSequence.ofLengths(new long[] {200, 31}, 256), 4, 2, 16, 16, 0.25),
  };

  /** Softmax over a dense mask, with no regard to documents being contiguous. */
  private static double[][] naive(Shape s, Inputs in) {
    int rows = (int) s.sequence.length();
    int group = s.n / s.m;
    double[] out = new double[rows * s.n * s.dv];
    double[] max = new double[rows * s.n];
    double[] sum = new double[rows * s.n];
    double[] dq = new double[in.q.length];
    double[] dk = new double[in.k.length];
    double[] dv = new double[in.v.length];
    boolean[][] allowed = new boolean[rows][rows];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < rows; j++) {
        allowed[i][j] = RandomPlans.allows(s.sequence, s.mask, i, j);
      }
    }
    for (int n = 0; n < s.n; n++) {
      for (int i = 0; i < rows; i++) {
        double[] p = new double[rows];
        double top = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < rows; j++) {
          p[j] = Double.NEGATIVE_INFINITY;
          if (allowed[i][j]) {
            p[j] = 0;
            for (int d = 0; d < s.d; d++) {
              p[j] += in.q[(i * s.n + n) * s.d + d] * in.k[(j * s.m + n / group) * s.d + d];
            }
            p[j] *= s.scale;
          }
          top = Math.max(top, p[j]);
        }
        max[i * s.n + n] = top;
        if (top == Double.NEGATIVE_INFINITY) {
          continue;
        }
        double total = 0;
        for (int j = 0; j < rows; j++) {
          p[j] = Math.exp(p[j] - top);
          total += p[j];
        }
        sum[i * s.n + n] = total;
        double[] dp = new double[rows];
        double delta = 0;
        for (int j = 0; j < rows; j++) {
          p[j] /= total;
          for (int d = 0; d < s.dv; d++) {
            int o = (i * s.n + n) * s.dv + d;
            int v = (j * s.m + n / group) * s.dv + d;
            out[o] += p[j] * in.v[v];
            dp[j] += in.dy[o] * in.v[v];
            dv[v] += p[j] * in.dy[o];
          }
          delta += p[j] * dp[j];
        }
        for (int j = 0; j < rows; j++) {
          double ds = p[j] * (dp[j] - delta) * s.scale;
          for (int d = 0; d < s.d; d++) {
            int q = (i * s.n + n) * s.d + d;
            int k = (j * s.m + n / group) * s.d + d;
            dq[q] += ds * in.k[k];
            dk[k] += ds * in.q[q];
          }
        }
      }
    }
    return new double[][] {out, max, sum, dq, dk, dv};
  }

  /**
   * Masks of every kind, of which some leave rows without keys, rows with holes, and keys that
   * nobody sees.
   */
  private static List<AttentionMask> masks(PackedSequence sequence, Random random) {
    long rows = sequence.length();
    long[] whole =
        IntStream.range(0, sequence.documentCount()).mapToLong(sequence::documentLength).toArray();
    BitSet hidden = new BitSet();
    random.ints(rows * rows / 2, 0, (int) (rows * rows)).forEach(hidden::set);
    long tile = 1 + random.nextLong(70);
    return List.of(
        AttentionMask.causal(),
        AttentionMask.full(),
        AttentionMask.slidingWindow(0, 0),
        AttentionMask.slidingWindow(1 + random.nextLong(9), 0),
        AttentionMask.slidingWindow(0, 1 + random.nextLong(100)),
        AttentionMask.slidingWindow(random.nextLong(150), random.nextLong(150)),
        AttentionMask.slidingWindow(Long.MAX_VALUE, Long.MAX_VALUE),
        AttentionMask.prefix(new long[whole.length]),
        AttentionMask.prefix(whole),
        AttentionMask.prefix(LongStream.of(whole).map(l -> random.nextLong(l + 1)).toArray()),
        AttentionMask.general(GeneralMask.of(rows, (q, k) -> false)),
        AttentionMask.general(
            GeneralMask.of(rows, (q, k) -> q % 5 != 0 && !hidden.get((int) (q * rows + k)))),
        AttentionMask.general(
            GeneralMask.of(rows, (q, k) -> (q / tile + k / tile) % 3 == 1 || k % 67 == 3)),
        AttentionMask.general(GeneralMask.of(rows, (q, k) -> k == rows - 1 - q || k == 0)));
  }

  @Test
  void equalsTheNaiveDenseMask() {
    for (int i = 0; i < SHAPES.length; i++) {
      for (AttentionMask mask : masks(SHAPES[i].sequence, new Random(seed + i))) {
        equalsTheNaiveDenseMask(SHAPES[i].with(mask), seed + i);
      }
    }
  }

  private static void equalsTheNaiveDenseMask(Shape shape, long seed) {
    Inputs in = Inputs.random(shape, seed);
    ReferenceAttention attention = shape.attention();
    ReferenceAttention.Forward forward = attention.forward(in.q, in.k, in.v);
    ReferenceAttention.Gradients gradients = attention.backward(in.q, in.k, in.v, in.dy, forward);
    double[][] expected = naive(shape, in);
    assertArrayEquals(expected[0], forward.out(), 1e-12, () -> "out of " + shape);
    assertArrayEquals(expected[1], forward.softmaxMax(), 1e-12, () -> "softmaxMax of " + shape);
    assertArrayEquals(expected[2], forward.softmaxSum(), 1e-10, () -> "softmaxSum of " + shape);
    assertArrayEquals(expected[3], gradients.dq(), 1e-11, () -> "dq of " + shape);
    assertArrayEquals(expected[4], gradients.dk(), 1e-11, () -> "dk of " + shape);
    assertArrayEquals(expected[5], gradients.dv(), 1e-11, () -> "dv of " + shape);
  }

  @Test
  void rowsWithoutKeysHaveNoOutputAndNoGradient() {
    GeneralMask pattern = GeneralMask.of(70, (q, k) -> q != 3 && q < 66 && k != 2 && k <= q);
    Shape shape =
        new Shape(PackedSequence.ofLengths(70), AttentionMask.general(pattern), 2, 1, 4, 3, 0.5);
    Inputs in = Inputs.random(shape, seed);
    ReferenceAttention attention = shape.attention();
    ReferenceAttention.Forward forward = attention.forward(in.q, in.k, in.v);
    ReferenceAttention.Gradients gradients = attention.backward(in.q, in.k, in.v, in.dy, forward);
    for (int row : new int[] {3, 66, 69}) {
      assertEquals(Double.NEGATIVE_INFINITY, forward.softmaxMax()[row * 2 + 1]);
      assertEquals(0.0, forward.softmaxSum()[row * 2 + 1]);
      for (int i = 0; i < 6; i++) {
        assertEquals(0.0, forward.out()[row * 6 + i]);
      }
      for (int i = 0; i < 8; i++) {
        assertEquals(0.0, gradients.dq()[row * 8 + i]);
      }
    }
    for (int key : new int[] {2, 66, 69}) {
      for (int i = 0; i < 4; i++) {
        assertEquals(0.0, gradients.dk()[key * 4 + i]);
      }
      for (int i = 0; i < 3; i++) {
        assertEquals(0.0, gradients.dv()[key * 3 + i]);
      }
    }
  }

  @Test
  void refusesMasksOfOtherSequences() {
    PackedSequence sequence = PackedSequence.ofLengths(4, 5);
    assertMessage(
        "prefixes of 1 documents",
        () -> new ReferenceAttention(sequence, AttentionMask.prefix(4), 1, 1, 4, 4, 1));
    assertMessage(
        "pattern has 8 rows",
        () ->
            new ReferenceAttention(
                sequence, AttentionMask.general(GeneralMask.of(8, (q, k) -> true)), 1, 1, 4, 4, 1));
  }

  @Test
  void gradientsAreThoseOfFiniteDifferences() {
    Shape shape = new Shape(PackedSequence.ofLengths(new long[] {4, 1, 6}, 13), 4, 2, 6, 4, 0.4);
    Inputs in = Inputs.random(shape, seed);
    ReferenceAttention attention = shape.attention();
    ReferenceAttention.Gradients gradients =
        attention.backward(in.q, in.k, in.v, in.dy, attention.forward(in.q, in.k, in.v));
    double[][] inputs = {in.q, in.k, in.v};
    double[][] analytic = {gradients.dq(), gradients.dk(), gradients.dv()};
    double step = 1e-5;
    for (int t = 0; t < 3; t++) {
      for (int i = 0; i < inputs[t].length; i++) {
        double kept = inputs[t][i];
        inputs[t][i] = kept + step;
        double above = loss(attention, in);
        inputs[t][i] = kept - step;
        double below = loss(attention, in);
        inputs[t][i] = kept;
        assertEquals(
            (above - below) / (2 * step), analytic[t][i], 1e-8, "dq dk dv".split(" ")[t] + " " + i);
      }
    }
  }

  private static double loss(ReferenceAttention attention, Inputs in) {
    double[] out = attention.forward(in.q, in.k, in.v).out();
    double loss = 0;
    for (int i = 0; i < out.length; i++) {
      loss += in.dy[i] * out[i];
    }
    return loss;
  }

  @Test
  void documentsDoNotSeeEachOtherOrPadding() {
    Shape packed = new Shape(PackedSequence.ofLengths(new long[] {70, 5}, 80), 2, 1, 4, 4, 0.5);
    Inputs in = Inputs.random(packed, seed);
    for (double[] array : new double[][] {in.q, in.k, in.v, in.dy}) {
      Arrays.fill(array, array.length / 80 * 75, array.length, Double.NaN);
    }
    ReferenceAttention.Forward whole = packed.attention().forward(in.q, in.k, in.v);
    ReferenceAttention.Gradients gradients =
        packed.attention().backward(in.q, in.k, in.v, in.dy, whole);
    // The second document alone.
    Shape alone = new Shape(PackedSequence.ofLengths(5), 2, 1, 4, 4, 0.5);
    Inputs second =
        new Inputs(rows(in.q, 70, 75), rows(in.k, 70, 75), rows(in.v, 70, 75), rows(in.dy, 70, 75));
    ReferenceAttention.Forward forward = alone.attention().forward(second.q, second.k, second.v);
    ReferenceAttention.Gradients own =
        alone.attention().backward(second.q, second.k, second.v, second.dy, forward);
    assertArrayEquals(forward.out(), rows(whole.out(), 70, 75));
    assertArrayEquals(own.dq(), rows(gradients.dq(), 70, 75));
    assertArrayEquals(own.dk(), rows(gradients.dk(), 70, 75));
    assertArrayEquals(own.dv(), rows(gradients.dv(), 70, 75));
    for (double[] array :
        new double[][] {whole.out(), gradients.dq(), gradients.dk(), gradients.dv()}) {
      for (double padding : rows(array, 75, 80)) {
        assertEquals(0.0, padding);
      }
    }
    assertEquals(Double.NEGATIVE_INFINITY, whole.softmaxMax()[79 * 2]);
    assertEquals(0.0, whole.softmaxSum()[79 * 2]);
  }

  /** Rows of an array of 80 rows. */
  private static double[] rows(double[] array, int begin, int end) {
    int perRow = array.length / 80;
    return Arrays.copyOfRange(array, begin * perRow, end * perRow);
  }

  @Test
  void largeScoresDoNotOverflow() {
    Shape shape = new Shape(PackedSequence.ofLengths(150), 1, 1, 4, 4, 1);
    Inputs in = Inputs.random(shape, seed);
    for (int i = 0; i < in.q.length; i++) {
      in.q[i] *= 1000;
    }
    double[] out = shape.attention().forward(in.q, in.k, in.v).out();
    assertTrue(Arrays.stream(out).allMatch(Double::isFinite));
    assertArrayEquals(naive(shape, in)[0], out, 1e-9);
  }

  @Test
  void bitsDoNotDependOnThreads() throws Exception {
    Shape shape = SHAPES[5];
    Inputs in = Inputs.random(shape, seed);
    ReferenceAttention attention = shape.attention();
    ReferenceAttention.Forward forward = attention.forward(in.q, in.k, in.v);
    ReferenceAttention.Gradients gradients = attention.backward(in.q, in.k, in.v, in.dy, forward);
    try (ForkJoinPool one = new ForkJoinPool(1)) {
      ReferenceAttention.Forward alone =
          one.submit(() -> attention.forward(in.q, in.k, in.v)).get();
      assertArrayEquals(forward.out(), alone.out());
      ReferenceAttention.Gradients same =
          one.submit(() -> attention.backward(in.q, in.k, in.v, in.dy, alone)).get();
      assertArrayEquals(gradients.dq(), same.dq());
      assertArrayEquals(gradients.dk(), same.dk());
      assertArrayEquals(gradients.dv(), same.dv());
    }
  }

  @Test
  void singlePrecisionInputsAreWidened() {
    Shape shape = SHAPES[2];
    Inputs in = Inputs.random(shape, seed);
    float[][] narrow = {floats(in.q), floats(in.k), floats(in.v), floats(in.dy)};
    double[][] wide = {
      doubles(narrow[0]), doubles(narrow[1]), doubles(narrow[2]), doubles(narrow[3])
    };
    ReferenceAttention attention = shape.attention();
    ReferenceAttention.Forward forward = attention.forward(wide[0], wide[1], wide[2]);
    assertArrayEquals(forward.out(), attention.forward(narrow[0], narrow[1], narrow[2]).out());
    assertArrayEquals(
        attention.backward(wide[0], wide[1], wide[2], wide[3], forward).dk(),
        attention.backward(narrow[0], narrow[1], narrow[2], narrow[3]).dk());
  }

  private static float[] floats(double[] values) {
    float[] narrow = new float[values.length];
    for (int i = 0; i < narrow.length; i++) {
      narrow[i] = (float) values[i];
    }
    return narrow;
  }

  private static double[] doubles(float[] values) {
    double[] wide = new double[values.length];
    Arrays.setAll(wide, i -> values[i]);
    return wide;
  }

  @Test
  void refusesShapesThatDoNotFit() {
    PackedSequence sequence = PackedSequence.ofLengths(4);
    assertMessage("3 and 2", () -> new ReferenceAttention(sequence, 3, 2, 4, 4, 1));
    assertMessage("Dv = 5", () -> new ReferenceAttention(sequence, 2, 2, 4, 5, 1));
    assertMessage(
        "exceed", () -> new ReferenceAttention(PackedSequence.ofLengths(1 << 24), 8, 8, 64, 64, 1));
    ReferenceAttention attention = new ReferenceAttention(sequence, 2, 1, 4, 3, 1);
    assertMessage(
        "value has 16 elements, its shape says 12",
        () -> attention.forward(new double[32], new double[16], new double[16]));
  }

  private static void assertMessage(String part, Runnable action) {
    String message = assertThrows(IllegalArgumentException.class, action::run).getMessage();
    assertTrue(message.contains(part), message);
  }
}
