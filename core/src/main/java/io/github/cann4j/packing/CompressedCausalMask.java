// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * The attention mask that CANN's sparse modes 2, 3 and 4 want whatever the sequence length: 2048 x
 * 2048 elements of one byte ({@code UINT8} or {@code BOOL}), row-major, element (r, c) = 1, that is
 * masked out, when c &gt; r.
 */
public final class CompressedCausalMask {
  /** Rows and columns. */
  public static final int SIZE = 2048;

  /** Bytes of the whole mask: 4 MiB. */
  public static final long BYTE_SIZE = (long) SIZE * SIZE;

  private CompressedCausalMask() {}

  /**
   * Writes the mask to host memory.
   *
   * @param target what to fill
   * @throws IllegalArgumentException unless the segment has {@link #BYTE_SIZE} bytes
   */
  public static void fill(MemorySegment target) {
    if (target.byteSize() != BYTE_SIZE) {
      throw new IllegalArgumentException(
          "the compressed causal mask has "
              + BYTE_SIZE
              + " bytes, the segment "
              + target.byteSize());
    }
    for (int row = 0; row < SIZE; row++) {
      long begin = (long) row * SIZE;
      target.asSlice(begin, row + 1).fill((byte) 0);
      target.asSlice(begin + row + 1, SIZE - row - 1).fill((byte) 1);
    }
  }

  /**
   * A new segment with the mask.
   *
   * @param allocator gives the memory
   * @return the mask
   */
  public static MemorySegment allocate(SegmentAllocator allocator) {
    MemorySegment mask = allocator.allocate(BYTE_SIZE, 64);
    fill(mask);
    return mask;
  }
}
