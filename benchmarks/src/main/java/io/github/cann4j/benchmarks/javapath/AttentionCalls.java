// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.javapath;

import com.sun.management.ThreadMXBean;
import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionVarLenScore;
import io.github.cann4j.aclnn.Workspace;
import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Figure.Reference;
import io.github.cann4j.benchmarks.report.Figure.Target;
import io.github.cann4j.benchmarks.report.FigurePrinter;
import io.github.cann4j.benchmarks.report.Median;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;

/**
 * Host time of the two-phase attention call ({@code aclnnFlashAttentionVarLenScore}, one row, one
 * head of 16) through the bindings and in C, in rounds that alternate. The stream is held while
 * calls are timed, so that the host alone is measured; the second figure has the device at work on
 * the other cores meanwhile, and meets it in the allocator.
 */
public final class AttentionCalls {
  private static final int ROUNDS = 15;
  private static final int WARM_UP = 5;
  // As in attention_calls.c.
  private static final int BATCHES = 100;
  private static final int CALLS = 64;
  private static final int PLACE = 512;
  private static final String GROUP = "Two-phase attention call, host time";

  private AttentionCalls() {}

  /** Prints the figures; {@code --format json} as lines of JSON. */
  public static void main(String[] args) throws Exception {
    FigurePrinter.print(args, measure());
  }

  private static List<Figure> measure() throws Exception {
    Device device = Device.open(0);
    try (Stream stream = device.createStream();
        Workspace workspace = new Workspace(device);
        DeviceBuffer memory = device.allocate(6 * PLACE);
        CallsInC peer = CallsInC.start(Cann.toolkit().home())) {
      memory.fillAsync(0, 6 * PLACE, (byte) 0, stream);
      stream.synchronize();
      FlashAttentionVarLenScore attention =
          FlashAttentionVarLenScore.builder()
              .query(tensor(memory, 0, 16))
              .key(tensor(memory, 1, 16))
              .value(tensor(memory, 2, 16))
              .actualSeqQLen(1)
              .actualSeqKvLen(1)
              .scaleValue(0.25)
              .attentionOut(tensor(memory, 3, 16))
              .softmaxMax(tensor(memory, 4, 8))
              .softmaxSum(tensor(memory, 5, 8))
              .build();
      List<double[]> own = new ArrayList<>();
      List<double[]> inC = new ArrayList<>();
      long heap = Long.MAX_VALUE;
      for (int i = -WARM_UP; i < ROUNDS; i++) {
        double[] c = peer.round();
        double[] java = {
          round(attention, stream, workspace, true), round(attention, stream, workspace, false)
        };
        heap = Math.min(heap, heapBytes(attention, stream, workspace));
        if (i >= 0) {
          inC.add(c);
          own.add(java);
        }
      }
      return List.of(
          figure("stream held", own, inC, 0, List.of(new Target("C", 1.1))),
          figure("device at work", own, inC, 1, List.of()),
          new Figure(
              "java",
              GROUP,
              "Java heap of 10,000 calls",
              heap,
              "bytes",
              Better.LOWER,
              List.of(),
              List.of(new Target("", 0))));
    }
  }

  private static Tensor tensor(DeviceBuffer memory, int place, long columns) {
    return Tensor.of(memory, (long) place * PLACE, DataType.FLOAT, 1, 1, columns);
  }

  private static Figure figure(
      String name, List<double[]> own, List<double[]> inC, int column, List<Target> targets) {
    Reference c = new Reference("C", Median.of(inC.stream().mapToDouble(v -> v[column])));
    double value = Median.of(own.stream().mapToDouble(v -> v[column]));
    return new Figure("java", GROUP, name, value, "ns", Better.LOWER, List.of(c), targets);
  }

  private static double round(
      FlashAttentionVarLenScore attention, Stream stream, Workspace workspace, boolean held) {
    Semaphore gate = new Semaphore(0);
    long taken = 0;
    for (int batch = 0; batch < BATCHES; batch++) {
      if (held) {
        stream.launchHostFunc(gate::acquireUninterruptibly);
      }
      long start = System.nanoTime();
      for (int i = 0; i < CALLS; i++) {
        attention.run(stream, workspace);
      }
      taken += System.nanoTime() - start;
      if (held) {
        gate.release();
      }
      stream.synchronize();
    }
    return (double) taken / (BATCHES * CALLS);
  }

  private static long heapBytes(
      FlashAttentionVarLenScore attention, Stream stream, Workspace workspace) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    for (int i = 0; i < 10_000; i++) {
      attention.run(stream, workspace);
    }
    long bytes = threads.getCurrentThreadAllocatedBytes() - before;
    stream.synchronize();
    return bytes;
  }
}
