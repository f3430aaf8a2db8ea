// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Finding documents and numbering their rows, against loops that do one row after the other. */
class PackingRandomTest {
  private static final int CASES = 60;

  @ParameterizedTest
  @EnumSource
  void equalsTheRowByRowWay(TokenType type) {
    long seed = Long.getLong("cann4j.test.seed", System.nanoTime());
    System.out.println("PackingRandomTest: -Dcann4j.test.seed=" + seed);
    Random random = new Random(seed);
    try (Arena arena = Arena.ofConfined()) {
      for (int i = 0; i < CASES; i++) {
        check(type, random, arena);
      }
    }
  }

  private static void check(TokenType type, Random random, Arena arena) {
    int length = 1 + random.nextInt(random.nextBoolean() ? 200 : 5000);
    int valid = random.nextInt(3) == 0 ? random.nextInt(length + 1) : length;
    int meanDocument = 1 + random.nextInt(random.nextBoolean() ? 10 : 3000);
    long vocabulary = Math.min(type.maximum(), 100_000);
    long eod = random.nextLong(vocabulary);
    long[] tokens = new long[length];
    for (int row = 0; row < length; row++) {
      tokens[row] = random.nextInt(meanDocument) == 0 ? eod : random.nextLong(vocabulary);
    }
    MemorySegment segment = segment(tokens, type, random, arena);
    boolean reset = random.nextBoolean();

    List<Long> ends = new ArrayList<>();
    long[] positions = new long[length];
    long[] labels = new long[length];
    float[] weights = new float[length];
    Arrays.fill(labels, PackedSequence.IGNORE_LABEL);
    long origin = 0;
    for (int row = 0; row < valid; row++) {
      boolean ends0 = tokens[row] == eod || row == valid - 1;
      positions[row] = row - (reset ? origin : 0);
      if (ends0) {
        ends.add(row + 1L);
        origin = row + 1;
      } else {
        labels[row] = tokens[row + 1];
        weights[row] = 1;
      }
    }
    PackedSequence expected =
        PackedSequence.ofActualSeqLen(ends.stream().mapToLong(e -> e).toArray(), length);

    assertEquals(expected, PackedSequence.fromEod(segment, type, valid, eod, vocabulary));
    PackedInputs inputs =
        PackedInputs.fromEod(
            segment, type, valid, eod, random.nextBoolean() ? vocabulary : Long.MAX_VALUE, reset);
    assertEquals(expected, inputs.sequence());
    assertArrayEquals(positions, inputs.positionIds());
    assertArrayEquals(labels, inputs.labels());
    assertArrayEquals(weights, inputs.lossWeights());
    int begin = random.nextInt(length + 1);
    int end = begin + random.nextInt(length - begin + 1);
    long[] part = new long[end - begin + 3];
    expected.positionIds(reset, begin, end, part, 3);
    assertArrayEquals(
        Arrays.copyOfRange(positions, begin, end), Arrays.copyOfRange(part, 3, part.length));
    refusesTheFirstTokenOutside(segment, type, tokens, valid, random);
  }

  private static void refusesTheFirstTokenOutside(
      MemorySegment segment, TokenType type, long[] tokens, int valid, Random random) {
    if (valid == 0) {
      return;
    }
    long bound = 1 + tokens[random.nextInt(valid)] / 2;
    int first = 0;
    while (first < valid && tokens[first] < bound) {
      first++;
    }
    if (first < valid) {
      Exception refused =
          assertThrows(
              IllegalArgumentException.class,
              () -> PackedSequence.fromEod(segment, type, valid, 0, bound));
      String words = "token " + tokens[first] + " in row " + first + " ";
      assertTrue(refused.getMessage().startsWith(words), refused.getMessage());
    }
  }

  /** In an array or in native memory, aligned to nothing. */
  private static MemorySegment segment(long[] tokens, TokenType type, Random random, Arena arena) {
    int size = type.byteSize();
    long bytes = (long) tokens.length * size;
    int gap = random.nextInt(9);
    MemorySegment segment =
        switch (random.nextInt(3)) {
          case 0 -> MemorySegment.ofArray(new byte[(int) bytes]);
          case 1 -> MemorySegment.ofArray(new int[(int) bytes / 4 + 4]).asSlice(gap, bytes);
          default -> arena.allocate(bytes + gap).asSlice(gap);
        };
    for (int i = 0; i < tokens.length; i++) {
      switch (size) {
        case 1 -> segment.set(ValueLayout.JAVA_BYTE, i, (byte) tokens[i]);
        case 2 -> segment.set(ValueLayout.JAVA_SHORT_UNALIGNED, i * 2L, (short) tokens[i]);
        case 4 -> segment.set(ValueLayout.JAVA_INT_UNALIGNED, i * 4L, (int) tokens[i]);
        default -> segment.set(ValueLayout.JAVA_LONG_UNALIGNED, i * 8L, tokens[i]);
      }
    }
    return segment;
  }
}
