// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.support.Bench;
import io.github.cann4j.support.Close;
import io.github.cann4j.support.NaiveAttention;
import io.github.cann4j.support.Seed;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Bias, dropout, windows, prefixes, rotary parts and the order of statistics, in fp64 too. */
@Tag("npu")
class AttentionFeaturesTest {
  private static final int BATCH = 2;
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
    random = Seed.random("AttentionFeaturesTest");
  }

  @AfterEach
  void close() {
    bench.close();
  }

  private interface RulesOf {
    NaiveAttention.Rules of(int batch);
  }

  /** Runs BSND attention forward and backward and compares it with the formulas. */
  private void dense(
      DataType type, int sq, int skv, Consumer<FlashAttentionBuilder<?>> options, RulesOf rules) {
    Tensor q = bench.normal(random, type, BATCH, sq, HEADS, DIM);
    Tensor k = bench.normal(random, type, BATCH, skv, KV_HEADS, DIM);
    Tensor v = bench.normal(random, type, BATCH, skv, KV_HEADS, VALUE_DIM);
    Tensor dy = bench.normal(random, type, BATCH, sq, HEADS, VALUE_DIM);
    Tensor max = bench.garbage(DataType.FLOAT, BATCH, HEADS, sq, 8);
    Tensor sum = bench.garbage(DataType.FLOAT, BATCH, HEADS, sq, 8);
    Tensor out = bench.garbage(type, BATCH, sq, HEADS, VALUE_DIM);
    Tensor dq = bench.garbage(type, q.shape());
    Tensor dk = bench.garbage(type, k.shape());
    Tensor dv = bench.garbage(type, v.shape());
    var forward =
        FlashAttentionScore.builder()
            .query(q)
            .key(k)
            .value(v)
            .inputLayout(Layout.BSND)
            .scaleValue(SCALE)
            .softmaxMax(max)
            .softmaxSum(sum)
            .attentionOut(out);
    options.accept(forward);
    forward.build().run(bench.stream, bench.workspace);
    var backward =
        FlashAttentionScoreGrad.builder()
            .query(q)
            .key(k)
            .value(v)
            .dy(dy)
            .inputLayout(Layout.BSND)
            .scaleValue(SCALE)
            .softmaxMax(max)
            .softmaxSum(sum)
            .attentionIn(out)
            .dq(dq)
            .dk(dk)
            .dv(dv);
    options.accept(backward);
    backward.build().run(bench.stream, bench.workspace);
    var sizes = new NaiveAttention.Sizes(sq, skv, HEADS, KV_HEADS, DIM, VALUE_DIM, null);
    for (int b = 0; b < BATCH; b++) {
      var naive =
          new NaiveAttention(
              sizes, SCALE, rules.of(b), part(q, b), part(k, b), part(v, b), part(dy, b));
      Close.forward(type, naive.out, part(out, b), "out");
      Close.gradient(type, naive.dq, part(dq, b), "dq");
      Close.gradient(type, naive.dk, part(dk, b), "dk");
      Close.gradient(type, naive.dv, part(dv, b), "dv");
    }
  }

  private float[] part(Tensor tensor, int batch) {
    float[] all = bench.floats(tensor);
    int size = all.length / BATCH;
    return Arrays.copyOfRange(all, batch * size, (batch + 1) * size);
  }

  private Tensor bytes(byte[] values, long... shape) {
    Tensor tensor = bench.garbage(DataType.UINT8, shape);
    tensor.buffer().copyFrom(MemorySegment.ofArray(values));
    return tensor;
  }

  private Tensor compressedPrefixMask() {
    byte[] mask = new byte[3072 * 2048];
    for (int row = 0; row < 3072; row++) {
      Arrays.fill(mask, row * 2048 + (row < 2048 ? row + 1 : 1024), (row + 1) * 2048, (byte) 1);
    }
    return bytes(mask, 3072, 2048);
  }

  @ParameterizedTest
  @EnumSource(
      value = PseType.class,
      names = {"OUTER_MUL_ADD", "OUTER_ADD_MUL"})
  void biasTensors(PseType pseType) {
    for (DataType type : new DataType[] {DataType.FLOAT, DataType.BF16}) {
      int sq = 7;
      int skv = 9;
      Tensor bias = bench.normal(random, type, BATCH, HEADS, sq, skv);
      float[] values = bench.floats(bias);
      double factor = pseType == PseType.OUTER_ADD_MUL ? SCALE : 1;
      dense(
          type,
          sq,
          skv,
          b -> b.realShift(bias).pseType(pseType),
          b ->
              new NaiveAttention.Rules() {
                @Override
                public double bias(int n, int i, int j) {
                  return factor * values[((b * HEADS + n) * sq + i) * skv + j];
                }
              });
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = PseType.class,
      names = {"INNER_MUL_ADD", "INNER_MUL_ADD_SQRT"})
  void slopes(PseType pseType) {
    float[] slope = {0.5f, 0.25f, 0.125f, 0.0625f};
    Tensor slopes = bench.of(DataType.FLOAT, slope, HEADS);
    Tensor mask = bench.causalMask();
    dense(
        DataType.FLOAT,
        11,
        11,
        b ->
            b.realShift(slopes)
                .pseType(pseType)
                .qStartIdx(3)
                .kvStartIdx(1)
                .attenMask(mask)
                .sparseMode(SparseMode.LEFT_UP_CAUSAL),
        b ->
            new NaiveAttention.Rules() {
              @Override
              public boolean sees(int i, int j) {
                return j <= i;
              }

              @Override
              public double bias(int n, int i, int j) {
                double distance = Math.abs(i + 3 - (j + 1));
                return -slope[n]
                    * (pseType == PseType.INNER_MUL_ADD ? distance : Math.sqrt(distance));
              }
            });
  }

  @Test
  void dropout() {
    int sq = 5;
    int skv = 13;
    byte[] bits = new byte[Math.ceilDiv(BATCH * HEADS * sq * skv, 8)];
    random.nextBytes(bits);
    Tensor mask = bytes(bits, bits.length);
    double keepProb = 0.75;
    dense(
        DataType.FLOAT,
        sq,
        skv,
        b -> b.dropMask(mask).keepProb(keepProb),
        b ->
            new NaiveAttention.Rules() {
              @Override
              public double kept(int n, int i, int j) {
                int bit = ((b * HEADS + n) * sq + i) * skv + j;
                return (bits[bit / 8] >> bit % 8 & 1) / keepProb;
              }
            });
  }

  @Test
  void aWindowFromTheBottomRight() {
    Tensor mask = bench.causalMask();
    dense(
        DataType.FLOAT,
        8,
        12,
        b -> b.attenMask(mask).sparseMode(SparseMode.BAND).preTokens(3).nextTokens(1),
        b ->
            new NaiveAttention.Rules() {
              @Override
              public boolean sees(int i, int j) {
                return j >= i + 4 - 3 && j <= i + 4 + 1;
              }
            });
  }

  @Test
  void prefixes() {
    long[] prefix = {6, 9};
    Tensor mask = compressedPrefixMask();
    dense(
        DataType.FLOAT,
        8,
        12,
        b -> b.attenMask(mask).sparseMode(SparseMode.PREFIX_COMPRESSED).prefix(prefix),
        b ->
            new NaiveAttention.Rules() {
              @Override
              public boolean sees(int i, int j) {
                return j < prefix[b] || j <= i + 4;
              }
            });
  }

  @Test
  void aMaskPerBatch() {
    int sq = 6;
    int skv = 10;
    byte[] masked = new byte[BATCH * sq * skv];
    for (int i = 0; i < masked.length; i++) {
      masked[i] = (byte) (i % skv == 0 || random.nextBoolean() ? 0 : 1);
    }
    Tensor mask = bytes(masked, BATCH, 1, sq, skv);
    dense(
        DataType.FLOAT,
        sq,
        skv,
        b -> b.attenMask(mask).sparseMode(SparseMode.ALL_MASK),
        b ->
            new NaiveAttention.Rules() {
              @Override
              public boolean sees(int i, int j) {
                return masked[(b * sq + i) * skv + j] == 0;
              }
            });
  }

  private FlashAttentionVarLenScore.Builder packed(
      Tensor q, Tensor k, Tensor v, long[] ends, Tensor max, Tensor sum, Tensor out) {
    return FlashAttentionVarLenScore.builder()
        .query(q)
        .key(k)
        .value(v)
        .actualSeqQLen(ends)
        .actualSeqKvLen(ends)
        .attenMask(bench.causalMask())
        .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
        .scaleValue(SCALE)
        .softmaxMax(max)
        .softmaxSum(sum)
        .attentionOut(out);
  }

  private FlashAttentionUnpaddingScoreGrad.Builder packedGrad(
      Tensor q, Tensor k, Tensor v, long[] ends, Tensor max, Tensor sum, Tensor out, Tensor dy) {
    return FlashAttentionUnpaddingScoreGrad.builder()
        .query(q)
        .key(k)
        .value(v)
        .dy(dy)
        .actualSeqQLen(ends)
        .actualSeqKvLen(ends)
        .attenMask(bench.causalMask())
        .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
        .scaleValue(SCALE)
        .softmaxMax(max)
        .softmaxSum(sum)
        .attentionIn(out)
        .dq(bench.garbage(q.dataType(), q.shape()))
        .dk(bench.garbage(k.dataType(), k.shape()))
        .dv(bench.garbage(v.dataType(), v.shape()));
  }

  /** The same numbers in both orders: [N][rows] per sequence, and [T][N]. */
  @Test
  void statisticsInTheOrderOfTheInput() {
    assumeTrue(
        Cann.toolkit().has("aclnnFlashAttentionVarLenScoreV4"), "the toolkit has no version 4");
    int tokens = 11;
    long[] ends = {4, 11};
    Tensor q = bench.normal(random, DataType.FLOAT, tokens, HEADS, DIM);
    Tensor k = bench.normal(random, DataType.FLOAT, tokens, KV_HEADS, DIM);
    Tensor v = bench.normal(random, DataType.FLOAT, tokens, KV_HEADS, VALUE_DIM);
    Tensor dy = bench.normal(random, DataType.FLOAT, tokens, HEADS, VALUE_DIM);
    float[][] max = new float[2][];
    float[][] gradients = new float[2][];
    for (SoftmaxLayout order : SoftmaxLayout.values()) {
      Tensor maxima = bench.garbage(DataType.FLOAT, tokens, HEADS, 8);
      Tensor sums = bench.garbage(DataType.FLOAT, tokens, HEADS, 8);
      Tensor out = bench.garbage(DataType.FLOAT, tokens, HEADS, VALUE_DIM);
      Tensor dq = bench.garbage(DataType.FLOAT, q.shape());
      packed(q, k, v, ends, maxima, sums, out)
          .softmaxLayout(order)
          .build()
          .run(bench.stream, bench.workspace);
      packedGrad(q, k, v, ends, maxima, sums, out, dy)
          .softmaxLayout(order)
          .dq(dq)
          .build()
          .run(bench.stream, bench.workspace);
      max[order.ordinal()] = bench.floats(maxima);
      gradients[order.ordinal()] = bench.floats(dq);
    }
    float[] reordered = new float[max[0].length];
    int first = 0;
    for (long end : ends) {
      int rows = (int) end - first;
      for (int row = 0; row < rows * HEADS; row++) {
        int to = (first + row % rows) * HEADS + row / rows;
        System.arraycopy(max[0], (first * HEADS + row) * 8, reordered, to * 8, 8);
      }
      first = (int) end;
    }
    assertArrayEquals(reordered, max[1]);
    assertArrayEquals(gradients[0], gradients[1]);
  }

  /** Rotary parts apart give what they give when appended to query and key. */
  @Test
  void rotaryParts() {
    assumeTrue(
        Cann.toolkit().has("aclnnFlashAttentionVarLenScoreV3"), "the toolkit has no version 3");
    int tokens = 9;
    int rope = 8;
    long[] ends = {3, 9};
    DataType type = DataType.BF16;
    Tensor q = bench.normal(random, type, tokens, HEADS, DIM + rope);
    Tensor k = bench.normal(random, type, tokens, KV_HEADS, DIM + rope);
    Tensor v = bench.normal(random, type, tokens, KV_HEADS, VALUE_DIM);
    Tensor dy = bench.normal(random, type, tokens, HEADS, VALUE_DIM);
    Tensor max = bench.garbage(DataType.FLOAT, tokens, HEADS, 8);
    Tensor sum = bench.garbage(DataType.FLOAT, tokens, HEADS, 8);
    Tensor out = bench.garbage(type, tokens, HEADS, VALUE_DIM);
    Tensor dq = bench.garbage(type, q.shape());
    Tensor dk = bench.garbage(type, k.shape());
    packed(q, k, v, ends, max, sum, out).build().run(bench.stream, bench.workspace);
    packedGrad(q, k, v, ends, max, sum, out, dy)
        .dq(dq)
        .dk(dk)
        .build()
        .run(bench.stream, bench.workspace);

    Tensor apart = bench.garbage(type, tokens, HEADS, VALUE_DIM);
    Tensor dqApart = bench.garbage(type, q.shape());
    Tensor dkApart = bench.garbage(type, k.shape());
    packed(head(q), head(k), v, ends, max, sum, apart)
        .queryRope(tail(q))
        .keyRope(tail(k))
        .build()
        .run(bench.stream, bench.workspace);
    packedGrad(head(q), head(k), v, ends, max, sum, apart, dy)
        .queryRope(tail(q))
        .keyRope(tail(k))
        .dq(head(dqApart))
        .dk(head(dkApart))
        .dqRope(tail(dqApart))
        .dkRope(tail(dkApart))
        .build()
        .run(bench.stream, bench.workspace);
    Close.forward(type, doubles(out), bench.floats(apart), "out");
    Close.forward(type, doubles(dq), bench.floats(dqApart), "dq");
    Close.forward(type, doubles(dk), bench.floats(dkApart), "dk");
  }

  private static Tensor head(Tensor tensor) {
    return tensor.slice(2, 0, DIM);
  }

  private static Tensor tail(Tensor tensor) {
    return tensor.slice(2, DIM, tensor.size(2));
  }

  private double[] doubles(Tensor tensor) {
    float[] values = bench.floats(tensor);
    double[] result = new double[values.length];
    for (int i = 0; i < result.length; i++) {
      result[i] = values[i];
    }
    return result;
  }
}
