// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Host memory that a device copies from and to asynchronously. Any thread may read and write the
 * segment; it is 64-byte aligned.
 */
public final class PinnedBuffer implements AutoCloseable {
  private final Device device;
  private final MemorySegment pointer;
  private final Arena lifetime = Arena.ofShared();
  private final MemorySegment segment;
  private volatile boolean closed;

  PinnedBuffer(Device device, MemorySegment pointer, long byteSize) {
    this.device = device;
    this.pointer = pointer;
    this.segment = pointer.reinterpret(byteSize, lifetime, null);
  }

  /**
   * Returns the size.
   *
   * @return bytes
   */
  public long byteSize() {
    return segment.byteSize();
  }

  /**
   * Returns the memory. Whoever reads what a device wrote, or changes what it reads, synchronizes
   * the stream first.
   *
   * @return a segment that is valid until {@link #close}
   * @throws IllegalStateException if the buffer is closed
   */
  public MemorySegment segment() {
    requireOpen();
    return segment;
  }

  MemorySegment pointer() {
    requireOpen();
    return pointer;
  }

  void requireRange(long offset, long bytes) {
    DeviceBuffer.requireRange(offset, bytes, segment.byteSize());
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException(
          "the pinned buffer of %d bytes is closed".formatted(segment.byteSize()));
    }
  }

  /**
   * Waits for all work of the device, then frees the memory ({@code aclrtSynchronizeDevice}, {@code
   * aclrtFreeHost}).
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    device.makeCurrent();
    // Fails, and leaves the buffer open, while another thread is inside an access of the segment.
    lifetime.close();
    closed = true;
    try {
      device.check(cann_h.aclrtSynchronizeDevice(), "aclrtSynchronizeDevice");
    } finally {
      device.check(cann_h.aclrtFreeHost(pointer), "aclrtFreeHost");
    }
  }
}
