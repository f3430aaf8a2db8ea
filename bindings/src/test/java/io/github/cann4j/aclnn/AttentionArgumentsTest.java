// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.support.Bench;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What the attention records refuse, and with which words. */
class AttentionArgumentsTest {
  private static Bench bench;
  private static Tensor q;
  private static Tensor k;
  private static Tensor v;
  private static Tensor max;
  private static Tensor sum;
  private static Tensor out;
  private static Tensor mask;

  @BeforeAll
  static void open() {
    bench = new Bench(2);
    q = bench.garbage(DataType.FLOAT, 10, 4, 32);
    k = bench.garbage(DataType.FLOAT, 12, 2, 32);
    v = bench.garbage(DataType.FLOAT, 12, 2, 16);
    max = bench.garbage(DataType.FLOAT, 10, 4, 8);
    sum = bench.garbage(DataType.FLOAT, 10, 4, 8);
    out = bench.garbage(DataType.FLOAT, 10, 4, 16);
    mask = bench.garbage(DataType.UINT8, 2048, 2048);
  }

  @AfterAll
  static void close() {
    bench.close();
  }

  private static FlashAttentionVarLenScore.Builder packed() {
    return FlashAttentionVarLenScore.builder()
        .query(q)
        .key(k)
        .value(v)
        .actualSeqQLen(4, 10)
        .actualSeqKvLen(5, 12)
        .scaleValue(1)
        .softmaxMax(max)
        .softmaxSum(sum)
        .attentionOut(out);
  }

  private static void refused(
      Class<? extends RuntimeException> type,
      Consumer<FlashAttentionVarLenScore.Builder> change,
      String... words) {
    FlashAttentionVarLenScore.Builder builder = packed();
    change.accept(builder);
    String message = assertThrows(type, builder::build).getMessage();
    for (String word : words) {
      assertTrue(message.contains(word), "'" + word + "' is not in: " + message);
    }
  }

  private static void illegal(Consumer<FlashAttentionVarLenScore.Builder> change, String... words) {
    refused(IllegalArgumentException.class, change, words);
  }

  private static void unsupported(
      Consumer<FlashAttentionVarLenScore.Builder> change, String... words) {
    refused(UnsupportedOperationException.class, change, words);
  }

  @Test
  void theUnchangedArgumentsAreFine() {
    packed().build();
    packed().headNum(4).build();
  }

  @Test
  void missingPartsAreNamed() {
    refused(NullPointerException.class, b -> b.query(null), "query");
    refused(NullPointerException.class, b -> b.attentionOut(null), "attentionOut");
    refused(IllegalArgumentException.class, b -> b.scaleValue(Double.NaN), "scaleValue");
    illegal(b -> b.scaleValue(Double.POSITIVE_INFINITY), "scaleValue");
    illegal(b -> b.actualSeqQLen(), "actualSeqQLen", "0 and 2");
  }

  @Test
  void shapesMustFit() {
    illegal(b -> b.key(bench.garbage(DataType.FLOAT, 12, 2, 31)), "32", "31");
    illegal(b -> b.key(bench.garbage(DataType.FLOAT, 12, 3, 32)), "[12, 3, 32]");
    illegal(b -> b.value(bench.garbage(DataType.FLOAT, 13, 2, 16)), "[13, 2, 16]");
    illegal(b -> b.value(bench.garbage(DataType.FLOAT, 12, 2, 33)), "33");
    illegal(b -> b.query(bench.garbage(DataType.FLOAT, 10, 3, 32)), "3 query heads", "2 key heads");
    illegal(b -> b.query(q.reshape(40, 32)), "TND", "3 dimensions");
    illegal(b -> b.headNum(8), "headNum is 8", "4 heads");
    illegal(b -> b.attentionOut(bench.garbage(DataType.FLOAT, 10, 4, 32)), "[10, 4, 16]");
    illegal(b -> b.softmaxMax(bench.garbage(DataType.FLOAT, 4, 10, 8)), "[10, 4, 8]");
    illegal(b -> b.softmaxSum(bench.garbage(DataType.BF16, 10, 4, 8)), "softmaxSum", "FLOAT");
    unsupported(
        b -> {
          b.query(bench.garbage(DataType.FLOAT, 10, 257, 8));
          b.key(bench.garbage(DataType.FLOAT, 12, 1, 8));
          b.value(bench.garbage(DataType.FLOAT, 12, 1, 8));
        },
        "256",
        "257");
    unsupported(
        b -> {
          b.query(bench.garbage(DataType.FLOAT, 10, 1, 776));
          b.key(bench.garbage(DataType.FLOAT, 12, 1, 776));
          b.value(bench.garbage(DataType.FLOAT, 12, 1, 776));
        },
        "768",
        "776");
  }

