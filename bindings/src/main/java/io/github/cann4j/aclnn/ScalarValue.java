// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.NativeHandle;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** An {@code aclScalar} for the length of one call; those of 1 are kept for the next ones. */
final class ScalarValue implements AutoCloseable {
  private static final Map<DataType, ScalarValue> ONES = new ConcurrentHashMap<>();

  private final MemorySegment pointer;
  private final boolean kept;

  /** A factor for elements of a type: FLOAT or DOUBLE for floating ones, else a whole number. */
  static ScalarValue of(double value, DataType elements) {
    if (value != 1) {
      return new ScalarValue(value, elements, false);
    }
    ScalarValue one = ONES.get(elements);
    return one != null
        ? one
        : ONES.computeIfAbsent(elements, type -> new ScalarValue(value, type, true));
  }

  private ScalarValue(double value, DataType elements, boolean kept) {
    this.kept = kept;
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
    if (!kept) {
      cann_h.aclDestroyScalar(pointer);
    }
  }
}
