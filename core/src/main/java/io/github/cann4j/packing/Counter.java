// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Writes consecutive 64-bit integers. Not thread-safe. */
final class Counter {
  // Few enough to stay in the nearest cache: most numbers are copied from here.
  private static final long[] FIRST = new long[1024];

  static {
    for (int i = 0; i < FIRST.length; i++) {
      FIRST[i] = i;
    }
  }

  private long[] moved;

  /** Writes {@code first, first + 1, …} to some elements of a segment, in native byte order. */
  void write(long first, long count, MemorySegment target, long index) {
    long from = first;
    long to = index;
    if (from < FIRST.length) {
      int part = (int) Math.min(FIRST.length - from, count);
      copy(FIRST, (int) from, part, target, to);
      from += part;
      to += part;
    }
    long end = index + count;
    while (to < end) {
      int part = (int) Math.min(FIRST.length, end - to);
      copy(from(from), 0, part, target, to);
      from += part;
      to += part;
    }
  }

  private long[] from(long first) {
    if (moved == null) {
      moved = new long[FIRST.length];
    }
    long[] numbers = moved;
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = FIRST[i] + first;
    }
    return numbers;
  }

  private static void copy(long[] numbers, int from, int count, MemorySegment target, long to) {
    MemorySegment.copy(numbers, from, target, ValueLayout.JAVA_LONG_UNALIGNED, to * 8, count);
  }
}
