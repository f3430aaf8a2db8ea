// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.ndarray.NDArray;
import java.lang.foreign.MemorySegment;

/** The framework's arrays as memory. */
final class HostMemory {
  private HostMemory() {}

  /**
   * The elements of an array, in place if it is contiguous, which all arrays are that are written
   * so. Valid while the array is open.
   */
  static MemorySegment of(NDArray array) {
    long bytes = array.size() * array.getDataType().getNumOfBytes();
    if (bytes <= Integer.MAX_VALUE) {
      return MemorySegment.ofBuffer(array.toByteBuffer(true));
    }
    // No ByteBuffer is longer: the address of its beginning will do.
    try (NDArray flat = array.reshape(-1);
        NDArray first = flat.get("0:1")) {
      return MemorySegment.ofAddress(MemorySegment.ofBuffer(first.toByteBuffer(true)).address())
          .reinterpret(bytes);
    }
  }
}
