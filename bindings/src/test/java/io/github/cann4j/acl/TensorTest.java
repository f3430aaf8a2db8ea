// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class TensorTest {
  private DeviceBuffer buffer;

  @BeforeEach
  void allocate() {
    buffer = Device.open(0).allocate(4 * 120);
  }

  @AfterEach
  void free() {
    buffer.close();
  }

  @Test
  void viewsShareTheBuffer() {
    Tensor whole = Tensor.of(buffer, DataType.FLOAT, 2, 3, 4);
    assertEquals(24, whole.elements());
    assertArrayEquals(new long[] {12, 4, 1}, whole.strides());
    assertTrue(whole.isContiguous());

    Tensor slice = whole.slice(1, 1, 3);
    assertArrayEquals(new long[] {2, 2, 4}, slice.shape());
    assertEquals(16, slice.byteOffset());
    assertEquals(buffer.address() + 16, slice.address());
    assertFalse(slice.isContiguous());
    assertFalse(slice.isAligned());

    Tensor rows = whole.slice(0, 1, 2);
    assertTrue(rows.isContiguous(), "one row of the first dimension");
    assertEquals(48, rows.byteOffset());
    assertArrayEquals(new long[] {12}, rows.reshape(12).shape());

    Tensor turned = whole.permute(2, 0, 1);
    assertArrayEquals(new long[] {4, 2, 3}, turned.shape());
    assertArrayEquals(new long[] {1, 12, 4}, turned.strides());
    assertFalse(turned.isContiguous());
    assertThrows(IllegalArgumentException.class, () -> turned.reshape(24));
  }

  @Test
  void emptyAndScalarViewsAreFine() {
    assertEquals(0, Tensor.of(buffer, 480, DataType.FLOAT, 0, 5).elements());
    assertEquals(1, Tensor.of(buffer, DataType.FLOAT).elements());
    assertTrue(Tensor.of(buffer, DataType.FLOAT, 3, 0).isContiguous());
    assertEquals(0, Tensor.of(buffer, DataType.FLOAT, 3, 4).slice(0, 3, 3).elements());
  }

  @Test
  void badViewsAreRefusedWithTheirValues() {
    String message =
        assertThrows(
                IllegalArgumentException.class, () -> Tensor.of(buffer, DataType.FLOAT, 11, 11))
            .getMessage();
    assertTrue(message.contains("[11, 11]") && message.contains("480"), message);
    assertThrows(IllegalArgumentException.class, () -> Tensor.of(buffer, 2, DataType.FLOAT, 1));
    assertThrows(IllegalArgumentException.class, () -> Tensor.of(buffer, -4, DataType.FLOAT, 1));
    assertThrows(IllegalArgumentException.class, () -> Tensor.of(buffer, DataType.FLOAT, -1));
    assertThrows(
        IllegalArgumentException.class, () -> Tensor.of(buffer, DataType.FLOAT, Long.MAX_VALUE, 4));
    assertThrows(
        IllegalArgumentException.class,
        () -> Tensor.of(buffer, DataType.FLOAT, 1L << 32, 1L << 32));
    assertThrows(
        IllegalArgumentException.class,
        () -> Tensor.of(buffer, DataType.FLOAT, 1, 1, 1, 1, 1, 1, 1, 1, 1));
    assertThrows(
        IllegalArgumentException.class,
        () -> Tensor.strided(buffer, 0, DataType.FLOAT, new long[] {2, 2}, new long[] {119, 2}));
    assertThrows(
        IllegalArgumentException.class,
        () -> Tensor.strided(buffer, 0, DataType.FLOAT, new long[] {2}, new long[] {1, 1}));
    Tensor tensor = Tensor.of(buffer, DataType.FLOAT, 4, 5);
    assertThrows(IllegalArgumentException.class, () -> tensor.slice(0, 3, 5));
    assertThrows(IllegalArgumentException.class, () -> tensor.slice(2, 0, 0));
    assertThrows(IllegalArgumentException.class, () -> tensor.permute(0, 0));
    assertThrows(IllegalArgumentException.class, () -> tensor.reshape(19));
    assertThrows(IllegalArgumentException.class, () -> tensor.size(-1));
  }

  @Test
  void theHandleDescribesTheView() {
    Tensor view = Tensor.of(buffer, 80, DataType.FLOAT, 4, 5).permute(1, 0);
    MemorySegment handle = view.handle();
    assertEquals(handle, view.handle(), "cached");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(8);
      MemorySegment count = arena.allocate(8);
      assertEquals(0, cann_h.aclGetViewOffset(handle, out));
      assertEquals(20, out.get(ValueLayout.JAVA_LONG, 0));
      assertEquals(0, cann_h.aclGetDataType(handle, out));
      assertEquals(DataType.FLOAT.aclCode(), out.get(ValueLayout.JAVA_INT, 0));
      assertEquals(0, cann_h.aclGetViewShape(handle, out, count));
      assertEquals(2, count.get(ValueLayout.JAVA_LONG, 0));
      MemorySegment dims = out.get(ValueLayout.ADDRESS, 0).reinterpret(16);
      assertArrayEquals(new long[] {5, 4}, dims.toArray(ValueLayout.JAVA_LONG));
      assertEquals(0, cann_h.aclGetViewStrides(handle, out, count));
      MemorySegment strides = out.get(ValueLayout.ADDRESS, 0).reinterpret(16);
      assertArrayEquals(new long[] {1, 5}, strides.toArray(ValueLayout.JAVA_LONG));
      assertEquals(0, cann_h.aclGetRawTensorAddr(handle, out));
      assertEquals(buffer.address(), out.get(ValueLayout.JAVA_LONG, 0));
    }
  }
}
