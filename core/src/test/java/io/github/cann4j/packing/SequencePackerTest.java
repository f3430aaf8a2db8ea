// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import static io.github.cann4j.packing.PackedSequenceTest.assertMessage;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SequencePackerTest {
  private static final int EOD = 9;
  private final List<PackedTokens> packed = new ArrayList<>();

  private SequencePacker.Builder builder(int length) {
    return SequencePacker.builder(length, EOD).vocabSize(10).padId(0);
  }

  @Test
  void fillsInOrderAndRecordsWherePaddingStarts() {
    SequencePacker packer = builder(8).build(packed::add);
    packer.add(new int[] {1, 2, 3});
    packer.add(new int[] {4, EOD});
    packer.add(new int[] {5, 6});
    assertEquals(1, packed.size(), "a sequence without room for the next document is handed out");
    packer.add(new int[] {});
    packer.finish();
    assertArrayEquals(new int[] {1, 2, 3, EOD, 4, EOD, 0, 0}, packed.get(0).tokens());
    assertArrayEquals(new long[] {4, 6}, packed.get(0).sequence().actualSeqLen());
    assertEquals(8, packed.get(0).sequence().length());
    assertArrayEquals(new int[] {5, 6, EOD, 0, 0, 0, 0, 0}, packed.get(1).tokens());
    assertEquals(3, packed.get(1).sequence().validLength());
    assertArrayEquals(
        new long[] {6, EOD, -100, -100, -100, -100, -100, -100}, packed.get(1).labels());
    assertEquals(new PackingStatistics(4, 1, 0, 0, 0, 0, 0, 0, 2, 9, 9, 7, 2), packer.statistics());
    packer.finish();
    assertEquals(2, packed.size());
  }

  @Test
  void fullSequencesAreHandedOutAtOnce() {
    SequencePacker packer = builder(4).build(packed::add);
    packer.add(new int[] {1, 2, 3});
    assertEquals(1, packed.size());
    assertEquals(4, packed.getFirst().sequence().validLength());
  }

  @Test
  void moreOpenSequencesWasteLess() {
    int[][] documents = {{1, 1, 1, 1}, {2, 2, 2}, {3, 3}, {4, 4, 4}};
    SequencePacker packer = builder(8).openSequences(2).build(packed::add);
    for (int[] document : documents) {
      packer.add(document);
    }
    packer.finish();
    // 5 + 3 and 4 + 4 rows instead of 5 | 4 + 3 | 4.
    assertEquals(2, packed.size());
    assertEquals(0, packer.statistics().paddingRows());
    assertArrayEquals(new int[] {1, 1, 1, 1, EOD, 3, 3, EOD}, packed.getFirst().tokens());
  }

  @Test
  void overlongDocumentsAreRefusedUnlessToldOtherwise() {
    SequencePacker packer = builder(4).build(packed::add);
    packer.add(new int[] {1});
    assertMessage(() -> packer.add(new int[] {1, 2, 3, 4}), "document 1", "5 tokens", "of 4");
    assertEquals(1, packer.statistics().documents());
    packer.finish();
    assertArrayEquals(new int[] {1, EOD, 0, 0}, packed.getFirst().tokens());
  }

  @Test
  void splitKeepsEveryToken() {
    SequencePacker packer = builder(4).overlong(OverlongDocuments.SPLIT).build(packed::add);
    packer.add(new int[] {1});
    packer.add(new int[] {1, 2, 3, 4, 5, 6, 7, 8, 1});
    packer.finish();
    assertArrayEquals(new int[] {1, 2, 3, 4}, packed.get(0).tokens());
    assertArrayEquals(new int[] {5, 6, 7, 8}, packed.get(1).tokens());
    assertArrayEquals(new int[] {1, EOD, 1, EOD}, packed.get(2).tokens());
    assertEquals(
        new PackingStatistics(2, 0, 0, 1, 0, 0, 0, 0, 3, 12, 12, 0, 3), packer.statistics());
  }

  @Test
  void truncateCountsWhatItDrops() {
    SequencePacker packer = builder(4).overlong(OverlongDocuments.TRUNCATE).build(packed::add);
    packer.add(new int[] {1, 2, 3, 4, 5, 6});
    assertArrayEquals(new int[] {1, 2, 3, 4}, packed.getFirst().tokens());
    assertEquals(new PackingStatistics(1, 0, 0, 0, 1, 3, 0, 0, 1, 4, 4, 0, 1), packer.statistics());
  }

  @Test
  void documentsFoundByEodAreThoseRecorded() {
    long seed = Long.getLong("cann4j.test.seed", System.nanoTime());
    System.out.println("SequencePackerTest: -Dcann4j.test.seed=" + seed);
    Random random = new Random(seed);
    for (int n = 0; n < 300; n++) {
      packed.clear();
      int length = 1 + random.nextInt(24);
      // Padding looks like EOD on purpose.
      SequencePacker packer =
          SequencePacker.builder(length, EOD)
              .overlong(OverlongDocuments.SPLIT)
              .openSequences(1 + random.nextInt(3))
              .build(packed::add);
      long tokens = 0;
      for (int d = 0; d < 30; d++) {
        int[] document = random.ints(random.nextInt(40), 0, 12).toArray();
        packer.add(MemorySegment.ofArray(document), TokenType.INT32);
        boolean ended = document.length == 0 || document[document.length - 1] == EOD;
        tokens += document.length + (ended ? 0 : 1);
      }
      packer.finish();
      for (PackedTokens one : packed) {
        assertEquals(
            PackedSequence.fromEod(one.tokens(), one.sequence().validLength(), EOD),
            one.sequence());
        assertTrue(one.sequence().validLength() > 0);
      }
      PackingStatistics statistics = packer.statistics();
      assertEquals(tokens, statistics.tokens());
      assertEquals(packed.size(), statistics.sequences());
      assertEquals((long) packed.size() * length, tokens + statistics.paddingRows());
    }
  }

  @Test
  void refusesBadOptionsAndTokens() {
    assertMessage(
        () -> SequencePacker.builder(8, 10).vocabSize(10).build(packed::add), "EOD id 10");
    assertMessage(() -> builder(8).padId(10).build(packed::add), "padding id 10");
    assertMessage(() -> builder(0).build(packed::add), "not 0");
    assertMessage(() -> builder(8).openSequences(0).build(packed::add), "at least 1: 0");
    SequencePacker packer = builder(8).build(packed::add);
    assertMessage(() -> packer.add(new int[] {1, 10}), "token 10 at 1 of document 0");
    assertMessage(
        () -> packer.add(MemorySegment.ofArray(new long[] {1L << 32}), TokenType.INT64),
        "token 4294967296");
    assertThrows(
        IllegalArgumentException.class,
        () -> PackedTokens.of(PackedSequence.ofLengths(3), new int[2]));
  }

  @Test
  void compressedMaskHidesTheUpperTriangle() {
    byte[] mask = new byte[(int) CompressedCausalMask.BYTE_SIZE];
    Arrays.fill(mask, (byte) 7);
    CompressedCausalMask.fill(MemorySegment.ofArray(mask));
    for (int r = 0; r < CompressedCausalMask.SIZE; r++) {
      for (int c = 0; c < CompressedCausalMask.SIZE; c++) {
        if (mask[r * CompressedCausalMask.SIZE + c] != (c > r ? 1 : 0)) {
          throw new AssertionError("element (" + r + ", " + c + ")");
        }
      }
    }
    assertMessage(() -> CompressedCausalMask.fill(MemorySegment.ofArray(new byte[8])), "4194304");
  }
}
