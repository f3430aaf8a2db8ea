// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import java.lang.foreign.MemorySegment;

/** The {@code aclIntArray}s of one attention call; an empty array stands for none. */
final class NativeArrays implements AutoCloseable {
  private final IntArray[] made = new IntArray[5];

  NativeArrays(long[]... values) {
    try {
      for (int i = 0; i < values.length; i++) {
        made[i] = values[i].length == 0 ? null : new IntArray(values[i]);
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private MemorySegment pointer(int i) {
    return made[i] == null ? MemorySegment.NULL : made[i].pointer();
  }

  MemorySegment prefix() {
    return pointer(0);
  }

  MemorySegment actualSeqQLen() {
    return pointer(1);
  }

  MemorySegment actualSeqKvLen() {
    return pointer(2);
  }

  MemorySegment qStartIdx() {
    return pointer(3);
  }

  MemorySegment kvStartIdx() {
    return pointer(4);
  }

  @Override
  public void close() {
    for (IntArray array : made) {
      if (array != null) {
        array.close();
      }
    }
  }
}
