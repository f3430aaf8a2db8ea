// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.support.Bench;
import io.github.cann4j.support.Close;
import io.github.cann4j.support.NaiveAttention;
import io.github.cann4j.support.Seed;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The four attention records against the formulas in fp64. */
@Tag("npu")
class FlashAttentionTest {
  private static final int HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int DIM = 24;
  private static final int VALUE_DIM = 16;
  private static final double SCALE = 0.2;

  private Bench bench;
  private Random random;

  @BeforeEach
  void open() {
    bench = new Bench(1);
    random = Seed.random("FlashAttentionTest");
  }

  @AfterEach
  void close() {
    bench.close();
  }

  static Stream<Arguments> dense() {
    return Stream.of(Layout.BSND, Layout.BNSD, Layout.BSH, Layout.SBH)
        .flatMap(
            layout ->
                Stream.of(
                        SparseMode.DEFAULT_MASK,
                        SparseMode.LEFT_UP_CAUSAL,
                        SparseMode.RIGHT_DOWN_CAUSAL)
                    .flatMap(
                        mode ->
                            Stream.of(DataType.FLOAT, DataType.BF16, DataType.FLOAT16)
                                .map(type -> Arguments.of(layout, mode, type))));
  }

  @ParameterizedTest
  @MethodSource("dense")
  void denseForwardAndGradient(Layout layout, SparseMode mode, DataType type) {
    int batch = 2;
    int sq = 7;
    int skv = 9;
    Tensor q = bench.normal(random, type, shape(layout, batch, sq, HEADS, DIM));
    Tensor k = bench.normal(random, type, shape(layout, batch, skv, KV_HEADS, DIM));
    Tensor v = bench.normal(random, type, shape(layout, batch, skv, KV_HEADS, VALUE_DIM));
    Tensor max = bench.garbage(DataType.FLOAT, batch, HEADS, sq, 8);
    Tensor sum = bench.garbage(DataType.FLOAT, batch, HEADS, sq, 8);
    Tensor out = bench.garbage(type, shape(layout, batch, sq, HEADS, VALUE_DIM));
    Tensor mask = mode == SparseMode.DEFAULT_MASK ? null : bench.causalMask();
    FlashAttentionScore.builder()
        .query(q)
        .key(k)
        .value(v)
        .attenMask(mask)
        .sparseMode(mode)
        .inputLayout(layout)
        .headNum(HEADS)
        .scaleValue(SCALE)
        .softmaxMax(max)
        .softmaxSum(sum)
        .attentionOut(out)
        .build()
        .run(bench.stream, bench.workspace);
    Tensor dy = bench.normal(random, type, shape(layout, batch, sq, HEADS, VALUE_DIM));
    Tensor dq = bench.garbage(type, q.shape());
    Tensor dk = bench.garbage(type, k.shape());
    Tensor dv = bench.garbage(type, v.shape());
    FlashAttentionScoreGrad.builder()
        .query(q)
        .key(k)
        .value(v)
        .dy(dy)
        .attenMask(mask)
        .sparseMode(mode)
        .inputLayout(layout)
        .headNum(HEADS)
        .scaleValue(SCALE)
        .softmaxMax(max)
        .softmaxSum(sum)
        .attentionIn(out)
        .dq(dq)
        .dk(dk)
        .dv(dv)
        .build()
        .run(bench.stream, bench.workspace);
    Integer shift =
        switch (mode) {
          case LEFT_UP_CAUSAL -> Integer.valueOf(0);
          case RIGHT_DOWN_CAUSAL -> Integer.valueOf(skv - sq);
          default -> null;
        };
    var sizes = new NaiveAttention.Sizes(sq, skv, HEADS, KV_HEADS, DIM, VALUE_DIM, shift);
    float[][] rows = new float[8][];
    Tensor[] tensors = {q, k, v, dy, out, dq, dk, dv};
    for (int b = 0; b < batch; b++) {
      for (int i = 0; i < tensors.length; i++) {
        boolean ofQuery = i == 0 || i >= 3 && i <= 5;
        boolean ofValues = i == 2 || i == 3 || i == 4 || i == 7;
        rows[i] =
            plain(
                layout,
                bench.floats(tensors[i]),
                b,
                batch,
                ofQuery ? sq : skv,
                ofQuery ? HEADS : KV_HEADS,
                ofValues ? VALUE_DIM : DIM);
      }
      var naive = new NaiveAttention(sizes, SCALE, rows[0], rows[1], rows[2], rows[3]);
      Close.forward(type, naive.out, rows[4], "out");
      int count = HEADS * sq;
      Close.forward(DataType.FLOAT, naive.max, eighth(bench.floats(max), b * count, count), "max");
      Close.check(1e-4, 1e-4, naive.sum, eighth(bench.floats(sum), b * count, count), "sum");
      Close.gradient(type, naive.dq, rows[5], "dq");
      Close.gradient(type, naive.dk, rows[6], "dk");
      Close.gradient(type, naive.dv, rows[7], "dv");
    }
  }

