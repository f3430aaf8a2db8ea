// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Memory of a device. The host cannot read it, on the CPU backend either: data goes in and out by
 * copies only.
 *
 * <p>Blocking copies do not wait for streams: whoever wrote the data must have been synchronized.
 * Offsets and sizes are in bytes. Platform threads only; a buffer must not be closed while another
 * thread submits work on it.
 */
public final class DeviceBuffer implements AutoCloseable {
  // Heap segments are copied through native memory of this size.
  private static final long STAGE_BYTES = 4L << 20;
  private static final long MAX_WIDTH = 5_000_000;
  private static final long MAX_HEIGHT = 5_242_880;

  private final Device device;
  private final MemorySegment address;
  private final long byteSize;
  private final boolean owned;
  private volatile boolean closed;

  DeviceBuffer(Device device, MemorySegment address, long byteSize, boolean owned) {
    this.device = device;
    this.address = address;
    this.byteSize = byteSize;
    this.owned = owned;
  }

  /**
   * Wraps device memory that another framework owns. Closing the wrapper leaves the memory alone.
   *
   * @param device the device of the memory
   * @param address its address there, not 0
   * @param byteSize its size, at least 1
   * @return a wrapper without ownership
   */
  public static DeviceBuffer wrap(Device device, long address, long byteSize) {
    Objects.requireNonNull(device, "device");
    if (address == 0 || byteSize <= 0) {
      throw new IllegalArgumentException(
          "not device memory: address 0x%x, byteSize %d".formatted(address, byteSize));
    }
    return new DeviceBuffer(device, MemorySegment.ofAddress(address), byteSize, false);
  }

  /**
   * Returns the device.
   *
   * @return the device that has the memory
   */
  public Device device() {
    return device;
  }

  /**
   * Returns the size.
   *
   * @return bytes
   */
  public long byteSize() {
    return byteSize;
  }

  /**
   * Returns the address on the device; the host must not read there.
   *
   * @return the address
   * @throws IllegalStateException if the buffer is closed
   */
  public long address() {
    return segment().address();
  }

  /** The address as a pointer argument. */
  MemorySegment segment() {
    if (closed) {
      throw new IllegalStateException("%s is closed".formatted(this));
    }
    return address;
  }

  /**
   * Copies from the host to the start of the buffer and waits ({@code aclrtMemcpy}).
   *
   * @param host the bytes to copy, heap or native
   */
  public void copyFrom(MemorySegment host) {
    copyFrom(0, host);
  }

  /**
   * Copies from the host and waits ({@code aclrtMemcpy}).
   *
   * @param offset where to in this buffer
   * @param host the bytes to copy, heap or native
   */
  public void copyFrom(long offset, MemorySegment host) {
    requireRange(offset, host.byteSize());
    MemorySegment target = segment();
    device.makeCurrent();
    int kind = cann_h.ACL_MEMCPY_HOST_TO_DEVICE();
    if (host.isNative()) {
      copy(at(target, offset), host, host.byteSize(), kind);
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stage = arena.allocate(Math.max(1, Math.min(STAGE_BYTES, host.byteSize())), 64);
      for (long done = 0; done < host.byteSize(); done += stage.byteSize()) {
        long bytes = Math.min(stage.byteSize(), host.byteSize() - done);
        MemorySegment.copy(host, done, stage, 0, bytes);
        copy(at(target, offset + done), stage, bytes, kind);
      }
    }
  }

  /**
   * Copies the start of the buffer to the host and waits ({@code aclrtMemcpy}).
   *
   * @param host what to fill, heap or native
   */
  public void copyTo(MemorySegment host) {
    copyTo(0, host);
  }

  /**
   * Copies to the host and waits ({@code aclrtMemcpy}).
   *
   * @param offset where from in this buffer
   * @param host what to fill, heap or native
   */
  public void copyTo(long offset, MemorySegment host) {
    requireRange(offset, host.byteSize());
    if (host.isReadOnly()) {
      throw new IllegalArgumentException("the target segment is read-only");
    }
    MemorySegment source = segment();
    device.makeCurrent();
    int kind = cann_h.ACL_MEMCPY_DEVICE_TO_HOST();
    if (host.isNative()) {
      copy(host, at(source, offset), host.byteSize(), kind);
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stage = arena.allocate(Math.max(1, Math.min(STAGE_BYTES, host.byteSize())), 64);
      for (long done = 0; done < host.byteSize(); done += stage.byteSize()) {
        long bytes = Math.min(stage.byteSize(), host.byteSize() - done);
        copy(stage, at(source, offset + done), bytes, kind);
        MemorySegment.copy(stage, 0, host, done, bytes);
      }
    }
  }