  @Test
  void typesMustFit() {
    illegal(b -> b.key(bench.garbage(DataType.BF16, 12, 2, 32)), "key is BF16", "query is FLOAT");
    illegal(b -> b.attentionOut(bench.garbage(DataType.BF16, 10, 4, 16)), "attentionOut");
    unsupported(b -> b.query(bench.garbage(DataType.DOUBLE, 10, 4, 32)), "DOUBLE", "FLOAT");
  }

  @Test
  void sequencesMustRiseAndFit() {
    illegal(b -> b.actualSeqQLen(6, 4), "actualSeqQLen", "4 after 6");
    illegal(b -> b.actualSeqQLen(-1, 4), "-1");
    illegal(b -> b.actualSeqKvLen(5, 13), "actualSeqKvLen", "13", "12");
    illegal(b -> b.actualSeqKvLen(12), "2 and 1");
    illegal(
        b ->
            b.attenMask(mask)
                .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
                .actualSeqQLen(6, 10)
                .actualSeqKvLen(5, 12),
        "sequence 0",
        "6 queries",
        "5 keys");
    long[] many = LongStream.range(0, 2049).map(i -> 0).toArray();
    unsupported(b -> b.actualSeqQLen(many).actualSeqKvLen(many), "2048", "2049", "split");
    long[] most = LongStream.range(0, 2048).map(i -> Math.min(i, 10)).toArray();
    packed().actualSeqQLen(most).actualSeqKvLen(most).build();
  }

  @Test
  void masksMustFitTheirMode() {
    SparseMode causal = SparseMode.RIGHT_DOWN_CAUSAL;
    illegal(b -> b.sparseMode(causal), "RIGHT_DOWN_CAUSAL", "without attenMask");
    illegal(
        b -> b.sparseMode(causal).attenMask(bench.garbage(DataType.UINT8, 10, 12)),
        "[2048, 2048]",
        "[10, 12]");
    illegal(
        b -> b.sparseMode(causal).attenMask(bench.garbage(DataType.INT8, 2048, 2048)),
        "UINT8 or BOOL");
    illegal(b -> b.sparseMode(SparseMode.ALL_MASK).attenMask(mask), "[6, 7]", "[2048, 2048]");
    unsupported(
        b -> b.sparseMode(SparseMode.PREFIX).attenMask(mask), "PREFIX", "PREFIX_COMPRESSED");
  }

