// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.packing.CompressedCausalMask;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The tables on a device by which kernels know causal, band and prefix masks, whatever the length. */
final class CompressedMasks implements AutoCloseable {
  private static final int PREFIX_ROWS = 1024;

  private final Device device;
  private final DeviceBuffer causal;
  private DeviceBuffer prefix;

  CompressedMasks(Device device) {
    this.device = device;
    causal = device.allocate(CompressedCausalMask.BYTE_SIZE);
    try (Arena arena = Arena.ofConfined()) {
      causal.copyFrom(CompressedCausalMask.allocate(arena));
    }
  }

  /** {@code [2048, 2048]}, for causal and band. */
  Tensor causal() {
    return Tensor.of(
        causal, DataType.UINT8, CompressedCausalMask.SIZE, CompressedCausalMask.SIZE);
  }

  /** {@code [3072, 2048]}: the causal table, and rows that allow their first half. */
  Tensor prefix() {
    long rows = CompressedCausalMask.SIZE + PREFIX_ROWS;
    if (prefix == null) {
      DeviceBuffer buffer = device.allocate(rows * CompressedCausalMask.SIZE);
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment table = arena.allocate(buffer.byteSize(), 64);
        CompressedCausalMask.fill(table.asSlice(0, CompressedCausalMask.BYTE_SIZE));
        for (long row = CompressedCausalMask.SIZE; row < rows; row++) {
          MemorySegment second =
              table.asSlice(
                  row * CompressedCausalMask.SIZE + CompressedCausalMask.SIZE / 2,
                  CompressedCausalMask.SIZE / 2);
          second.fill((byte) 1);
        }
        buffer.copyFrom(table);
      }
      prefix = buffer;
    }
    return Tensor.of(prefix, DataType.UINT8, rows, CompressedCausalMask.SIZE);
  }

  long byteSize() {
    return causal.byteSize() + (prefix == null ? 0 : prefix.byteSize());
  }

  @Override
  public void close() {
    Closing.inOrder(
        causal::close,
        () -> {
          if (prefix != null) {
            prefix.close();
          }
        });
  }
}
