// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

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

/** Work that repeats allocates nothing on the device and next to nothing on the Java heap. */
class SteadyStateTest {
  private static final int WARM_UP = 3000;
  private static final int CALLS = 1000;
  private static final long HEAP_BYTES_PER_CALL = 512;

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
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    for (int i = 0; i < WARM_UP; i++) {
      call.run();
    }
    bench.stream.synchronize();
    Device device = bench.device;
    device.resetPeakAllocatedBytes();
    final long deviceBytes = device.allocatedBytes();
    long before = threads.getCurrentThreadAllocatedBytes();
    for (int i = 0; i < CALLS; i++) {
      call.run();
    }
    long perCall = (threads.getCurrentThreadAllocatedBytes() - before) / CALLS;
    bench.stream.synchronize();
    assertEquals(deviceBytes, device.peakAllocatedBytes());
    assertTrue(perCall <= HEAP_BYTES_PER_CALL, perCall + " bytes of heap per call");
  }

  @Test
  void attention() {
    Tensor q = bench.of(DataType.FLOAT, new float[8 * 2 * 16], 8, 2, 16);
    FlashAttentionVarLenScore record =
        FlashAttentionVarLenScore.builder()
            .query(q)
            .key(q)
            .value(q)
            .attenMask(bench.causalMask())
            .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
            .actualSeqQLen(4, 8)
            .actualSeqKvLen(4, 8)
            .scaleValue(0.25)
            .softmaxMax(bench.garbage(DataType.FLOAT, 8, 2, 8))
            .softmaxSum(bench.garbage(DataType.FLOAT, 8, 2, 8))
            .attentionOut(bench.garbage(DataType.FLOAT, 8, 2, 16))
            .build();
    check(() -> record.run(bench.stream, bench.workspace));
  }

  @Test
  void arithmetic() {
    Tensor a = bench.of(DataType.FLOAT, new float[8], 8);
    Tensor b = bench.of(DataType.FLOAT, new float[8], 8);
    check(() -> TensorOps.inplaceAdd(a, b, 0.5, bench.stream, bench.workspace));
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
