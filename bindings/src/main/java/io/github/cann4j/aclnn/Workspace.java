// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Device memory that the operators of one stream work in, one after the other. It grows to the
 * largest need and then stays, so that repeated work allocates nothing. It belongs to the first
 * stream that uses it; another stream could overwrite it during an operator and is refused. Not for
 * several threads at once.
 */
public final class Workspace implements AutoCloseable {
  private static final long GRAIN = 4096;

  private final Device device;
  private final Object lock;
  private DeviceBuffer buffer;
  private MemorySegment pointer = MemorySegment.NULL;
  private MemorySegment owner;
  private boolean closed;

  /**
   * Makes an empty workspace.
   *
   * @param device the device of the stream that will use it
   */
  public Workspace(Device device) {
    this.device = Objects.requireNonNull(device, "device");
    this.lock = SubmissionLock.of(device);
  }

  /**
   * Returns the present size.
   *
   * @return bytes, 0 before the first operator that needs some
   */
  public long byteSize() {
    return buffer == null ? 0 : buffer.byteSize();
  }

  /** The lock under which operators of the device are submitted. */
  Object lock() {
    return lock;
  }

  /** Throws unless operators of the stream may use this workspace. */
  void require(Stream stream) {
    if (closed) {
      throw new IllegalStateException("the workspace of " + device + " is closed");
    }
    if (stream.device() != device) {
      throw new IllegalArgumentException(
          "the workspace is on %s, the stream on %s".formatted(device, stream.device()));
    }
    if (owner == null) {
      owner = stream.handle();
    } else if (!owner.equals(stream.handle())) {
      throw new IllegalArgumentException(
          "the workspace serves stream 0x%x, not %s; each stream needs its own"
              .formatted(owner.address(), stream));
    }
  }

  /** Memory for the stream's next operator, NULL for none; grows if needed. */
  MemorySegment reserve(long bytes, Stream stream) {
    if (bytes == 0) {
      return MemorySegment.NULL;
    }
    if (byteSize() < bytes) {
      if (buffer != null) {
        buffer.closeAfter(stream);
        buffer = null;
      }
      buffer = device.allocate(Math.ceilDiv(bytes, GRAIN) * GRAIN);
      pointer = MemorySegment.ofAddress(buffer.address());
    }
    return pointer;
  }

  /** Waits for the device and frees the memory. */
  @Override
  public void close() {
    closed = true;
    if (buffer != null) {
      buffer.close();
    }
  }
}
