// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.sharding;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.plan.Sharding;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Ways to spread a sequence over ranks. Those of others follow their descriptions. */
enum Peer {
  ZIGZAG("zigzag") {
    @Override
    List<List<RowRange>> shards(PackedSequence sequence, int ranks) {
      return planned(Sharding.ZIGZAG, sequence, ranks);
    }
  },
  ZIGZAG_PER_DOCUMENT("zigzag per document") {
    @Override
    List<List<RowRange>> shards(PackedSequence sequence, int ranks) {
      return planned(Sharding.ZIGZAG_PER_DOCUMENT, sequence, ranks);
    }
  },
  /**
   * MagiAttention's dispatch: chunks of one size, as many for every rank. The heaviest comes first,
   * to one of the ranks with least work that have room (here an eighth of all), and of those to the
   * one whose rows share most with it.
   */
  MAGI_ATTENTION("MagiAttention's dispatch") {
    private static final int CHUNK = 512;
    private static final int CHUNKS_PER_RANK = 8;

    @Override
    List<List<RowRange>> shards(PackedSequence sequence, int ranks) {
      long size = Math.min(CHUNK, sequence.length() / ranks / CHUNKS_PER_RANK);
      List<Block> blocks = Block.cut(sequence, size);
      blocks.sort(Comparator.comparingDouble(Block::pairs).reversed());
      int room = blocks.size() / ranks;
      List<List<RowRange>> shards = emptyShards(ranks);
      double[] work = new double[ranks];
      long[][] held = new long[ranks][sequence.documentCount()];
      for (Block block : blocks) {
        int rank =
            IntStream.range(0, ranks)
                .filter(r -> shards.get(r).size() < room)
                .boxed()
                .sorted(Comparator.comparingDouble(r -> work[r]))
                .limit(Math.max(1, ranks / 8))
                .max(Comparator.comparingLong(r -> block.shared(sequence, held[r])))
                .orElseThrow();
        shards.get(rank).add(block.rows);
        work[rank] += block.pairs;
        block.hold(sequence, held[rank]);
      }
      return ascending(shards);
    }
  },
  /**
   * PyTorch's processing-time round robin: blocks by falling work are dealt out to the ranks in
   * turn, every other round in reverse.
   */
  PTRR("PyTorch's PTRR") {
    private static final int BLOCK = 128;

    @Override
    List<List<RowRange>> shards(PackedSequence sequence, int ranks) {
      List<Block> blocks = Block.cut(sequence, BLOCK);
      blocks.sort(Comparator.comparingDouble(Block::pairs).reversed());
      List<List<RowRange>> shards = emptyShards(ranks);
      for (int i = 0; i < blocks.size(); i++) {
        int place = i % ranks;
        shards.get(i / ranks % 2 == 0 ? place : ranks - 1 - place).add(blocks.get(i).rows);
      }
      return ascending(shards);
    }
  },
  /**
   * WLB-LLM's per-document sharding: every document in twice as many chunks as ranks, of which each
   * gets one from the front and one from the back; rows that are left over go to the ranks in turn.
   */
  WLB_LLM("WLB-LLM per document") {
    @Override
    List<List<RowRange>> shards(PackedSequence sequence, int ranks) {
      List<List<RowRange>> shards = emptyShards(ranks);
      int turn = 0;
      for (int d = 0; d < sequence.documentCount(); d++) {
        long begin = sequence.documentBegin(d);
        long size = sequence.documentLength(d) / (2 * ranks);
        for (int r = 0; r < ranks && size > 0; r++) {
          long late = begin + (2 * ranks - 1 - r) * size;
          shards.get(r).add(new RowRange(begin + r * size, begin + (r + 1) * size));
          shards.get(r).add(new RowRange(late, late + size));
        }
        for (long row = begin + 2 * ranks * size; row < sequence.documentEnd(d); row++) {
          shards.get(turn).add(new RowRange(row, row + 1));
          turn = (turn + 1) % ranks;
        }
      }
      return ascending(shards);
    }
  };

  private final String title;

  Peer(String title) {
    this.title = title;
  }

  String title() {
    return title;
  }

  /** Rows of each rank, ascending. */
  abstract List<List<RowRange>> shards(PackedSequence sequence, int ranks);

  /** Rows as cann4j plans them. */
  static List<List<RowRange>> planned(Sharding sharding, PackedSequence sequence, int ranks) {
    ContextParallelPlan plan =
        ContextParallelPlan.builder(sequence, CpGrid.ring(ranks)).sharding(sharding).build();
    return IntStream.range(0, ranks).mapToObj(plan::ringShard).toList();
  }

  private static List<List<RowRange>> emptyShards(int ranks) {
    List<List<RowRange>> shards = new ArrayList<>();
    for (int r = 0; r < ranks; r++) {
      shards.add(new ArrayList<>());
    }
    return shards;
  }

  private static List<List<RowRange>> ascending(List<List<RowRange>> shards) {
    shards.forEach(shard -> shard.sort(Comparator.comparingLong(RowRange::begin)));
    return shards;
  }

  private record Block(RowRange rows, double pairs) {
    static List<Block> cut(PackedSequence sequence, long size) {
      List<Block> blocks = new ArrayList<>();
      for (long row = 0; row < sequence.length(); row += size) {
        RowRange rows = new RowRange(row, row + size);
        blocks.add(new Block(rows, Spread.pairs(sequence, rows)));
      }
      return blocks;
    }

    /** Rows of this block's documents that a rank holds. */
    long shared(PackedSequence sequence, long[] held) {
      long shared = 0;
      for (int d = first(sequence); d <= last(sequence); d++) {
        shared += held[d];
      }
      return shared;
    }

    void hold(PackedSequence sequence, long[] held) {
      for (int d = first(sequence); d <= last(sequence); d++) {
        RowRange document = new RowRange(sequence.documentBegin(d), sequence.documentEnd(d));
        held[d] += rows.intersect(document).length();
      }
    }

    private int first(PackedSequence sequence) {
      return sequence.documentOf(rows.begin());
    }

    private int last(PackedSequence sequence) {
      return sequence.documentOf(rows.end() - 1);
    }
  }
}