  private void copy(MemorySegment target, MemorySegment source, long bytes, int kind) {
    if (bytes > 0) {
      device.check(cann_h.aclrtMemcpy(target, bytes, source, bytes, kind), "aclrtMemcpy");
    }
  }

  /**
   * Submits a copy from pinned host memory ({@code aclrtMemcpyAsync}). The source must stay
   * unchanged and open until the stream has passed.
   *
   * @param offset where to in this buffer
   * @param source pinned memory
   * @param sourceOffset where from in the source
   * @param bytes how much; 0 submits nothing
   * @param stream a stream of this device
   */
  public void copyFromAsync(
      long offset, PinnedBuffer source, long sourceOffset, long bytes, Stream stream) {
    requireRange(offset, bytes);
    source.requireRange(sourceOffset, bytes);
    copyAsync(
        at(segment(), offset),
        at(source.pointer(), sourceOffset),
        bytes,
        cann_h.ACL_MEMCPY_HOST_TO_DEVICE(),
        stream);
  }

  /**
   * Submits a copy to pinned host memory ({@code aclrtMemcpyAsync}). The target is filled once the
   * stream has passed, and must stay open until then.
   *
   * @param offset where from in this buffer
   * @param target pinned memory
   * @param targetOffset where to in the target
   * @param bytes how much; 0 submits nothing
   * @param stream a stream of this device
   */
  public void copyToAsync(
      long offset, PinnedBuffer target, long targetOffset, long bytes, Stream stream) {
    requireRange(offset, bytes);
    target.requireRange(targetOffset, bytes);
    copyAsync(
        at(target.pointer(), targetOffset),
        at(segment(), offset),
        bytes,
        cann_h.ACL_MEMCPY_DEVICE_TO_HOST(),
        stream);
  }

  /**
   * Submits a copy within the device ({@code aclrtMemcpyAsync}).
   *
   * @param offset where to in this buffer
   * @param source a buffer of the same device; the ranges must not overlap
   * @param sourceOffset where from in the source
   * @param bytes how much; 0 submits nothing
   * @param stream a stream of this device
   */
  public void copyFromAsync(
      long offset, DeviceBuffer source, long sourceOffset, long bytes, Stream stream) {
    requireRange(offset, bytes);
    source.requireRange(sourceOffset, bytes);
    device.require(source.device, "the source");
    MemorySegment from = at(source.segment(), sourceOffset);
    MemorySegment to = at(segment(), offset);
    if (from.address() < to.address() + bytes && to.address() < from.address() + bytes) {
      throw new IllegalArgumentException(
          "source and target overlap: %d bytes from offset %d to offset %d of the same memory"
              .formatted(bytes, sourceOffset, offset));
    }
    copyAsync(to, from, bytes, cann_h.ACL_MEMCPY_DEVICE_TO_DEVICE(), stream);
  }

  /**
   * Submits a copy of rows from pinned host memory ({@code aclrtMemcpy2dAsync}). The source must
   * stay unchanged and open until the stream has passed.
   *
   * @param offset where the first row goes in this buffer
   * @param pitch from row to row in this buffer, at least {@code width}
   * @param source pinned memory
   * @param sourceOffset where the first row is in the source
   * @param sourcePitch from row to row in the source, at least {@code width}
   * @param width bytes of a row, up to 5,000,000
   * @param height rows, up to 5,242,880; 0 submits nothing
   * @param stream a stream of this device
   */
  public void copyFromAsync(
      long offset,
      long pitch,
      PinnedBuffer source,
      long sourceOffset,
      long sourcePitch,
      long width,
      long height,
      Stream stream) {
    requireRange(offset, rowsSize(pitch, width, height));
    source.requireRange(sourceOffset, rowsSize(sourcePitch, width, height));
    copyRowsAsync(
        at(segment(), offset),
        pitch,
        at(source.pointer(), sourceOffset),
        sourcePitch,
        width,
        height,
        cann_h.ACL_MEMCPY_HOST_TO_DEVICE(),
        stream);
  }

  /**
   * Submits a copy of rows to pinned host memory ({@code aclrtMemcpy2dAsync}). The target is filled
   * once the stream has passed, and must stay open until then.
   *
   * @param offset where the first row is in this buffer
   * @param pitch from row to row in this buffer, at least {@code width}
   * @param target pinned memory
   * @param targetOffset where the first row goes in the target
   * @param targetPitch from row to row in the target, at least {@code width}
   * @param width bytes of a row, up to 5,000,000
   * @param height rows, up to 5,242,880; 0 submits nothing
   * @param stream a stream of this device
   */
  public void copyToAsync(
      long offset,
      long pitch,
      PinnedBuffer target,
      long targetOffset,
      long targetPitch,
      long width,
      long height,
      Stream stream) {
    requireRange(offset, rowsSize(pitch, width, height));
    target.requireRange(targetOffset, rowsSize(targetPitch, width, height));
    copyRowsAsync(
        at(target.pointer(), targetOffset),
        targetPitch,
        at(segment(), offset),
        pitch,
        width,
        height,
        cann_h.ACL_MEMCPY_DEVICE_TO_HOST(),
        stream);
  }

