// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Conversions between {@code float} and the 16-bit types. Narrowing rounds to nearest, ties to
 * even; NaN stays NaN; values beyond the range become infinite. Stateless, for any thread.
 */
public final class HalfFloats {
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private HalfFloats() {}

  /**
   * Rounds to bf16.
   *
   * @param value any value
   * @return the bits of the nearest bf16
   */
  public static short floatToBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      // Rounding could carry a NaN's payload into the exponent, or drop it and leave infinity.
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
  }

  /**
   * Widens bf16, exactly.
   *
   * @param bits the bits of a bf16
   * @return its value
   */
  public static float bf16ToFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /**
   * Rounds to IEEE half precision.
   *
   * @param value any value
   * @return the bits of the nearest half
   */
  public static short floatToFp16(float value) {
    return Float.floatToFloat16(value);
  }

  /**
   * Widens IEEE half precision, exactly.
   *
   * @param bits the bits of a half
   * @return its value
   */
  public static float fp16ToFloat(short bits) {
    return Float.float16ToFloat(bits);
  }

  /**
   * Writes an array as elements of a type.
   *
   * @param type FLOAT, FLOAT16 or BF16
   * @param source the values
   * @param target at least {@code source.length} elements, heap or native, any alignment
   * @throws IllegalArgumentException if the type is another or the target is too small
   */
  public static void encode(DataType type, float[] source, MemorySegment target) {
    requireFloat(type);
    long needed = (long) source.length * type.byteSize();
    if (target.byteSize() < needed) {
      throw new IllegalArgumentException(
          "the target has %d bytes, %d values of %s need %d"
              .formatted(target.byteSize(), source.length, type, needed));
    }
    switch (type) {
      case FLOAT -> MemorySegment.copy(source, 0, target, FLOAT, 0, source.length);
      case FLOAT16 -> {
        for (int i = 0; i < source.length; i++) {
          target.set(SHORT, 2L * i, floatToFp16(source[i]));
        }
      }
      default -> {
        for (int i = 0; i < source.length; i++) {
          target.set(SHORT, 2L * i, floatToBf16(source[i]));
        }
      }
    }
  }

  /**
   * Reads all elements of a segment.
   *
   * @param type FLOAT, FLOAT16 or BF16
   * @param source whole elements, heap or native, any alignment
   * @return their values
   * @throws IllegalArgumentException if the type is another, or the size is no multiple of an
   *     element's or beyond an array's
   */
  public static float[] decode(DataType type, MemorySegment source) {
    requireFloat(type);
    long count = source.byteSize() / type.byteSize();
    if (count * type.byteSize() != source.byteSize() || count > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          "%d bytes are not an array of %s".formatted(source.byteSize(), type));
    }
    float[] values = new float[(int) count];
    switch (type) {
      case FLOAT -> MemorySegment.copy(source, FLOAT, 0, values, 0, values.length);
      case FLOAT16 -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = fp16ToFloat(source.get(SHORT, 2L * i));
        }
      }
      default -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = bf16ToFloat(source.get(SHORT, 2L * i));
        }
      }
    }
    return values;
  }

  private static void requireFloat(DataType type) {
    if (type != DataType.FLOAT && type != DataType.FLOAT16 && type != DataType.BF16) {
      throw new IllegalArgumentException("type must be FLOAT, FLOAT16 or BF16, not " + type);
    }
  }
}
