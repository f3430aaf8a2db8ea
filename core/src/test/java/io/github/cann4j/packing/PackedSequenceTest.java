// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PackedSequenceTest {
  private static final int EOD = 0;

  @Test
  void eodBelongsToTheDocumentThatItEnds() {
    PackedSequence sequence = PackedSequence.fromEod(new int[] {5, 6, EOD, 7, EOD}, EOD);
    assertArrayEquals(new long[] {3, 5}, sequence.actualSeqLen());
    assertEquals(0, sequence.documentOf(2));
    assertEquals(1, sequence.documentOf(3));
    assertEquals(5, sequence.validLength());
  }

  @Test
  void lastDocumentMayLackItsEod() {
    assertArrayEquals(
        new long[] {2, 4}, PackedSequence.fromEod(new int[] {5, EOD, 7, 8}, EOD).actualSeqLen());
  }

  @Test
  void eodsInARowMakeDocumentsOfOneRow() {
    assertArrayEquals(
        new long[] {1, 2, 4, 5},
        PackedSequence.fromEod(new int[] {EOD, EOD, 3, EOD, EOD}, EOD).actualSeqLen());
  }

  @Test
  void paddingIsWhatIsSaidNotWhatLooksLikeIt() {
    int[] tokens = {4, EOD, 5, EOD, EOD, EOD};
    PackedSequence sequence = PackedSequence.fromEod(tokens, 3, EOD);
    assertArrayEquals(new long[] {2, 3}, sequence.actualSeqLen());
    assertEquals(6, sequence.length());
    assertEquals(3, sequence.validLength());
    assertEquals(-1, sequence.documentOf(3));
    assertEquals(5, PackedSequence.fromEod(tokens, 6, EOD).documentCount() + 1);
  }

  @Test
  void allPaddingHasNoDocuments() {
    PackedSequence sequence = PackedSequence.fromEod(new int[] {EOD, EOD}, 0, EOD);
    assertEquals(0, sequence.documentCount());
    assertEquals(0, sequence.validLength());
    assertEquals(0, sequence.longestDocument());
    assertArrayEquals(new long[] {0, 0}, sequence.positionIds(true));
    assertArrayEquals(new float[] {0, 0}, sequence.lossWeights());
    assertEquals(sequence, sequence.asOneDocument());
  }

  @Test
  void positionsLabelsAndWeights() {
    int[] tokens = {11, 12, EOD, 13, EOD, EOD, 14, 15, 99, 99};
    PackedSequence sequence = PackedSequence.fromEod(tokens, 8, EOD);
    long none = PackedSequence.IGNORE_LABEL;
    assertArrayEquals(new long[] {3, 5, 6, 8}, sequence.actualSeqLen());
    assertArrayEquals(new long[] {0, 1, 2, 0, 1, 0, 0, 1, 0, 0}, sequence.positionIds(true));
    assertArrayEquals(new long[] {0, 1, 2, 3, 4, 5, 6, 7, 0, 0}, sequence.positionIds(false));
    assertArrayEquals(
        new long[] {12, EOD, none, EOD, none, none, 15, none, none, none}, sequence.labels(tokens));
    assertArrayEquals(new float[] {1, 1, 0, 1, 0, 0, 1, 0, 0, 0}, sequence.lossWeights());
    // Attention that is not reset sees one document; padding stays.
    PackedSequence one = sequence.asOneDocument();
    assertArrayEquals(new long[] {8}, one.actualSeqLen());
    assertEquals(10, one.length());
  }

  @ParameterizedTest
  @EnumSource
  void tokensOfAnyWidth(TokenType type) {
    Random random = new Random(7);
    int count = 257;
    try (Arena arena = Arena.ofConfined()) {
      // One byte off any alignment.
      MemorySegment tokens =
          arena.allocate((long) count * type.byteSize() + 1).asSlice(1, count * type.byteSize());
      long eod = type == TokenType.INT8 ? 127 : 200;
      long[] expected = new long[count];
      int documents = 0;
      for (int i = 0; i < count; i++) {
        long token = random.nextInt(4) == 0 ? eod : 1 + random.nextInt(100);
        put(tokens, type, i, token);
        if (token == eod || i == count - 1) {
          expected[documents++] = i + 1;
        }
      }
      expected = Arrays.copyOf(expected, documents);
      assertArrayEquals(expected, PackedSequence.fromEod(tokens, type, eod).actualSeqLen());
    }
  }

  private static void put(MemorySegment tokens, TokenType type, int i, long token) {
    switch (type.byteSize()) {
      case 1 -> tokens.set(ValueLayout.JAVA_BYTE, i, (byte) token);
      case 2 -> tokens.set(ValueLayout.JAVA_SHORT_UNALIGNED, i * 2L, (short) token);
      case 4 -> tokens.set(ValueLayout.JAVA_INT_UNALIGNED, i * 4L, (int) token);
      default -> tokens.set(ValueLayout.JAVA_LONG_UNALIGNED, i * 8L, token);
    }
  }

  @Test
  void unsignedTypesReadLargeIds() {
    short[] tokens = {1, (short) 65_535, 2};
    assertArrayEquals(new long[] {2, 3}, PackedSequence.fromEod(tokens, 65_535).actualSeqLen());
    MemorySegment ints = MemorySegment.ofArray(new int[] {-1});
    assertEquals(0xFFFF_FFFFL, TokenType.UINT32.read(ints, 0));
    assertEquals(-1, TokenType.INT32.read(ints, 0));
    assertArrayEquals(
        new long[] {1, 2},
        PackedSequence.fromEod(new long[] {1L << 40, 3}, 1L << 40).actualSeqLen());
  }

  @Test
  void everythingInOnePassEqualsPieceByPiece() {
    long seed = Long.getLong("cann4j.test.seed", System.nanoTime());
    System.out.println("PackedSequenceTest: -Dcann4j.test.seed=" + seed);
    Random random = new Random(seed);
    for (int n = 0; n < 500; n++) {
      int[] tokens = random.ints(1 + random.nextInt(40), 0, 4).toArray();
      int valid = random.nextInt(tokens.length + 1);
      MemorySegment segment = MemorySegment.ofArray(tokens);
      for (boolean reset : new boolean[] {false, true}) {
        PackedInputs inputs = PackedInputs.fromEod(segment, TokenType.INT32, valid, EOD, 4, reset);
        PackedSequence sequence = PackedSequence.fromEod(tokens, valid, EOD);
        assertEquals(sequence, inputs.sequence());
        assertArrayEquals(sequence.positionIds(reset), inputs.positionIds());
        assertArrayEquals(sequence.labels(tokens), inputs.labels());
        assertArrayEquals(sequence.lossWeights(), inputs.lossWeights());
        // Any part of the rows is that part of the whole.
        int begin = random.nextInt(tokens.length + 1);
        int end = begin + random.nextInt(tokens.length + 1 - begin);
        long[] part = new long[end - begin];
        sequence.positionIds(reset, begin, end, part, 0);
        assertArrayEquals(Arrays.copyOfRange(inputs.positionIds(), begin, end), part);
        sequence.labels(segment, TokenType.INT32, PackedSequence.IGNORE_LABEL, begin, end, part, 0);
        assertArrayEquals(Arrays.copyOfRange(inputs.labels(), begin, end), part);
        float[] weights = new float[end - begin];
        sequence.lossWeights(begin, end, weights, 0);
        assertArrayEquals(Arrays.copyOfRange(inputs.lossWeights(), begin, end), weights);
      }
    }
  }

  @Test
  void documentOfFindsEveryRow() {
    PackedSequence sequence = PackedSequence.ofLengths(new long[] {1, 3, 1, 4}, 12);
    int[] found = new int[12];
    Arrays.setAll(found, sequence::documentOf);
    assertArrayEquals(new int[] {0, 1, 1, 1, 2, 3, 3, 3, 3, -1, -1, -1}, found);
    assertEquals(4, sequence.longestDocument());
    assertEquals(1, sequence.documentBegin(1));
    assertThrows(IndexOutOfBoundsException.class, () -> sequence.documentOf(12));
    assertThrows(IndexOutOfBoundsException.class, () -> sequence.documentBegin(4));
  }

  @Test
  void refusesBadInput() {
    assertMessage(() -> PackedSequence.ofLengths(3, 0, 2), "document 1 has length 0");
    assertMessage(() -> PackedSequence.ofLengths(3, -2), "document 1 has length -2");
    assertArrayEquals(new long[] {3, 2}, PackedSequence.withoutEmpty(3, 0, 2));
    assertMessage(() -> PackedSequence.ofLengths(new long[] {3, 4}, 6), "3 + 4", "6");
    assertMessage(() -> PackedSequence.ofLengths(), "not 0");
    assertMessage(() -> PackedSequence.ofLengths(Long.MAX_VALUE, Long.MAX_VALUE), "rows, not");
    assertMessage(
        () -> PackedSequence.ofActualSeqLen(new long[] {0, 4}, 4), "actual_seq_len[0] = 0");
    assertMessage(() -> PackedSequence.ofActualSeqLen(new long[] {4, 4}, 4), "[1] = 4");
    assertMessage(() -> PackedSequence.ofActualSeqLen(new long[] {5}, 4), "5", "4 rows");
    assertMessage(() -> PackedSequence.fromEod(new int[] {1, 2}, 3, EOD), "3", "2 tokens");
    assertMessage(() -> PackedSequence.fromEod(new int[0], EOD), "not 0");
    assertMessage(() -> PackedSequence.fromEod(new short[] {1}, 70_000), "70000", "UINT16");
    MemorySegment tokens = MemorySegment.ofArray(new int[] {1, 7, 2});
    assertMessage(
        () -> PackedSequence.fromEod(tokens, TokenType.INT32, 3, 10, 10), "EOD id 10", "0 to 9");
    assertMessage(() -> PackedSequence.fromEod(tokens, TokenType.INT32, 3, -1, 10), "EOD id -1");
    assertMessage(
        () -> PackedSequence.fromEod(tokens, TokenType.INT32, 3, 1, 7), "token 7 in row 1");
    assertMessage(
        () -> PackedSequence.fromEod(tokens.asSlice(0, 11), TokenType.INT32, 1), "11 bytes");
    PackedSequence four = PackedSequence.ofLengths(4);
    assertMessage(() -> four.labels(new int[3]), "3 tokens", "4 valid rows");
    assertMessage(() -> four.positionIds(true, 0, 4, new long[5], 2), "0 to 4", "3 rows");
  }

  static void assertMessage(Executable action, String... parts) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), () -> "no \"" + part + "\" in: " + message);
    }
  }
}
