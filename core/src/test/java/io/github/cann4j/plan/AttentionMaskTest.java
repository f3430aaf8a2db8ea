// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.packing.PackedSequence;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttentionMaskTest {
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void countsPairsAsTheirDefinitionSays(long seed) {
    Random random = new Random(seed);
    long[] lengths = random.longs(1 + random.nextInt(6), 1, 12).toArray();
    PackedSequence sequence =
        PackedSequence.ofLengths(lengths, LongStream.of(lengths).sum() + random.nextInt(4));
    long[] prefixes = LongStream.of(lengths).map(l -> random.nextLong(l + 1)).toArray();
    GeneralMask pattern = GeneralMask.of(sequence.length(), (q, k) -> (q * 7 + k * seed) % 3 != 0);
    for (AttentionMask mask :
        List.of(
            AttentionMask.causal(),
            AttentionMask.full(),
            AttentionMask.slidingWindow(random.nextLong(6), random.nextLong(6)),
            AttentionMask.slidingWindow(Long.MAX_VALUE, 0),
            AttentionMask.slidingWindow(0, Long.MAX_VALUE),
            AttentionMask.prefix(prefixes),
            AttentionMask.general(pattern))) {
      mask.requireFits(sequence);
      AllowedPairs pairs = new AllowedPairs(sequence, SeenRows.simplest(sequence, mask));
      long expected = 0;
      for (long row = 0; row < sequence.length(); row++) {
        assertEquals(expected, pairs.pairs(0, row), mask + " before row " + row);
        for (long key = 0; key < sequence.length(); key++) {
          expected += RandomPlans.allows(sequence, mask, row, key) ? 1 : 0;
        }
      }
      assertEquals(expected, pairs.total(), mask.toString());
    }
  }

  @Test
  void buildsThePatternOfOverlappingBlocks() {
    GeneralMask mask =
        GeneralMask.builder(8)
            .allow(new RowRange(2, 6), new RowRange(0, 2))
            .allow(new RowRange(3, 4), new RowRange(1, 5))
            .allowCausal(new RowRange(4, 8), new RowRange(4, 8))
            .build();
    assertEquals(List.of(), mask.keys(1));
    assertEquals(List.of(new RowRange(0, 5)), mask.keys(3));
    assertEquals(List.of(new RowRange(0, 2), new RowRange(4, 6)), mask.keys(5));
    assertEquals(new RowRange(1, 6), mask.hull(5, 1, 8));
    assertEquals(3, mask.count(5, 1, 7));
    assertEquals(
        mask,
        GeneralMask.of(
            8,
            (q, k) ->
                q >= 2 && q < 6 && k < 2
                    || q == 3 && k >= 1 && k < 5
                    || q >= 4 && k >= 4 && k <= q));
  }

  @Test
  void readsADenseMaskAsCannHasIt() {
    byte[] masked = {0, 1, 1, 0, 0, 1, 1, 0, 0};
    GeneralMask mask = GeneralMask.ofDense(3, MemorySegment.ofArray(masked));
    for (int pair = 0; pair < 9; pair++) {
      assertEquals(masked[pair] == 0, mask.allows(pair / 3, pair % 3));
    }
    var error =
        assertThrows(
            IllegalArgumentException.class,
            () -> GeneralMask.ofDense(3, MemorySegment.ofArray(new byte[8])));
    assertEquals("a dense mask of 3 rows has 9 bytes, not 8", error.getMessage());
  }

  @Test
  void refusesWhatDoesNotFitTheSequence() {
    PackedSequence sequence = PackedSequence.ofLengths(3, 4);
    AttentionMask.prefix(3, 0).requireFits(sequence);
    for (AttentionMask mask :
        List.of(
            AttentionMask.prefix(3),
            AttentionMask.prefix(4, 0),
            AttentionMask.prefix(-1, 0),
            AttentionMask.general(GeneralMask.of(6, (q, k) -> true)))) {
      assertThrows(
          IllegalArgumentException.class, () -> mask.requireFits(sequence), mask::toString);
    }
    String message =
        assertThrows(IllegalArgumentException.class, () -> AttentionMask.slidingWindow(-1, 2))
            .getMessage();
    assertTrue(message.contains("-1 and 2"), message);
  }
}
