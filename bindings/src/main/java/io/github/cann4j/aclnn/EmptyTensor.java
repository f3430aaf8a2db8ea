// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.NativeHandle;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.Map;

/**
 * Tensors of shape [0] for outputs that an operator declares but never writes and that may not be
 * NULL; one per type for the life of the process.
 */
final class EmptyTensor {
  private static final Map<DataType, MemorySegment> MADE = new EnumMap<>(DataType.class);

  private EmptyTensor() {}

  static MemorySegment of(DataType type) {
    synchronized (MADE) {
      MemorySegment known = MADE.get(type);
      if (known == null) {
        MemorySegment zero = Scratch.get().block(8);
        zero.set(ValueLayout.JAVA_LONG, 0, 0);
        known =
            cann_h.aclCreateTensor(
                zero,
                1,
                type.aclCode(),
                MemorySegment.NULL,
                0,
                cann_h.ACL_FORMAT_ND(),
                zero,
                1,
                MemorySegment.NULL);
        NativeHandle.requireCreated(known, "aclCreateTensor", type + "[0]");
        MADE.put(type, known);
      }
      return known;
    }
  }
}
