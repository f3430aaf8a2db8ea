// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.parallel;

import com.sun.management.ThreadMXBean;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.attention.ContextParallelAttention;
import io.github.cann4j.attention.ContextParallelGroups;
import io.github.cann4j.attention.PreparedAttention;
import io.github.cann4j.benchmarks.parallel.GlobalTensors.Part;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.plan.ContextParallelPlan;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.EnumMap;
import java.util.Map;

/** One rank of a case: its tensors and its prepared attention. Used by one thread. */
final class RankCase implements AutoCloseable {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final AttentionConfig config;
  private final ContextParallelPlan plan;
  private final Device device;
  private final ContextParallelGroups groups;
  private final Stream stream;
  private final ContextParallelAttention attention;
  private final PreparedAttention prepared;
  private final Map<Part, DeviceBuffer> buffers = new EnumMap<>(Part.class);
  private long heapBytes;

  /** Collective over the ranks of the case; without a communicator the rank is alone. */
  RankCase(
      AttentionConfig config,
      ContextParallelPlan plan,
      Device device,
      Communicator world,
      GlobalTensors global) {
    this.config = config;
    this.plan = plan;
    this.device = device;
    groups =
        world == null
            ? ContextParallelGroups.single(device)
            : ContextParallelGroups.create(world, plan.grid());
    for (Part part : Part.values()) {
      buffers.put(part, device.allocate(plan.localRows() * part.bytesPerRow(config)));
      if (part.isInput()) {
        fill(part, global.input(part));
      }
    }
    stream = device.createStream();
    attention = ContextParallelAttention.create(config, groups, stream);
    prepared =
        attention.prepare(
            plan,
            tensor(Part.Q),
            tensor(Part.K),
            tensor(Part.V),
            tensor(Part.OUT),
            tensor(Part.D_OUT),
            tensor(Part.D_Q),
            tensor(Part.D_K),
            tensor(Part.D_V));
  }

  private void fill(Part part, MemorySegment global) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment local = arena.allocate(buffers.get(part).byteSize(), 64);
      plan.gather(global, part.bytesPerRow(config), groups.cpRank(), local);
      buffers.get(part).copyFrom(local);
    }
  }

  private Tensor tensor(Part part) {
    long rows = plan.localRows();
    long heads = part.heads(config);
    long dim = part.dim(config);
    return config.layout() == Layout.TND
        ? Tensor.of(buffers.get(part), config.dataType(), rows, heads, dim)
        : Tensor.of(buffers.get(part), config.dataType(), 1, rows, heads, dim);
  }

  /** Computes the output, until it is there. */
  void forward() {
    long before = THREADS.getCurrentThreadAllocatedBytes();
    prepared.forward();
    heapBytes = THREADS.getCurrentThreadAllocatedBytes() - before;
    stream.synchronize();
  }

  /** Computes the gradients, until they are there. */
  void backward() {
    long before = THREADS.getCurrentThreadAllocatedBytes();
    prepared.backward();
    heapBytes += THREADS.getCurrentThreadAllocatedBytes() - before;
    stream.synchronize();
  }

  /** What the last passes have allocated on the Java heap. */
  long heapBytes() {
    return heapBytes;
  }

  long allocatedBytes() {
    return device.allocatedBytes();
  }

  long bytesSent() {
    return groups.bytesSent();
  }

  /** Writes this rank's rows of a tensor to their places. */
  void collect(Part part, MemorySegment global) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment local = arena.allocate(buffers.get(part).byteSize(), 64);
      buffers.get(part).copyTo(local);
      plan.scatter(local, part.bytesPerRow(config), groups.cpRank(), global);
    }
  }

  @Override
  public void close() {
    prepared.close();
    attention.close();
    stream.close();
    buffers.values().forEach(DeviceBuffer::close);
    groups.close();
  }
}
