// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** How one token id is stored: an integer of a given width in native byte order, any alignment. */
public enum TokenType {
  /** Unsigned, 8 bits. */
  UINT8(1, 0, 0xFFL),
  /** Signed, 8 bits. */
  INT8(1, Byte.MIN_VALUE, Byte.MAX_VALUE),
  /** Unsigned, 16 bits. */
  UINT16(2, 0, 0xFFFFL),
  /** Signed, 16 bits. */
  INT16(2, Short.MIN_VALUE, Short.MAX_VALUE),
  /** Unsigned, 32 bits. */
  UINT32(4, 0, 0xFFFF_FFFFL),
  /** Signed, 32 bits. */
  INT32(4, Integer.MIN_VALUE, Integer.MAX_VALUE),
  /** Signed, 64 bits. */
  INT64(8, Long.MIN_VALUE, Long.MAX_VALUE);

  private final int byteSize;
  private final long minimum;
  private final long maximum;

  TokenType(int byteSize, long minimum, long maximum) {
    this.byteSize = byteSize;
    this.minimum = minimum;
    this.maximum = maximum;
  }

  /** {@return bytes of one token id} */
  public int byteSize() {
    return byteSize;
  }

  /** {@return the smallest id that this type holds} */
  public long minimum() {
    return minimum;
  }

  /** {@return the largest id that this type holds} */
  public long maximum() {
    return maximum;
  }

  /**
   * Reads the token at {@code index} (in tokens, not bytes).
   *
   * @param tokens token ids, one per row
   * @param index place of the token
   * @return the id
   * @throws IndexOutOfBoundsException if the segment ends before it
   */
  public long read(MemorySegment tokens, long index) {
    return switch (this) {
      case UINT8 -> tokens.get(ValueLayout.JAVA_BYTE, index) & 0xFFL;
      case INT8 -> tokens.get(ValueLayout.JAVA_BYTE, index);
      case UINT16 -> tokens.get(ValueLayout.JAVA_SHORT_UNALIGNED, index * 2) & 0xFFFFL;
      case INT16 -> tokens.get(ValueLayout.JAVA_SHORT_UNALIGNED, index * 2);
      case UINT32 -> tokens.get(ValueLayout.JAVA_INT_UNALIGNED, index * 4) & 0xFFFF_FFFFL;
      case INT32 -> tokens.get(ValueLayout.JAVA_INT_UNALIGNED, index * 4);
      case INT64 -> tokens.get(ValueLayout.JAVA_LONG_UNALIGNED, index * 8);
    };
  }

  /**
   * Number of tokens that a segment holds.
   *
   * @param tokens token ids, one per row
   * @return their number
   * @throws IllegalArgumentException if its size is no multiple of {@link #byteSize()}
   */
  public long count(MemorySegment tokens) {
    if (tokens.byteSize() % byteSize != 0) {
      throw new IllegalArgumentException(
          "a segment of "
              + tokens.byteSize()
              + " bytes does not hold a whole number of "
              + this
              + " tokens of "
              + byteSize
              + " bytes");
    }
    return tokens.byteSize() / byteSize;
  }
}