  private static long rowsSize(long pitch, long width, long height) {
    if (width < 0 || width > MAX_WIDTH || height < 0 || height > MAX_HEIGHT || pitch < width) {
      throw new IllegalArgumentException(
          "rows have up to %d bytes, are up to %d, and do not overlap: width %d, height %d, pitch %d"
              .formatted(MAX_WIDTH, MAX_HEIGHT, width, height, pitch));
    }
    return height == 0 ? 0 : Math.addExact(Math.multiplyExact(height - 1, pitch), width);
  }

  private void copyRowsAsync(
      MemorySegment target,
      long targetPitch,
      MemorySegment source,
      long sourcePitch,
      long width,
      long height,
      int kind,
      Stream stream) {
    device.require(stream.device(), "the stream");
    MemorySegment queue = stream.handle();
    if (width == 0 || height == 0) {
      return;
    }
    device.makeCurrent();
    device.check(
        cann_h.aclrtMemcpy2dAsync(
            target, targetPitch, source, sourcePitch, width, height, kind, queue),
        "aclrtMemcpy2dAsync");
  }

  private void copyAsync(
      MemorySegment target, MemorySegment source, long bytes, int kind, Stream stream) {
    device.require(stream.device(), "the stream");
    MemorySegment queue = stream.handle();
    if (bytes == 0) {
      return;
    }
    device.makeCurrent();
    device.check(
        cann_h.aclrtMemcpyAsync(target, bytes, source, bytes, kind, queue), "aclrtMemcpyAsync");
  }

  /**
   * Submits filling a range with one byte ({@code aclrtMemsetAsync}).
   *
   * @param offset where the range begins
   * @param bytes how much; 0 submits nothing
   * @param value the byte
   * @param stream a stream of this device
   */
  public void fillAsync(long offset, long bytes, byte value, Stream stream) {
    requireRange(offset, bytes);
    device.require(stream.device(), "the stream");
    MemorySegment queue = stream.handle();
    MemorySegment target = at(segment(), offset);
    if (bytes == 0) {
      return;
    }
    device.makeCurrent();
    device.check(
        cann_h.aclrtMemsetAsync(target, bytes, Byte.toUnsignedInt(value), bytes, queue),
        "aclrtMemsetAsync");
  }

  private void requireRange(long offset, long bytes) {
    requireRange(offset, bytes, byteSize);
  }

  static void requireRange(long offset, long bytes, long byteSize) {
    if (offset < 0 || bytes < 0 || offset > byteSize - bytes) {
      throw new IllegalArgumentException(
          "%d bytes at offset %d do not lie within a buffer of %d bytes"
              .formatted(bytes, offset, byteSize));
    }
  }

  private static MemorySegment at(MemorySegment base, long offset) {
    return offset == 0 ? base : MemorySegment.ofAddress(base.address() + offset);
  }

  /**
   * Waits for all work of the device, then frees the memory ({@code aclrtSynchronizeDevice}, {@code
   * aclrtFree}). A wrapper is only marked closed.
   *
   * @throws AclException also for a failure of earlier asynchronous work; the memory is freed even
   *     then
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    if (owned) {
      device.makeCurrent();
      closed = true;
      device.deviceMemory().freeAfterDevice(address, byteSize);
    }
    closed = true;
  }

  /**
   * Closes the buffer without waiting: the memory is freed once the stream has passed all work
   * submitted so far, during a later allocation or close on the device. Work on other streams must
   * be ordered before that by events. A wrapper is only marked closed.
   *
   * @param stream a stream of this device
   */
  public synchronized void closeAfter(Stream stream) {
    device.require(stream.device(), "the stream");
    if (closed) {
      return;
    }
    if (owned) {
      device.deviceMemory().freeAfter(stream, address, byteSize);
    }
    closed = true;
  }

  /**
   * Tells whether the buffer is closed.
   *
   * @return whether {@link #close} or {@link #closeAfter} was called
   */
  public boolean isClosed() {
    return closed;
  }

  @Override
  public String toString() {
    return "buffer of %d bytes at 0x%x on %s".formatted(byteSize, address.address(), device);
  }
}
