// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds shards with equal numbers of rows and nearly equal work that need few rows of each other:
 * makes a few in different ways and takes the one that sends least among those that are even
 * enough. In integers and without chance, so that every rank finds the same.
 */
final class BalancedSharding {
  private BalancedSharding() {}

  /** Chunks of each rank, ascending. */
  static List<List<RowRange>> chunks(PackedSequence sequence, AttentionMask mask, int ranks) {
    ShardProblem problem =
        new ShardProblem(sequence, mask, new AllowedPairs(sequence, mask), ranks);
    long percent = problem.workPerRank() / 100;
    List<ShardDraft> drafts = new ArrayList<>();
    drafts.add(HeaviestFirst.spread(problem, 2 * percent));
    drafts.add(HeaviestFirst.spread(problem, percent));
    drafts.add(WorkWindows.spread(problem, percent));
    long lowest = drafts.stream().mapToLong(ShardDraft::maxWork).min().orElseThrow();
    // A little above the wanted two percent: the last rank takes what the others have missed.
    long limit = Math.max(lowest, problem.workPerRank() + percent * 5 / 2);
    List<List<RowRange>> best = null;
    long fewest = Long.MAX_VALUE;
    for (ShardDraft draft : drafts) {
      if (draft.maxWork() <= limit) {
        List<List<RowRange>> chunks = draft.chunks();
        long needed = chunks.stream().mapToLong(problem::rowsNeeded).sum();
        if (needed < fewest) {
          best = chunks;
          fewest = needed;
        }
      }
    }
    return best;
  }
}
