// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.support.Seed;
import java.lang.foreign.MemorySegment;
import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;

class HalfFloatsTest {
  @Test
  void everyBf16SurvivesTheRoundTrip() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = HalfFloats.bf16ToFloat((short) bits);
      short back = HalfFloats.floatToBf16(value);
      if (Float.isNaN(value)) {
        assertTrue(Float.isNaN(HalfFloats.bf16ToFloat(back)), Integer.toHexString(bits));
      } else {
        assertEquals((short) bits, back, Integer.toHexString(bits));
      }
    }
  }

  @Test
  void everyFp16SurvivesTheRoundTripAndEqualsTheToolkits() {
    Cann.ensureAvailable();
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = HalfFloats.fp16ToFloat((short) bits);
      float theirs = cann_h.aclFloat16ToFloat((short) bits);
      if (Float.isNaN(value)) {
        assertTrue(Float.isNaN(theirs), Integer.toHexString(bits));
        short back = HalfFloats.floatToFp16(value);
        assertTrue(Float.isNaN(HalfFloats.fp16ToFloat(back)), Integer.toHexString(bits));
      } else {
        assertEquals(theirs, value, Integer.toHexString(bits));
        assertEquals((short) bits, HalfFloats.floatToFp16(value), Integer.toHexString(bits));
      }
    }
  }

  /** Between each two neighbours: the middle goes to the even one, the rest to the nearer one. */
  @Test
  void everyBf16GapRoundsToNearestEven() {
    for (int low = 0; low < 0x7f80; low++) {
      int base = low << 16;
      for (int sign = 0; sign < 2; sign++) {
        int signBits = sign << 31;
        assertEquals(low, bf16(signBits | base | 0x7fff));
        assertEquals(low + (low & 1), bf16(signBits | base | 0x8000));
        assertEquals(low + 1, bf16(signBits | base | 0x8001));
        assertEquals(low + 1, bf16(signBits | base | 0xffff));
      }
    }
  }

  private static int bf16(int floatBits) {
    return HalfFloats.floatToBf16(Float.intBitsToFloat(floatBits)) & 0x7fff;
  }

  @Test
  void everyNanStaysNanInBf16() {
    for (int mantissa = 1; mantissa < 1 << 23; mantissa++) {
      short bits = HalfFloats.floatToBf16(Float.intBitsToFloat(0x7f800000 | mantissa));
      if (!Float.isNaN(HalfFloats.bf16ToFloat(bits))) {
        throw new AssertionError(Integer.toHexString(mantissa));
      }
    }
  }

  @Test
  void everyFp16GapRoundsToNearestEven() {
    for (int low = 0; low < 0x7bff; low++) {
      float a = HalfFloats.fp16ToFloat((short) low);
      float b = HalfFloats.fp16ToFloat((short) (low + 1));
      float middle = new BigDecimal(a).add(new BigDecimal(b)).divide(BigDecimal.TWO).floatValue();
      assertEquals(low + (low & 1), HalfFloats.floatToFp16(middle));
      assertEquals(low, HalfFloats.floatToFp16(Math.nextDown(middle)));
      assertEquals(low + 1, HalfFloats.floatToFp16(Math.nextUp(middle)));
    }
    assertEquals((short) 0x7c00, HalfFloats.floatToFp16(65520f));
    assertEquals((short) 0x7bff, HalfFloats.floatToFp16(Math.nextDown(65520f)));
  }

  @Test
  void bulkConversionsEqualTheSingleOnes() {
    Random random = Seed.random("bulkConversionsEqualTheSingleOnes");
    float[] values = new float[1001];
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(random.nextInt());
    }
    for (DataType type : new DataType[] {DataType.FLOAT, DataType.FLOAT16, DataType.BF16}) {
      byte[] bytes = new byte[values.length * type.byteSize() + 1];
      // one byte off: no alignment is needed
      MemorySegment segment = MemorySegment.ofArray(bytes).asSlice(1);
      HalfFloats.encode(type, values, segment);
      float[] back = HalfFloats.decode(type, segment);
      float[] expected = new float[values.length];
      for (int i = 0; i < values.length; i++) {
        expected[i] =
            switch (type) {
              case FLOAT -> values[i];
              case FLOAT16 -> HalfFloats.fp16ToFloat(HalfFloats.floatToFp16(values[i]));
              default -> HalfFloats.bf16ToFloat(HalfFloats.floatToBf16(values[i]));
            };
      }
      assertArrayEquals(expected, back, type.name());
    }
  }

  @Test
  void bulkConversionsRefuseOtherTypesAndSizes() {
    MemorySegment small = MemorySegment.ofArray(new byte[7]);
    assertThrows(
        IllegalArgumentException.class,
        () -> HalfFloats.encode(DataType.BF16, new float[4], small));
    assertThrows(IllegalArgumentException.class, () -> HalfFloats.decode(DataType.BF16, small));
    assertThrows(
        IllegalArgumentException.class,
        () -> HalfFloats.encode(DataType.INT32, new float[1], small));
  }
}
