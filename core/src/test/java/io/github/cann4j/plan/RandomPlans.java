// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/** Small random plans that favour the corners: borders, single rows, padding of whole ranks. */
public final class RandomPlans {
  private final Random random;

  private ExchangePattern pattern;

  RandomPlans(long seed) {
    random = new Random(seed);
    pattern = pick(new ExchangePattern[] {ExchangePattern.DIRECT, ExchangePattern.RING});
  }

  /** From here on plans gather. */
  RandomPlans gathering() {
    pattern = ExchangePattern.ALL_GATHER;
    return this;
  }

  /** The base seed of a test: {@code -Dcann4j.test.seed}, else the clock; printed. */
  static long seed(Class<?> test) {
    long seed = Long.getLong("cann4j.test.seed", System.nanoTime());
    System.out.println(test.getSimpleName() + ": -Dcann4j.test.seed=" + seed);
    return seed;
  }

  CpGrid grid() {
    int size = 1 + random.nextInt(8);
    int ulysses;
    do {
      ulysses = 1 + random.nextInt(size);
    } while (size % ulysses != 0);
    return new CpGrid(size / ulysses, ulysses);
  }

  PackedSequence sequence(CpGrid grid) {
    int length = grid.size() * (1 + random.nextInt(12));
    int valid =
        switch (random.nextInt(5)) {
          case 0 -> random.nextInt(length + 1);
          case 1 -> length / grid.size() * random.nextInt(grid.size() + 1);
          default -> length;
        };
    List<Long> ends = new ArrayList<>();
    int style = random.nextInt(6);
    int usual = 1 + random.nextInt(length);
    for (long end = 0; end < valid; ) {
      long border = (end * 2 * grid.ringDegree() / length + 1) * length / 2 / grid.ringDegree();
      long rows =
          switch (style) {
            case 0 -> 1;
            case 1 -> length;
            case 2 -> usual;
            case 3 -> Math.max(1, border - end);
            case 4 -> 1 + random.nextInt(random.nextBoolean() ? 3 : length);
            default -> 1 + random.nextInt(usual);
          };
      end = Math.min(valid, end + rows);
      ends.add(end);
    }
    return PackedSequence.ofActualSeqLen(
        ends.stream().mapToLong(Long::longValue).toArray(), length);
  }

  ContextParallelPlan plan() {
    CpGrid grid = grid();
    return builder(grid, sequence(grid)).build();
  }

  /** A plan whose ring ranks hold any rows whatever. */
  ContextParallelPlan planOfAnyLayout() {
    CpGrid grid = grid();
    PackedSequence sequence = sequence(grid);
    int chunkRows = (int) sequence.length() / grid.size();
    chunkRows = random.nextBoolean() ? 1 : chunkRows;
    List<RowRange> chunks = new ArrayList<>();
    for (long row = 0; row < sequence.length(); row += chunkRows) {
      chunks.add(new RowRange(row, row + chunkRows));
    }
    Collections.shuffle(chunks, random);
    int perRank = chunks.size() / grid.ringDegree();
    List<List<RowRange>> shards = new ArrayList<>();
    for (int r = 0; r < grid.ringDegree(); r++) {
      List<RowRange> shard = new ArrayList<>(chunks.subList(r * perRank, (r + 1) * perRank));
      shard.sort(Comparator.comparingLong(RowRange::begin));
      shards.add(shard);
    }
    return builder(grid, sequence).ringShards(shards).build();
  }

  private ContextParallelPlan.Builder builder(CpGrid grid, PackedSequence sequence) {
    ContextParallelPlan.Builder builder =
        ContextParallelPlan.builder(sequence, grid)
            .sharding(pick(Sharding.values()))
            .mask(mask(sequence))
            .pattern(pattern);
    if (random.nextInt(4) == 0) {
      builder.maxSequencesPerCall(1 + random.nextInt(4));
    }
    if (random.nextInt(4) == 0) {
      long atHand =
          pattern == ExchangePattern.ALL_GATHER
              ? sequence.length()
              : sequence.length() / grid.ringDegree();
      long least = Math.min(atHand, Math.max(1, sequence.longestDocument()));
      builder.maxPairsPerCall(least + random.nextInt(40));
    }
    return builder;
  }

  /** Half of the masks are causal. */
  AttentionMask mask(PackedSequence sequence) {
    int longest = (int) Math.max(1, sequence.longestDocument());
    return switch (random.nextInt(8)) {
      case 0 -> AttentionMask.full();
      case 1 ->
          AttentionMask.slidingWindow(
              random.nextInt(longest + 1), random.nextBoolean() ? 0 : random.nextInt(longest + 1));
      case 2 ->
          AttentionMask.prefix(
              IntStream.range(0, sequence.documentCount())
                  .mapToLong(d -> random.nextInt((int) sequence.documentLength(d) + 1))
                  .toArray());
      case 3 -> {
        GeneralMask.Builder mask = GeneralMask.builder(sequence.length());
        for (int block = random.nextInt(6); block > 0; block--) {
          mask.allow(range((int) sequence.length()), range((int) sequence.length()));
          mask.allowCausal(range((int) sequence.length()), range((int) sequence.length()));
        }
        yield AttentionMask.general(mask.build());
      }
      default -> AttentionMask.causal();
    };
  }

  private RowRange range(int rows) {
    int begin = random.nextInt(rows);
    return new RowRange(begin, begin + random.nextInt(rows - begin + 1));
  }

  private <T> T pick(T[] values) {
    return values[random.nextInt(values.length)];
  }

  /** The definition of a mask, pair by pair. */
  public static boolean allows(PackedSequence sequence, AttentionMask mask, long query, long key) {
    int document = sequence.documentOf(query);
    if (document < 0 || document != sequence.documentOf(key)) {
      return false;
    }
    return switch (mask) {
      case AttentionMask.Causal _ -> key <= query;
      case AttentionMask.Full _ -> true;
      case AttentionMask.SlidingWindow(long left, long right) ->
          query - key <= left && key - query <= right;
      case AttentionMask.Prefix prefix ->
          key <= query || key < sequence.documentBegin(document) + prefix.lengths()[document];
      case AttentionMask.General(GeneralMask pattern) -> pattern.allows(query, key);
    };
  }
}
