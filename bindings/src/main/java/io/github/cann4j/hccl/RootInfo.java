// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import io.github.cann4j.acl.Device;
import io.github.cann4j.internal.ffi.HcclRootInfo;
import io.github.cann4j.internal.ffi.cann_h;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;

/**
 * What the ranks of one new communicator need to find each other. The root rank creates it, the
 * program brings its bytes to all ranks; each one serves one communicator. Immutable.
 */
public final class RootInfo {
  /** The number of bytes, {@code HCCL_ROOT_INFO_BYTES}. */
  public static final int BYTES = cann_h.HCCL_ROOT_INFO_BYTES();

  private final byte[] bytes;

  private RootInfo(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * Makes new root info ({@code HcclGetRootInfo}).
   *
   * @param device the root rank's device
   * @return the root info
   * @throws HcclException if HCCL refuses
   * @throws IllegalStateException on a virtual thread
   */
  public static RootInfo create(Device device) {
    device.makeCurrent();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = HcclRootInfo.allocate(arena);
      HcclErrors.check(cann_h.HcclGetRootInfo(info), "HcclGetRootInfo", -1, 0, "");
      return new RootInfo(info.toArray(ValueLayout.JAVA_BYTE));
    }
  }

  /**
   * Takes bytes that another rank sent.
   *
   * @param bytes {@link #BYTES} bytes of {@link #toBytes}
   * @return the root info
   */
  public static RootInfo ofBytes(byte[] bytes) {
    if (bytes.length != BYTES) {
      throw new IllegalArgumentException(
          "root info has %d bytes, not %d".formatted(BYTES, bytes.length));
    }
    return new RootInfo(bytes.clone());
  }

  /**
   * Returns the bytes to send.
   *
   * @return a new array of {@link #BYTES}
   */
  public byte[] toBytes() {
    return bytes.clone();
  }

  /**
   * Writes the bytes to a file, which appears whole or not at all.
   *
   * @param file where to; replaced if there
   * @throws IOException if that fails
   */
  public void writeTo(Path file) throws IOException {
    Path directory = file.toAbsolutePath().getParent();
    Path fresh = Files.createTempFile(directory, ".root-info", null);
    try {
      Files.write(fresh, bytes);
      Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(fresh);
    }
  }

  /**
   * Reads what {@link #writeTo} wrote.
   *
   * @param file where from
   * @return the root info
   * @throws IOException if the file cannot be read
   */
  public static RootInfo readFrom(Path file) throws IOException {
    return ofBytes(Files.readAllBytes(file));
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RootInfo info && Arrays.equals(bytes, info.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }
}
