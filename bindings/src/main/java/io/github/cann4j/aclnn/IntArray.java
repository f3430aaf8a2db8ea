// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.NativeHandle;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** An {@code aclIntArray} for the length of one call. */
final class IntArray implements AutoCloseable {
  private final MemorySegment pointer;

  IntArray(long[] values) {
    MemorySegment block = Scratch.get().block(8L * values.length);
    MemorySegment.copy(values, 0, block, ValueLayout.JAVA_LONG, 0, values.length);
    pointer = create(block, values.length);
  }

  IntArray(int[] values) {
    MemorySegment block = Scratch.get().block(8L * values.length);
    for (int i = 0; i < values.length; i++) {
      block.setAtIndex(ValueLayout.JAVA_LONG, i, values[i]);
    }
    pointer = create(block, values.length);
  }

  private static MemorySegment create(MemorySegment block, int count) {
    MemorySegment created = cann_h.aclCreateIntArray(block, count);
    if (created.equals(MemorySegment.NULL)) {
      NativeHandle.requireCreated(
          created,
          "aclCreateIntArray",
          Arrays.toString(block.asSlice(0, 8L * count).toArray(ValueLayout.JAVA_LONG)));
    }
    return created;
  }

  MemorySegment pointer() {
    return pointer;
  }

  @Override
  public void close() {
    cann_h.aclDestroyIntArray(pointer);
  }
}
