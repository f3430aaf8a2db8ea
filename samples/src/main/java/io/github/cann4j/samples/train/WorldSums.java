// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.ndarray.NDArray;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.PinnedBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.ReduceOp;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * Sums over all ranks. Blocking and collective: every rank calls the same methods in the same
 * order, while nothing else uses the communicator.
 */
final class WorldSums implements AutoCloseable {
  private static final long BUCKET_BYTES = 64L << 20;

  private final Optional<Communicator> world;
  private final ExitGate gate;
  private final Stream stream;
  private final PinnedBuffer pinned;
  private final DeviceBuffer bucket;

  /**
   * Allocates the buffers.
   *
   * @param world all ranks; empty for one rank alone
   * @param elements most elements of FLOAT to be summed at once
   */
  WorldSums(Device device, Optional<Communicator> world, long elements, ExitGate gate) {
    this.world = world;
    this.gate = gate;
    long bytes = Math.clamp(elements * Float.BYTES, 64, BUCKET_BYTES);
    stream = device.createStream();
    pinned = device.allocatePinned(bytes);
    bucket = device.allocate(bytes);
  }

  /** {@return the sums of numbers over all ranks; at most eight} */
  long[] count(long... values) {
    if (world.isEmpty()) {
      return values;
    }
    MemorySegment.copy(values, 0, pinned.segment(), ValueLayout.JAVA_LONG, 0, values.length);
    reduce(DataType.INT64, values.length);
    return pinned.segment().asSlice(0, 8L * values.length).toArray(ValueLayout.JAVA_LONG);
  }

  /** {@return the sum of a number over all ranks, in single precision} */
  double sum(double value) {
    if (world.isEmpty()) {
      return value;
    }
    pinned.segment().set(ValueLayout.JAVA_FLOAT, 0, (float) value);
    reduce(DataType.FLOAT, 1);
    return pinned.segment().get(ValueLayout.JAVA_FLOAT, 0);
  }

  /** Replaces the elements of FLOAT32 arrays by their sums over all ranks. */
  void sum(Collection<NDArray> arrays) {
    if (world.isEmpty()) {
      return;
    }
    Bucket filled = new Bucket();
    for (NDArray array : arrays) {
      MemorySegment elements = HostMemory.of(array);
      for (long done = 0; done < elements.byteSize(); ) {
        long bytes = Math.min(pinned.byteSize() - filled.used, elements.byteSize() - done);
        filled.add(elements.asSlice(done, bytes));
        done += bytes;
        if (filled.used == pinned.byteSize()) {
          filled.reduce();
        }
      }
    }
    filled.reduce();
  }

  /** Pieces of arrays side by side in the pinned memory. */
  private final class Bucket {
    private final List<MemorySegment> pieces = new ArrayList<>();
    private long used;

    void add(MemorySegment piece) {
      MemorySegment.copy(piece, 0, pinned.segment(), used, piece.byteSize());
      pieces.add(piece);
      used += piece.byteSize();
    }

    void reduce() {
      if (used == 0) {
        return;
      }
      WorldSums.this.reduce(DataType.FLOAT, used / Float.BYTES);
      long offset = 0;
      for (MemorySegment piece : pieces) {
        MemorySegment.copy(pinned.segment(), offset, piece, 0, piece.byteSize());
        offset += piece.byteSize();
      }
      pieces.clear();
      used = 0;
    }
  }

  private void reduce(DataType type, long count) {
    Tensor tensor = Tensor.of(bucket, type, count);
    bucket.copyFromAsync(0, pinned, 0, tensor.byteSize(), stream);
    world.orElseThrow().allReduce(tensor, tensor, ReduceOp.SUM, stream);
    bucket.copyToAsync(0, pinned, 0, tensor.byteSize(), stream);
    gate.outside(stream::synchronize);
  }

  @Override
  public void close() {
    stream.close();
    bucket.close();
    pinned.close();
  }
}
