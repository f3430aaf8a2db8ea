// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.NativeHandle;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** An {@code aclScalar} for the length of one call. */
final class ScalarValue implements AutoCloseable {
  private final MemorySegment pointer;

  /** A factor for elements of a type: FLOAT or DOUBLE for floating ones, else a whole number. */
  ScalarValue(double value, DataType elements) {
    MemorySegment block = Scratch.get().block(8);
    DataType type;
    if (elements == DataType.DOUBLE) {
      type = DataType.DOUBLE;
      block.set(ValueLayout.JAVA_DOUBLE, 0, value);
    } else if (elements.isFloating()) {
      type = DataType.FLOAT;
      block.set(ValueLayout.JAVA_FLOAT, 0, (float) value);
    } else {
      if (value != Math.rint(value) || Math.abs(value) > 1L << 53) {
        throw new IllegalArgumentException(
            "the factor %s is not a whole number, which elements of %s need"
                .formatted(value, elements));
      }
      type = DataType.INT64;
      block.set(ValueLayout.JAVA_LONG, 0, (long) value);
    }
    pointer = cann_h.aclCreateScalar(block, type.aclCode());
    if (pointer.equals(MemorySegment.NULL)) {
      NativeHandle.requireCreated(pointer, "aclCreateScalar", value + " as " + type);
    }
  }

  MemorySegment pointer() {
    return pointer;
  }

  @Override
  public void close() {
    cann_h.aclDestroyScalar(pointer);
  }
}