  private static long[] shape(Layout layout, long batch, long steps, long heads, long dim) {
    return switch (layout) {
      case BSND -> new long[] {batch, steps, heads, dim};
      case BNSD -> new long[] {batch, heads, steps, dim};
      case BSH -> new long[] {batch, steps, heads * dim};
      case SBH -> new long[] {steps, batch, heads * dim};
      case TND -> throw new AssertionError();
    };
  }

  /** One batch as [S][N][D]. */
  private static float[] plain(
      Layout layout, float[] all, int b, int batch, int steps, int heads, int dim) {
    float[] rows = new float[steps * heads * dim];
    for (int s = 0; s < steps; s++) {
      for (int n = 0; n < heads; n++) {
        int from =
            switch (layout) {
              case BNSD -> ((b * heads + n) * steps + s) * dim;
              case SBH -> ((s * batch + b) * heads + n) * dim;
              default -> ((b * steps + s) * heads + n) * dim;
            };
        System.arraycopy(all, from, rows, (s * heads + n) * dim, dim);
      }
    }
    return rows;
  }

  /** The values of rows that are stored eight times each; all eight must be equal. */
  private static float[] eighth(float[] all, int firstRow, int rows) {
    float[] values = new float[rows];
    for (int row = 0; row < rows; row++) {
      values[row] = all[(firstRow + row) * 8];
      float[] copies = new float[8];
      Arrays.fill(copies, values[row]);
      int from = (firstRow + row) * 8;
      assertArrayEquals(copies, Arrays.copyOfRange(all, from, from + 8));
    }
    return values;
  }

  static Stream<Arguments> packed() {
    return Stream.of(DataType.FLOAT, DataType.BF16, DataType.FLOAT16)
        .flatMap(
            type ->
                Stream.of(
                    Arguments.of(type, true, new long[] {1, 6, 6, 13}, new long[] {1, 8, 8, 20}),
                    Arguments.of(type, false, new long[] {4, 9}, new long[] {7, 10}),
                    Arguments.of(type, true, new long[] {5}, new long[] {5})));
  }

