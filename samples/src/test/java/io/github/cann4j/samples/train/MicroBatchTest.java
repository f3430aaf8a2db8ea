// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.cann4j.attention.ContextParallelAlgorithm;
import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.packing.PackedDatasetWriter;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.PackedTokens;
import io.github.cann4j.plan.Sharding;
import io.github.cann4j.samples.cli.BadInputException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of packed sequences before a rank computes. */
class MicroBatchTest {
  private static final int EOD = 9;
  private static final long NONE = PackedSequence.IGNORE_LABEL;

  @TempDir Path directory;
  private PackedDataset data;

  /** Two sequences of two samples each; in the first sample two turns end with EOD. */
  @BeforeEach
  void write() {
    try (PackedDatasetWriter writer =
        PackedDatasetWriter.create(directory.resolve("data"), 8, 10, EOD, 0)) {
      writer.accept(
          PackedTokens.of(
              PackedSequence.ofActualSeqLen(new long[] {5, 7}, 8),
              new int[] {1, EOD, 2, 3, EOD, 4, EOD, 0},
              new byte[] {0, 1, 0, 1, 1, 1, 1, 0}));
      writer.accept(
          PackedTokens.of(
              PackedSequence.ofActualSeqLen(new long[] {3, 8}, 8),
              new int[] {5, 6, EOD, 7, 8, 1, 2, EOD},
              new byte[] {0, 1, 1, 0, 0, 1, 1, 1}));
      data = PackedDataset.open(writer.commit());
    }
  }

  @AfterEach
  void close() {
    data.close();
  }

  private MicroBatch read(boolean positions, boolean attention, boolean neat, boolean eodMask) {
    return MicroBatch.read(
        data, new long[] {0, 1}, new DocumentRules(positions, attention, neat, eodMask));
  }

  @Test
  void paddingOfAllSequencesComesLast() {
    MicroBatch batch = read(true, true, false, false);
    assertArrayEquals(
        new long[] {1, EOD, 2, 3, EOD, 4, EOD, 5, 6, EOD, 7, 8, 1, 2, EOD, 0}, batch.tokens());
    assertEquals(
        PackedSequence.ofActualSeqLen(new long[] {2, 5, 7, 10, 15}, 16), batch.attention());
    assertEquals(batch.attention(), batch.positions());
  }

  @Test
  void onlyTargetsOfTheSameDocumentArePredicted() {
    assertArrayEquals(
        new long[] {EOD, NONE, 3, EOD, NONE, EOD, NONE, 6, EOD, NONE, NONE, 1, 2, EOD, NONE, NONE},
        read(true, true, false, false).labels());
  }

  @Test
  void withoutResetOneSequenceIsOneDocument() {
    MicroBatch batch = read(false, false, false, false);
    assertEquals(PackedSequence.ofActualSeqLen(new long[] {7, 15}, 16), batch.attention());
    assertArrayEquals(
        new long[] {0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 7, 0},
        batch.positions().positionIds(true));
    // The first token of the second sample is a target, and follows the EOD of the first.
    assertArrayEquals(
        new long[] {EOD, NONE, 3, EOD, 4, EOD, NONE, 6, EOD, NONE, NONE, 1, 2, EOD, NONE, NONE},
        batch.labels());
    assertEquals(NONE, read(false, false, false, true).labels()[4], "EOD predicts a token");
  }

  @Test
  void positionsMayRestartWhereAttentionDoesNot() {
    MicroBatch batch = read(true, false, false, false);
    assertEquals(PackedSequence.ofActualSeqLen(new long[] {7, 15}, 16), batch.attention());
    assertArrayEquals(
        new long[] {0, 1, 0, 1, 2, 0, 1}, Arrays.copyOf(batch.positions().positionIds(true), 7));
  }

  @Test
  void neatPackKeepsSamplesWhole() {
    MicroBatch batch = read(true, true, true, false);
    assertEquals(PackedSequence.ofActualSeqLen(new long[] {5, 7, 10, 15}, 16), batch.attention());
    assertArrayEquals(
        new long[] {0, 1, 2, 3, 4, 0, 1}, Arrays.copyOf(batch.positions().positionIds(true), 7));
    assertThrows(BadInputException.class, () -> new DocumentRules(true, false, true, false));
  }

  /**
   * Two documents of four tokens on two ranks in zigzag: rank 0 has rows 0, 3, 4 and 7 when
   * documents are cut so, and positions are those of its rows, not their numbers.
   */
  @Test
  void positionsAreThoseOfARanksRows() {
    MicroBatch batch = documents(4, 4);
    RankRows rank =
        RankRows.of(
            batch,
            TrainingCases.parallelism(
                ContextParallelAlgorithm.MEGATRON_CP, 2, Sharding.ZIGZAG_PER_DOCUMENT),
            0);
    assertArrayEquals(new long[] {0, 3, 4, 7}, rowsOf(rank, 0));
    assertArrayEquals(new long[] {0, 3, 0, 3}, rank.positions());
  }

  private static MicroBatch documents(long... lengths) {
    PackedSequence sequence = PackedSequence.ofLengths(lengths);
    long[] tokens = LongStream.range(0, sequence.length()).toArray();
    return new MicroBatch(sequence, sequence, tokens, tokens);
  }

  private static long[] rowsOf(RankRows rows, int cpRank) {
    return rows.plan().shard(cpRank).stream()
        .flatMapToLong(range -> LongStream.range(range.begin(), range.end()))
        .toArray();
  }

  @ParameterizedTest
  @EnumSource
  void positionsRestartOnEveryRankOfEveryAlgorithm(ContextParallelAlgorithm algorithm) {
    MicroBatch batch = documents(5, 1, 13, 2, 11);
    MicroBatch joined =
        new MicroBatch(
            batch.attention().asOneDocument(),
            batch.attention().asOneDocument(),
            batch.tokens(),
            batch.labels());
    for (Sharding sharding : Sharding.values()) {
      Parallelism parallelism = TrainingCases.parallelism(algorithm, 4, sharding);
      for (int rank = 0; rank < 4; rank++) {
        RankRows rows = RankRows.of(batch, parallelism, rank);
        long[] global = rowsOf(rows, rank);
        assertArrayEquals(global, rows.tokens());
        for (int i = 0; i < global.length; i++) {
          int document = batch.attention().documentOf(global[i]);
          long expected = global[i] - batch.attention().documentBegin(document);
          assertEquals(expected, rows.positions()[i], sharding + ", row " + global[i]);
        }
        RankRows straight = RankRows.of(joined, parallelism, rank);
        assertArrayEquals(rowsOf(straight, rank), straight.positions());
      }
    }
  }

  @Test
  void aRowsLabelIsThatOfTheWholeSequence() {
    MicroBatch batch = read(true, true, false, false);
    Parallelism parallelism =
        TrainingCases.parallelism(ContextParallelAlgorithm.HYBRID_CP, 4, Sharding.ZIGZAG);
    long predicted = 0;
    for (int rank = 0; rank < 4; rank++) {
      RankRows rows = RankRows.of(batch, parallelism, rank);
      long[] global = rowsOf(rows, rank);
      for (int i = 0; i < rows.predicting().length; i++) {
        int row = (int) global[(int) rows.predicting()[i]];
        assertEquals(batch.labels()[row], rows.labels()[i]);
      }
      predicted += rows.predicting().length;
    }
    assertEquals(Arrays.stream(batch.labels()).filter(l -> l != NONE).count(), predicted);
  }
}
