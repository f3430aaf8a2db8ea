// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.internal.runtime.NativeHandle;
import java.lang.foreign.MemorySegment;

/** The {@code aclIntArray}s of an attention operator; an empty array stands for none. */
final class NativeArrays {
  private final MemorySegment[] pointers = new MemorySegment[5];

  private NativeArrays() {}

  /** Makes arrays that live until the owner is garbage. */
  static NativeArrays ownedBy(Object owner, long[]... values) {
    NativeArrays arrays = new NativeArrays();
    for (int i = 0; i < values.length; i++) {
      arrays.pointers[i] = MemorySegment.NULL;
      if (values[i].length > 0) {
        IntArray made = new IntArray(values[i]);
        NativeHandle.whenGarbage(owner, made::close);
        arrays.pointers[i] = made.pointer();
      }
    }
    return arrays;
  }

  MemorySegment prefix() {
    return pointers[0];
  }

  MemorySegment actualSeqQLen() {
    return pointers[1];
  }

  MemorySegment actualSeqKvLen() {
    return pointers[2];
  }

  MemorySegment qStartIdx() {
    return pointers[3];
  }

  MemorySegment kvStartIdx() {
    return pointers[4];
  }
}
