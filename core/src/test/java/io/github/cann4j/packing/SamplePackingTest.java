// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import static io.github.cann4j.packing.PackedSequenceTest.assertMessage;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Samples with targets, and the strategies that place them. */
class SamplePackingTest {
  private static final int EOD = 0;
  private static final int CASES = 60;

  @TempDir private Path directory;
  private final List<PackedTokens> packed = new ArrayList<>();

  private SequencePacker.Builder builder(int length) {
    return SequencePacker.builder(length, EOD).padId(1).spoolDirectory(directory);
  }

  private static boolean[] targets(int... values) {
    boolean[] targets = new boolean[values.length];
    for (int i = 0; i < values.length; i++) {
      targets[i] = values[i] == 1;
    }
    return targets;
  }

  @Test
  void aSampleIsOneDocumentWhateverIsInside() {
    SequencePacker packer = builder(10).build(packed::add);
    packer.add(new int[] {5, EOD, 6, EOD}, targets(0, 1, 0, 1));
    packer.add(new int[] {7, 8}, targets(0, 1));
    packer.add(new int[] {9, EOD, 9});
    packer.finish();
    assertArrayEquals(new long[] {4, 7}, packed.get(0).sequence().actualSeqLen());
    assertArrayEquals(new int[] {5, EOD, 6, EOD, 7, 8, EOD, 1, 1, 1}, packed.get(0).tokens());
    // The appended EOD is a target, since what it follows is.
    assertArrayEquals(new byte[] {0, 1, 0, 1, 0, 1, 1, 0, 0, 0}, packed.get(0).targets());
    assertArrayEquals(new long[] {2, 4}, packed.get(1).sequence().actualSeqLen());
    assertArrayEquals(new byte[] {1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, packed.get(1).targets());
    assertEquals(8, packer.statistics().targetTokens());
    assertMessage(
        () -> packer.add(new int[] {5, 6}, targets(1)), "1 targets", "2 tokens", "document 3");
  }

  @Test
  void samplesWithoutAnythingToPredictAreCountedAndLeftOut() {
    SequencePacker packer = builder(4).overlong(OverlongDocuments.TRUNCATE).build(packed::add);
    packer.add(new int[] {5, EOD}, targets(1, 0));
    packer.add(new int[] {EOD}, targets(1));
    // What is to be predicted is cut off.
    packer.add(new int[] {5, 6, 7, 8, 9, EOD}, targets(0, 0, 0, 0, 1, 1));
    packer.add(new int[] {5, 6, 7, 8, 9, EOD}, targets(0, 0, 0, 1, 1, 1));
    packer.finish();
    assertEquals(new PackingStatistics(4, 0, 3, 0, 2, 4, 0, 0, 1, 4, 1, 0, 1), packer.statistics());
    assertArrayEquals(new byte[] {0, 0, 0, 1}, packed.getFirst().targets());
  }

  @Test
  void longSamplesAreDroppedAndCounted() {
    SequencePacker packer = builder(4).overlong(OverlongDocuments.DROP).build(packed::add);
    packer.add(new int[] {5, 6, 7, 8});
    packer.add(new int[] {5, 6, 7});
    packer.add(new int[9], new boolean[9]);
    packer.finish();
    assertEquals(
        new PackingStatistics(3, 0, 0, 0, 0, 0, 2, 14, 1, 4, 4, 0, 1), packer.statistics());
  }

  @Test
  void firstFitDecreasingFillsBetterThanInOrder() {
    int[] lengths = {6, 6, 4, 4, 3, 7, 5, 5};
    for (PackingStrategy strategy : PackingStrategy.values()) {
      packed.clear();
      try (SequencePacker packer = builder(10).strategy(strategy).build(packed::add)) {
        for (int i = 0; i < lengths.length; i++) {
          int[] sample = new int[lengths[i] - 1];
          Arrays.fill(sample, i + 2);
          packer.add(sample);
        }
        packer.finish();
        PackingStatistics statistics = packer.statistics();
        boolean inOrder = strategy == PackingStrategy.IN_ORDER;
        assertEquals(inOrder ? 5 : 4, statistics.sequences());
        assertEquals(5, statistics.inOrderSequences());
        assertEquals(inOrder ? 0.8 : 1, statistics.fillRate(), 1e-12);
        assertEquals(0.8, statistics.inOrderFillRate(), 1e-12);
      }
    }
    // 6 + 4 | 6 + 4 | 3 + 7 | 5 + 5, each in the order of adding.
    assertEquals(List.of(2, 3, 6, 8), packed.stream().map(one -> one.tokens()[0]).toList());
    assertArrayEquals(new long[] {3, 10}, packed.get(2).sequence().actualSeqLen());
  }

  @ParameterizedTest
  @EnumSource
  void everySampleComesOutWholeAndOnce(PackingStrategy strategy) {
    long seed = Long.getLong("cann4j.test.seed", System.nanoTime());
    System.out.println("SamplePackingTest: -Dcann4j.test.seed=" + seed);
    Random random = new Random(seed);
    for (int n = 0; n < CASES; n++) {
      packed.clear();
      int length = 2 + random.nextInt(60);
      SequencePacker.Builder builder =
          builder(length).strategy(strategy).overlong(OverlongDocuments.DROP);
      boolean shuffled = random.nextBoolean();
      if (shuffled) {
        builder.shuffle(n);
      }
      List<int[]> samples = new ArrayList<>();
      try (SequencePacker packer = builder.build(packed::add)) {
        // Twice, since a packer may go on after it has finished.
        for (int round = 0; round < 2; round++) {
          for (int s = random.nextInt(50); s > 0; s--) {
            int[] sample = sample(samples.size(), 2 + random.nextInt(length + 5), random);
            packer.add(sample, targetsOf(sample));
            if (sample.length <= length) {
              samples.add(sample);
            }
          }
          packer.finish();
        }
        PackingStatistics statistics = packer.statistics();
        check(statistics, samples, length);
        if (!shuffled) {
          assertTrue(packed.size() <= statistics.inOrderSequences());
          assertTrue(
              strategy == PackingStrategy.FIRST_FIT_DECREASING
                  || packed.size() == statistics.inOrderSequences());
        }
      }
      if (!shuffled && strategy == PackingStrategy.IN_ORDER) {
        assertEquals(
            samples.stream().map(sample -> sample[0]).toList(),
            packed.stream().flatMap(SamplePackingTest::firstTokens).toList());
      }
    }
  }

  /** Tokens that say which sample and place they are of, and EOD tokens among them. */
  private static int[] sample(int number, int size, Random random) {
    int[] sample = new int[size];
    for (int i = 0; i < size; i++) {
      sample[i] = i > 0 && random.nextInt(8) == 0 ? EOD : 1000 * (number + 1) + i;
    }
    sample[size - 1] = EOD;
    return sample;
  }

  /** Whether a token is a target follows from it, so that misplaced ones are seen. */
  private static boolean isTarget(int token) {
    return token % 3 == 0;
  }

  private static boolean[] targetsOf(int[] sample) {
    boolean[] targets = new boolean[sample.length];
    for (int i = 0; i < sample.length; i++) {
      targets[i] = isTarget(sample[i]);
    }
    return targets;
  }

  private static Stream<Integer> firstTokens(PackedTokens one) {
    PackedSequence sequence = one.sequence();
    int[] tokens = one.tokens();
    return Stream.iterate(0, i -> i < sequence.documentCount(), i -> i + 1)
        .map(i -> tokens[(int) sequence.documentBegin(i)]);
  }

  private void check(PackingStatistics statistics, List<int[]> samples, int length) {
    boolean[] seen = new boolean[samples.size()];
    for (PackedTokens one : packed) {
      PackedSequence sequence = one.sequence();
      int[] tokens = one.tokens();
      byte[] targets = one.targets();
      assertEquals(length, sequence.length());
      assertTrue(sequence.documentCount() > 0);
      for (int d = 0; d < sequence.documentCount(); d++) {
        int begin = (int) sequence.documentBegin(d);
        int[] document = Arrays.copyOfRange(tokens, begin, (int) sequence.documentEnd(d));
        int number = document[0] / 1000 - 1;
        assertArrayEquals(samples.get(number), document);
        assertTrue(!seen[number], "sample " + number + " comes twice");
        seen[number] = true;
      }
      for (int row = 0; row < length; row++) {
        boolean expected = row < sequence.validLength() && isTarget(tokens[row]);
        assertEquals(expected ? 1 : 0, targets[row]);
      }
    }
    for (int s = 0; s < seen.length; s++) {
      assertTrue(seen[s], "sample " + s + " is missing");
    }
    assertEquals(packed.size(), statistics.sequences());
    assertEquals(samples.stream().mapToInt(sample -> sample.length).sum(), statistics.tokens());
    assertEquals((long) packed.size() * length, statistics.tokens() + statistics.paddingRows());
  }

  @Test
  void shufflingHasASeed() {
    List<List<Integer>> orders = new ArrayList<>();
    for (long seed : new long[] {1, 1, 2}) {
      packed.clear();
      try (SequencePacker packer = builder(8).shuffle(seed).build(packed::add)) {
        for (int i = 0; i < 40; i++) {
          packer.add(new int[] {i + 2});
        }
        packer.finish();
      }
      orders.add(packed.stream().flatMap(SamplePackingTest::firstTokens).toList());
    }
    assertEquals(40, orders.getFirst().stream().distinct().count());
    assertEquals(orders.get(0), orders.get(1));
    assertNotEquals(orders.get(0), orders.get(2));
    assertMessage(() -> builder(8).shuffle(1).openSequences(2).build(packed::add), "2 open");
    assertMessage(
        () ->
            builder(8)
                .strategy(PackingStrategy.FIRST_FIT_DECREASING)
                .openSequences(2)
                .build(packed::add),
        "FIRST_FIT_DECREASING");
  }

  @Test
  void documentsThatWaitAreInNoNamedFile() throws IOException {
    try (SequencePacker packer =
        builder(1 << 16)
            .strategy(PackingStrategy.FIRST_FIT_DECREASING)
            .overlong(OverlongDocuments.SPLIT)
            .build(packed::add)) {
      // More than the buffer of the file holds.
      int[] document = new Random(1).ints(100_000, 2, 1000).toArray();
      packer.add(document);
      try (Stream<Path> files = Files.list(directory)) {
        assertEquals(0, files.count());
      }
      packer.finish();
      int[] together = new int[document.length];
      System.arraycopy(packed.get(0).tokens(), 0, together, 0, 1 << 16);
      System.arraycopy(packed.get(1).tokens(), 0, together, 1 << 16, together.length - (1 << 16));
      assertArrayEquals(document, together);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 7, 64, 65, 300})
  void placesEachItemWhereALoopOverAllBinsDoes(int items) {
    Random random = new Random(items);
    int[] lengths = random.ints(items, 1, 101).toArray();
    List<Integer> room = new ArrayList<>();
    int[] sorted = Arrays.stream(lengths).map(length -> -length).sorted().toArray();
    for (int negative : sorted) {
      int bin = 0;
      while (bin < room.size() && room.get(bin) < -negative) {
        bin++;
      }
      if (bin == room.size()) {
        room.add(100);
      }
      room.set(bin, room.get(bin) + negative);
    }
    FirstFitDecreasing.Bins bins = FirstFitDecreasing.pack(lengths, 100);
    List<Integer> left = left(bins, lengths, 100);
    assertEquals(room.stream().sorted().toList(), left.stream().sorted().toList());
  }

  private static List<Integer> left(FirstFitDecreasing.Bins bins, int[] lengths, int capacity) {
    assertArrayEquals(
        Arrays.stream(bins.items()).sorted().toArray(),
        IntStream.range(0, lengths.length).toArray());
    List<Integer> left = new ArrayList<>();
    int from = 0;
    int firstBefore = -1;
    for (int end : bins.ends()) {
      assertTrue(bins.items()[from] > firstBefore, "bins are in the order of their first items");
      firstBefore = bins.items()[from];
      int used = 0;
      for (; from < end; from++) {
        used += lengths[bins.items()[from]];
      }
      assertTrue(used <= capacity);
      left.add(capacity - used);
    }
    assertEquals(lengths.length, from);
    return left;
  }

  @Test
  void aMillionItems() {
    int[] lengths =
        new Random(1).doubles(1_000_000).mapToInt(x -> 1 + (int) (4096 * x * x * x)).toArray();
    List<Integer> left = left(FirstFitDecreasing.pack(lengths, 4096), lengths, 4096);
    long padding = left.stream().mapToLong(Integer::longValue).sum();
    assertTrue(padding < 0.001 * 4096 * left.size(), () -> padding + " of " + left.size());
    int inOrder = FirstFitDecreasing.packInOrder(lengths, 4096).ends().length;
    assertTrue(left.size() < inOrder, () -> left.size() + " bins, in order " + inOrder);
  }

  @Test
  void isNeverWorseThanInOrder() {
    // In order 5 + 5 | 4 + 3 + 3 | 4 + 3 + 3; decreasing 5 + 5 | 4 + 4 | 3 + 3 + 3 | 3.
    int[] lengths = {5, 5, 4, 3, 3, 4, 3, 3};
    assertEquals(3, FirstFitDecreasing.pack(lengths, 10).ends().length);
    Random random = new Random(7);
    for (int n = 0; n < 300; n++) {
      int[] some = random.ints(random.nextInt(12), 1, 11).toArray();
      int decreasing = FirstFitDecreasing.pack(some, 10).ends().length;
      assertTrue(decreasing <= FirstFitDecreasing.packInOrder(some, 10).ends().length);
    }
  }
}
