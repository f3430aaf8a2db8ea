// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Some tokens at a time, in an array: plain loops over arrays are what the JVM makes good code of,
 * whatever the segment is. Tokens of 32 bits stay as they are, smaller ones are widened to that,
 * larger ones have an array of their own.
 */
final class TokenBlock {
  /** The most tokens of a block: few enough to stay in the nearest cache. */
  static final int SIZE = 1024;

  private final TokenType type;
  private final MemorySegment tokens;
  private final long mask;
  private final byte[] bytes;
  private final short[] shorts;
  private final int[] own;
  private final long[] longs;
  private final int[] given;
  private final long givenFrom;
  private int[] ints;
  private int first;
  private long offset;
  private boolean isLoaded = true;
  private final boolean isNative;
  private int count;
  private boolean foundBefore;

  TokenBlock(MemorySegment tokens, TokenType type) {
    this.tokens = tokens;
    this.type = type;
    // Native memory is searched where it is, and copied only for what else is wanted.
    isNative = type.byteSize() == 4 && tokens.isNative();
    mask = type == TokenType.UINT32 ? 0xFFFF_FFFFL : -1;
    bytes = type.byteSize() == 1 ? new byte[SIZE] : null;
    shorts = type.byteSize() == 2 ? new short[SIZE] : null;
    longs = type.byteSize() == 8 ? new long[SIZE] : null;
    // An array of tokens is read where it is.
    given =
        type.byteSize() == 4
                && tokens.address() % 4 == 0
                && tokens.heapBase().orElse(null) instanceof int[] array
            ? array
            : null;
    givenFrom = given == null ? 0 : tokens.address() / 4;
    own = given == null && longs == null ? new int[SIZE] : null;
  }

  /** Goes to some rows, at most {@link #SIZE}. */
  void read(long row, int rows) {
    count = rows;
    offset = row * type.byteSize();
    if (given != null) {
      ints = given;
      first = (int) (givenFrom + row);
      return;
    }
    ints = own;
    switch (type.byteSize()) {
      case 1 -> MemorySegment.copy(tokens, ValueLayout.JAVA_BYTE, offset, bytes, 0, rows);
      case 2 ->
          MemorySegment.copy(tokens, ValueLayout.JAVA_SHORT_UNALIGNED, offset, shorts, 0, rows);
      case 4 -> {
        isLoaded = !isNative;
        if (isLoaded) {
          MemorySegment.copy(tokens, ValueLayout.JAVA_INT_UNALIGNED, offset, own, 0, rows);
        }
      }
      default ->
          MemorySegment.copy(tokens, ValueLayout.JAVA_LONG_UNALIGNED, offset, longs, 0, rows);
    }
    switch (type) {
      case UINT8 -> widen(bytes, 0xFF);
      case INT8 -> widen(bytes, -1);
      case UINT16 -> widen(shorts, 0xFFFF);
      case INT16 -> widen(shorts, -1);
      default -> {}
    }
  }

  private void load() {
    if (!isLoaded) {
      MemorySegment.copy(tokens, ValueLayout.JAVA_INT_UNALIGNED, offset, own, 0, count);
      isLoaded = true;
    }
  }

  private void widen(byte[] source, int unsigned) {
    int[] target = own;
    for (int i = 0; i < count; i++) {
      target[i] = source[i] & unsigned;
    }
  }

  private void widen(short[] source, int unsigned) {
    int[] target = own;
    for (int i = 0; i < count; i++) {
      target[i] = source[i] & unsigned;
    }
  }

  /** The token at a place of the block. */
  long get(int i) {
    load();
    return longs != null ? longs[i] : ints[first + i] & mask;
  }

  /** Writes the tokens from a place of the block on as 64-bit integers. */
  void copyTo(int from, long[] target, int to) {
    if (longs != null) {
      System.arraycopy(longs, from, target, to, count - from);
      return;
    }
    load();
    int[] source = ints;
    int shift = first - to;
    int end = to + count - from;
    for (int i = to; i < end; i++) {
      target[i] = source[i + from + shift] & mask;
    }
  }

  /**
   * Puts the places of a token, in order, at the start of an array of {@link #SIZE}; returns their
   * number.
   */
  int find(long token, int[] places) {
    int found = 0;
    // A look at all of them is cheap, but pays only where there is nothing to find.
    if (foundBefore || contains(token)) {
      found =
          longs != null
              ? find(longs, count, token, places)
              : isNative ? find(tokens, offset, (int) token, places) : find((int) token, places);
    }
    foundBefore = found > 0;
    return found;
  }

  private int find(int token, int[] places) {
    int[] values = ints;
    int from = first;
    int end = first + count;
    int found = 0;
    for (int i = from; i < end; i++) {
      if (values[i] == token) {
        places[found++] = i - from;
      }
    }
    return found;
  }

  private int find(MemorySegment segment, long from, int token, int[] places) {
    MemorySegment part = segment.asSlice(from, count * 4L);
    int found = 0;
    for (int i = 0; i < count; i++) {
      if (part.get(ValueLayout.JAVA_INT_UNALIGNED, i * 4L) == token) {
        places[found++] = i;
      }
    }
    return found;
  }

  private static int find(long[] values, int count, long token, int[] places) {
    int found = 0;
    for (int i = 0; i < count; i++) {
      if (values[i] == token) {
        places[found++] = i;
      }
    }
    return found;
  }

  private boolean contains(long token) {
    load();
    return longs != null
        ? contains(longs, count, token)
        : contains(ints, first, first + count, (int) token);
  }

  // As a minimum, which becomes vector code: the difference is 0, the smallest unsigned integer,
  // for the token alone.
  private static boolean contains(int[] values, int begin, int end, int token) {
    int least = Integer.MAX_VALUE;
    for (int i = begin; i < end; i++) {
      least = Math.min(least, (values[i] ^ token) + Integer.MIN_VALUE);
    }
    return least == Integer.MIN_VALUE;
  }

  private static boolean contains(long[] values, int count, long token) {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < count; i++) {
      least = Math.min(least, (values[i] ^ token) + Long.MIN_VALUE);
    }
    return least == Long.MIN_VALUE;
  }

  /** Whether all tokens are from 0 to {@code bound - 1}. */
  boolean areBelow(long bound) {
    long outside = 0;
    for (int i = 0; i < count; i++) {
      long token = get(i);
      outside |= token | (bound - 1 - token);
    }
    return outside >= 0;
  }
}