  @ParameterizedTest
  @MethodSource("packed")
  void packedForwardAndGradient(DataType type, boolean causal, long[] qEnds, long[] kvEnds) {
    int padding = 3;
    int tq = (int) qEnds[qEnds.length - 1] + padding;
    int tkv = (int) kvEnds[kvEnds.length - 1] + padding;
    Tensor q = bench.normal(random, type, tq, HEADS, DIM);
    Tensor k = bench.normal(random, type, tkv, KV_HEADS, DIM);
    Tensor v = bench.normal(random, type, tkv, KV_HEADS, VALUE_DIM);
    Tensor max = bench.garbage(DataType.FLOAT, tq, HEADS, 8);
    Tensor sum = bench.garbage(DataType.FLOAT, tq, HEADS, 8);
    Tensor out = bench.garbage(type, tq, HEADS, VALUE_DIM);
    Tensor dy = bench.normal(random, type, tq, HEADS, VALUE_DIM);
    Tensor dq = bench.garbage(type, tq, HEADS, DIM);
    Tensor dk = bench.garbage(type, tkv, KV_HEADS, DIM);
    Tensor dv = bench.garbage(type, tkv, KV_HEADS, VALUE_DIM);
    Tensor mask = causal ? bench.causalMask() : null;
    SparseMode mode = causal ? SparseMode.RIGHT_DOWN_CAUSAL : SparseMode.DEFAULT_MASK;
    FlashAttentionVarLenScore forward =
        FlashAttentionVarLenScore.builder()
            .query(q)
            .key(k)
            .value(v)
            .attenMask(mask)
            .sparseMode(mode)
            .actualSeqQLen(qEnds)
            .actualSeqKvLen(kvEnds)
            .scaleValue(SCALE)
            .softmaxMax(max)
            .softmaxSum(sum)
            .attentionOut(out)
            .build();
    forward.run(bench.stream, bench.workspace);
    float[] once = bench.floats(out);
    forward.run(bench.stream, bench.workspace);
    int used = (tq - padding) * HEADS * VALUE_DIM;
    assertArrayEquals(
        Arrays.copyOf(once, used), Arrays.copyOf(bench.floats(out), used), "run again");
    FlashAttentionUnpaddingScoreGrad.builder()
        .query(q)
        .key(k)
        .value(v)
        .dy(dy)
        .attenMask(mask)
        .sparseMode(mode)
        .actualSeqQLen(qEnds)
        .actualSeqKvLen(kvEnds)
        .scaleValue(SCALE)
        .softmaxMax(max)
        .softmaxSum(sum)
        .attentionIn(out)
        .dq(dq)
        .dk(dk)
        .dv(dv)
        .build()
        .run(bench.stream, bench.workspace);
    for (int i = 0; i < qEnds.length; i++) {
      int q0 = i == 0 ? 0 : (int) qEnds[i - 1];
      int k0 = i == 0 ? 0 : (int) kvEnds[i - 1];
      int sq = (int) qEnds[i] - q0;
      int skv = (int) kvEnds[i] - k0;
      Integer shift = causal ? Integer.valueOf(skv - sq) : null;
      var sizes = new NaiveAttention.Sizes(sq, skv, HEADS, KV_HEADS, DIM, VALUE_DIM, shift);
      var naive =
          new NaiveAttention(
              sizes, SCALE, rows(q, q0, sq), rows(k, k0, skv), rows(v, k0, skv), rows(dy, q0, sq));
      String name = "sequence " + i + " ";
      Close.forward(type, naive.out, rows(out, q0, sq), name + "out");
      // Within a sequence the statistics are ordered by head first.
      int count = HEADS * sq;
      Close.forward(
          DataType.FLOAT, naive.max, eighth(bench.floats(max), q0 * HEADS, count), name + "max");
      Close.check(
          1e-4, 1e-4, naive.sum, eighth(bench.floats(sum), q0 * HEADS, count), name + "sum");
      Close.gradient(type, naive.dq, rows(dq, q0, sq), name + "dq");
      Close.gradient(type, naive.dk, rows(dk, k0, skv), name + "dk");
      Close.gradient(type, naive.dv, rows(dv, k0, skv), name + "dv");
    }
  }

  private float[] rows(Tensor tensor, int first, int count) {
    int width = Math.toIntExact(tensor.size(1) * tensor.size(2));
    return Arrays.copyOfRange(bench.floats(tensor), first * width, (first + count) * width);
  }

  /** Query, key and value as parts of one tensor, as a fused projection leaves them. */
  @Test
  void stridedViewsGiveTheSameBits() {
    int tokens = 11;
    Tensor fused = bench.normal(random, DataType.FLOAT, tokens, 3 * HEADS, DIM);
    float[][] results = new float[2][];
    for (int i = 0; i < 2; i++) {
      Tensor[] parts = new Tensor[3];
      for (int part = 0; part < 3; part++) {
        Tensor view = fused.slice(1, part * HEADS, (part + 1) * HEADS);
        parts[part] = view;
        if (i == 1) {
          parts[part] = bench.garbage(DataType.FLOAT, tokens, HEADS, DIM);
          TensorOps.inplaceCopy(parts[part], view, bench.stream, bench.workspace);
        }
      }
      Tensor out = bench.garbage(DataType.FLOAT, tokens, HEADS, DIM);
      FlashAttentionVarLenScore.builder()
          .query(parts[0])
          .key(parts[1])
          .value(parts[2])
          .actualSeqQLen(tokens)
          .actualSeqKvLen(tokens)
          .scaleValue(SCALE)
          .softmaxMax(bench.garbage(DataType.FLOAT, tokens, HEADS, 8))
          .softmaxSum(bench.garbage(DataType.FLOAT, tokens, HEADS, 8))
          .attentionOut(out)
          .build()
          .run(bench.stream, bench.workspace);
      results[i] = bench.floats(out);
    }
    assertArrayEquals(results[0], results[1]);
  }
}