  @Test
  void windowsMustReachWhatTheyHaveTo() {
    illegal(
        b -> b.attenMask(mask).sparseMode(SparseMode.BAND).preTokens(-5).nextTokens(4), "-5", "4");
    illegal(
        b -> b.attenMask(mask).sparseMode(SparseMode.BAND).preTokens(9).nextTokens(-2),
        "at least -1",
        "4 queries",
        "5 keys");
    illegal(
        b ->
            b.attenMask(mask)
                .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL_BAND)
                .preTokens(6)
                .nextTokens(0),
        "7 keys of sequence 1",
        "6");
    illegal(
        b ->
            b.attenMask(mask)
                .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL_BAND)
                .preTokens(7)
                .nextTokens(1),
        "must not be positive");
    packed()
        .attenMask(mask)
        .sparseMode(SparseMode.BAND_LEFT_UP_CAUSAL)
        .preTokens(5)
        .nextTokens(-1)
        .build();
  }

  @Test
  void prefixesMustFitTheirSequences() {
    Tensor table = bench.garbage(DataType.UINT8, 3072, 2048);
    SparseMode mode = SparseMode.PREFIX_COMPRESSED;
    illegal(b -> b.attenMask(table).sparseMode(mode), "0 for 2");
    illegal(b -> b.attenMask(table).sparseMode(mode).prefix(5, 8), "prefix 1 is 8", "1 to 7");
    illegal(b -> b.attenMask(table).sparseMode(mode).prefix(0, 7), "prefix 0 is 0", "1 to 5");
    illegal(b -> b.prefix(1, 1), "no effect");
    packed().attenMask(table).sparseMode(mode).prefix(1, 7).build();
  }

  @Test
  void biasAndDropoutMustFit() {
    int pairs = 4 * 5 + 6 * 7;
    illegal(b -> b.pseType(PseType.OUTER_MUL_ADD), "no effect", "realShift");
    illegal(b -> b.realShift(bench.garbage(DataType.FLOAT, 7)), "[248]", "[48]", "[7]");
    illegal(b -> b.realShift(bench.garbage(DataType.BF16, 4 * pairs)), "BF16");
    illegal(
        b -> b.realShift(bench.garbage(DataType.FLOAT, 3)).pseType(PseType.INNER_MUL_ADD),
        "one slope per head",
        "[4]");
    illegal(b -> b.realShift(bench.garbage(DataType.FLOAT, 48)).qStartIdx(1), "INNER_MUL_ADD");
    illegal(b -> b.keepProb(0.9), "0.9", "dropMask");
    illegal(b -> b.dropMask(bench.garbage(DataType.UINT8, 31)), "keepProb 1");
    illegal(b -> b.dropMask(bench.garbage(DataType.UINT8, 30)).keepProb(0.9), "31", "248");
    packed()
        .realShift(bench.garbage(DataType.FLOAT, 4 * pairs))
        .dropMask(bench.garbage(DataType.UINT8, 31))
        .keepProb(0.9)
        .build();
  }

  @Test
  void ropesMustFit() {
    Tensor rope = bench.garbage(DataType.FLOAT, 10, 4, 8);
    illegal(b -> b.queryRope(rope), "together");
    unsupported(b -> b.queryRope(rope).keyRope(rope), "BF16", "append");
    unsupported(
        b ->
            b.softmaxLayout(SoftmaxLayout.SAME_AS_INPUT)
                .realShift(bench.garbage(DataType.FLOAT, 4))
                .pseType(PseType.INNER_MUL_ADD),
        "SAME_AS_INPUT",
        "INNER_MUL_ADD",
        "BY_SEQUENCE");
  }

  @Test
  void whatCannotBeDoneNamesTheNearest() {
    illegal(b -> b.keepProb(0), "keepProb");
    illegal(b -> b.innerPrecise(3), "innerPrecise");
    String message =
        assertThrows(
                UnsupportedOperationException.class,
                () ->
                    FlashAttentionScore.builder()
                        .query(q)
                        .key(k)
                        .value(v)
                        .inputLayout(Layout.TND)
                        .scaleValue(1)
                        .softmaxMax(max)
                        .softmaxSum(sum)
                        .attentionOut(out)
                        .build())
            .getMessage();
    assertTrue(message.contains("FlashAttentionVarLenScore"), message);
  }

  @Test
  void mergedHeadsNeedTheirNumber() {
    Tensor merged = bench.garbage(DataType.FLOAT, 1, 10, 64);
    FlashAttentionScore.Builder builder =
        FlashAttentionScore.builder()
            .query(merged)
            .key(bench.garbage(DataType.FLOAT, 1, 12, 64))
            .value(bench.garbage(DataType.FLOAT, 1, 12, 64))
            .inputLayout(Layout.BSH)
            .scaleValue(1)
            .softmaxMax(bench.garbage(DataType.FLOAT, 1, 4, 10, 8))
            .softmaxSum(bench.garbage(DataType.FLOAT, 1, 4, 10, 8))
            .attentionOut(bench.garbage(DataType.FLOAT, 1, 10, 64));
    assertTrue(
        assertThrows(IllegalArgumentException.class, builder::build)
            .getMessage()
            .contains("headNum"));
    assertThrows(IllegalArgumentException.class, builder.headNum(7)::build);
    builder.headNum(4).build();
  }

  @Test
  void outputsNeedMemoryOfTheirOwn() {
    illegal(b -> b.softmaxSum(max), "softmaxSum", "softmaxMax", "overlap");
    illegal(
        b -> b.value(bench.garbage(DataType.FLOAT, 12, 2, 32)).attentionOut(q),
        "attentionOut",
        "query",
        "overlap");
    Tensor rows = bench.garbage(DataType.FLOAT, 20, 4, 8);
    illegal(b -> b.softmaxMax(rows.slice(0, 0, 10)).softmaxSum(rows.slice(0, 9, 19)), "overlap");
    packed().softmaxMax(rows.slice(0, 0, 10)).softmaxSum(rows.slice(0, 10, 20)).build();
  }

  @Test
  void allMustBeOnOneDevice() {
    try (Bench other = new Bench(3)) {
      illegal(
          b -> b.value(other.garbage(DataType.FLOAT, 12, 2, 16)), "value", "device 3", "device 2");
      FlashAttentionVarLenScore record = packed().build();
      String message =
          assertThrows(
                  IllegalArgumentException.class, () -> record.run(other.stream, other.workspace))
              .getMessage();
      assertTrue(message.contains("device 3") && message.contains("device 2"), message);
      assertThrows(IllegalArgumentException.class, () -> record.run(bench.stream, other.workspace));
    }
  }

  @Test
  void gradientShapesMustFit() {
    FlashAttentionUnpaddingScoreGrad.Builder builder =
        FlashAttentionUnpaddingScoreGrad.builder()
            .query(q)
            .key(k)
            .value(v)
            .dy(bench.garbage(DataType.FLOAT, 10, 4, 16))
            .attentionIn(out)
            .actualSeqQLen(10)
            .actualSeqKvLen(12)
            .scaleValue(1)
            .softmaxMax(max)
            .softmaxSum(sum)
            .dq(bench.garbage(DataType.FLOAT, 10, 4, 32))
            .dk(bench.garbage(DataType.FLOAT, 12, 2, 32))
            .dv(bench.garbage(DataType.FLOAT, 12, 2, 16));
    builder.build();
    Tensor dk = bench.garbage(DataType.FLOAT, 12, 4, 32);
    String message =
        assertThrows(IllegalArgumentException.class, builder.dk(dk)::build).getMessage();
    assertTrue(message.contains("dk") && message.contains("[12, 2, 32]"), message);
    builder.dk(k);
    assertTrue(
        assertThrows(IllegalArgumentException.class, builder::build)
            .getMessage()
            .contains("overlap"));
  }

  @Test
  void whatTheToolkitRefusesCarriesItsWords() {
    // A full mask is CANN's, but not of every toolkit.
    FlashAttentionVarLenScore record =
        packed()
            .attenMask(bench.garbage(DataType.UINT8, 6, 7))
            .sparseMode(SparseMode.ALL_MASK)
            .build();
    try {
      record.run(bench.stream, bench.workspace);
    } catch (AclnnException e) {
      assertEquals("aclnnFlashAttentionVarLenScoreGetWorkspaceSize", e.function());
      assertTrue(e.codeName().startsWith("ACLNN_ERR_"), e.codeName());
      assertFalse(e.nativeMessage().isEmpty());
      assertTrue(e.getMessage().contains(e.nativeMessage()), e.getMessage());
    }
  }

  @Test
  void virtualThreadsAreRefused() throws Exception {
    FlashAttentionVarLenScore record = packed().build();
    Throwable[] thrown = new Throwable[1];
    Thread.ofVirtual()
        .start(
            () ->
                thrown[0] =
                    assertThrows(
                        IllegalStateException.class,
                        () -> record.run(bench.stream, bench.workspace)))
        .join();
    assertTrue(thrown[0].getMessage().contains("platform thread"));
  }

  @Test
  void aWorkspaceServesOneStream() {
    Device device = Device.open(4);
    try (Bench own = new Bench(4);
        Stream another = device.createStream()) {
      Tensor tensor = own.of(DataType.FLOAT, new float[] {1}, 1);
      TensorOps.inplaceZero(tensor, own.stream, own.workspace);
      String message =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> TensorOps.inplaceZero(tensor, another, own.workspace))
              .getMessage();
      assertTrue(message.contains("its own"), message);
      own.workspace.close();
      assertThrows(
          IllegalStateException.class,
          () -> TensorOps.inplaceZero(tensor, own.stream, own.workspace));
    }
  }
}
