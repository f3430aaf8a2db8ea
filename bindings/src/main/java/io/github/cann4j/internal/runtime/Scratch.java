// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.runtime;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Native memory of one thread for out-parameters and short arrays, so that a call allocates
 * nothing. Its content is valid only between filling it and the end of the one native call.
 */
public final class Scratch {
  private static final ThreadLocal<Scratch> CURRENT = ThreadLocal.withInitial(Scratch::new);

  private final MemorySegment first;
  private final MemorySegment second;
  private MemorySegment block;

  private Scratch() {
    MemorySegment slots = Arena.ofAuto().allocate(16, 8);
    first = slots.asSlice(0, 8);
    second = slots.asSlice(8, 8);
    block = Arena.ofAuto().allocate(1024, 16);
  }

  /** The scratch of the calling thread. */
  public static Scratch get() {
    return CURRENT.get();
  }

  /** The first out-parameter, 8 bytes, zeroed. */
  public MemorySegment first() {
    first.set(ValueLayout.JAVA_LONG, 0, 0);
    return first;
  }

  /** The second out-parameter, 8 bytes, zeroed. */
  public MemorySegment second() {
    second.set(ValueLayout.JAVA_LONG, 0, 0);
    return second;
  }

  /** What a call has put into the first out-parameter. */
  public long firstValue() {
    return first.get(ValueLayout.JAVA_LONG, 0);
  }

  /** What a call has put into the second out-parameter. */
  public long secondValue() {
    return second.get(ValueLayout.JAVA_LONG, 0);
  }

  /** A block of at least so many bytes; the content is undefined. */
  public MemorySegment block(long bytes) {
    if (block.byteSize() < bytes) {
      block = Arena.ofAuto().allocate(Math.max(bytes, 2 * block.byteSize()), 16);
    }
    return block;
  }
}
