// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.management.ThreadMXBean;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.SendRecv;
import io.github.cann4j.support.Bench;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Work that repeats allocates nothing on the device and on the Java heap. */
class SteadyStateTest {
  private static final int CALLS = 10_000;
  private static final int AT_ONCE = 500;
  // The first ones run while the JVM loads and compiles; that takes memory, too.
  private static final int ROUNDS = 10;

  private Bench bench;

  @BeforeEach
  void open() {
    bench = new Bench(0);
  }

  @AfterEach
  void close() {
    bench.close();
  }

  private void check(Runnable call) {
    round(call);
    Device device = bench.device;
    device.resetPeakAllocatedBytes();
    final long deviceBytes = device.allocatedBytes();
    long heapBytes = Long.MAX_VALUE;
    for (int i = 0; i < ROUNDS && heapBytes > 0; i++) {
      heapBytes = round(call);
    }
    assertEquals(deviceBytes, device.peakAllocatedBytes());
    assertEquals(0, heapBytes, "heap bytes of " + CALLS + " calls");
  }

  /** Makes many calls; returns the bytes of Java heap that they took. */
  private long round(Runnable call) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long bytes = 0;
    for (int i = 0; i < CALLS; i += AT_ONCE) {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int j = 0; j < AT_ONCE; j++) {
        call.run();
      }
      bytes += threads.getCurrentThreadAllocatedBytes() - before;
      bench.stream.synchronize();
    }
    return bytes;
  }

  @Test
  void packedAttention() {
    Tensor q = bench.of(DataType.FLOAT, new float[8 * 2 * 16], 8, 2, 16);
    Tensor max = bench.garbage(DataType.FLOAT, 8, 2, 8);
    Tensor sum = bench.garbage(DataType.FLOAT, 8, 2, 8);
    Tensor out = bench.garbage(DataType.FLOAT, 8, 2, 16);
    FlashAttentionVarLenScore score =
        FlashAttentionVarLenScore.builder()
            .query(q)
            .key(q)
            .value(q)
            .attenMask(bench.causalMask())
            .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
            .actualSeqQLen(4, 8)
            .actualSeqKvLen(4, 8)
            .scaleValue(0.25)
            .softmaxMax(max)
            .softmaxSum(sum)
            .attentionOut(out)
            .build();
    check(() -> score.run(bench.stream, bench.workspace));
    FlashAttentionUnpaddingScoreGrad grad =
        FlashAttentionUnpaddingScoreGrad.builder()
            .query(q)
            .key(q)
            .value(q)
            .attenMask(bench.causalMask())
            .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
            .actualSeqQLen(4, 8)
            .actualSeqKvLen(4, 8)
            .scaleValue(0.25)
            .softmaxMax(max)
            .softmaxSum(sum)
            .attentionIn(out)
            .dy(out)
            .dq(bench.garbage(DataType.FLOAT, 8, 2, 16))
            .dk(bench.garbage(DataType.FLOAT, 8, 2, 16))
            .dv(bench.garbage(DataType.FLOAT, 8, 2, 16))
            .build();
    check(() -> grad.run(bench.stream, bench.workspace));
  }

  @Test
  void denseAttention() {
    Tensor q = bench.of(DataType.FLOAT, new float[8 * 2 * 16], 1, 8, 2, 16);
    Tensor max = bench.garbage(DataType.FLOAT, 1, 2, 8, 8);
    Tensor sum = bench.garbage(DataType.FLOAT, 1, 2, 8, 8);
    Tensor out = bench.garbage(DataType.FLOAT, 1, 8, 2, 16);
    FlashAttentionScore score =
        FlashAttentionScore.builder()
            .inputLayout(Layout.BSND)
            .query(q)
            .key(q)
            .value(q)
            .scaleValue(0.25)
            .softmaxMax(max)
            .softmaxSum(sum)
            .attentionOut(out)
            .build();
    check(() -> score.run(bench.stream, bench.workspace));
    FlashAttentionScoreGrad grad =
        FlashAttentionScoreGrad.builder()
            .inputLayout(Layout.BSND)
            .query(q)
            .key(q)
            .value(q)
            .scaleValue(0.25)
            .softmaxMax(max)
            .softmaxSum(sum)
            .attentionIn(out)
            .dy(out)
            .dq(bench.garbage(DataType.FLOAT, 1, 8, 2, 16))
            .dk(bench.garbage(DataType.FLOAT, 1, 8, 2, 16))
            .dv(bench.garbage(DataType.FLOAT, 1, 8, 2, 16))
            .build();
    check(() -> grad.run(bench.stream, bench.workspace));
  }

  @Test
  void merging() {
    RingAttentionUpdate update =
        RingAttentionUpdate.builder()
            .prevAttnOut(bench.garbage(DataType.FLOAT, 8, 1, 32))
            .prevSoftmaxMax(bench.garbage(DataType.FLOAT, 1, 2, 8, 8))
            .prevSoftmaxSum(bench.garbage(DataType.FLOAT, 1, 2, 8, 8))
            .curAttnOut(bench.garbage(DataType.FLOAT, 8, 1, 32))
            .curSoftmaxMax(bench.garbage(DataType.FLOAT, 1, 2, 8, 8))
            .curSoftmaxSum(bench.garbage(DataType.FLOAT, 1, 2, 8, 8))
            .inputLayout(Layout.SBH)
            .attnOut(bench.garbage(DataType.FLOAT, 8, 1, 32))
            .softmaxMax(bench.garbage(DataType.FLOAT, 1, 2, 8, 8))
            .softmaxSum(bench.garbage(DataType.FLOAT, 1, 2, 8, 8))
            .build();
    check(() -> update.run(bench.stream, bench.workspace));
  }

  @Test
  void arithmetic() {
    Tensor a = bench.of(DataType.FLOAT, new float[8], 8);
    Tensor b = bench.of(DataType.FLOAT, new float[8], 8);
    check(() -> TensorOps.inplaceZero(a, bench.stream, bench.workspace));
    check(() -> TensorOps.inplaceCopy(a, b, bench.stream, bench.workspace));
    check(() -> TensorOps.maximum(a, b, a, bench.stream, bench.workspace));
    check(() -> TensorOps.exp(a, a, bench.stream, bench.workspace));
    check(() -> TensorOps.inplaceAdd(a, b, 1, bench.stream, bench.workspace));
  }

  @Test
  void transfers() {
    try (Communicator alone = Communicator.initAll(List.of(bench.device)).getFirst()) {
      List<SendRecv> items =
          List.of(SendRecv.send(bench.ints(1, 2), 0), SendRecv.recv(bench.ints(0, 0), 0));
      check(() -> alone.batchSendRecv(items, bench.stream));
      bench.stream.synchronize();
    }
  }
}
