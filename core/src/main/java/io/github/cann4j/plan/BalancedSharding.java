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
  // So many documents per rank can hardly be spread better than one by one.
  private static final int MANY_PER_RANK = 64;

  private BalancedSharding() {}

  /** Chunks of each rank, ascending. */
  static List<List<RowRange>> chunks(
      PackedSequence sequence, AttentionMask mask, AllowedPairs pairs, int ranks) {
    if (ranks == 1) {
      return List.of(List.of(new RowRange(0, sequence.length())));
    }
    ShardProblem problem = new ShardProblem(sequence, mask, pairs, ranks);
    long percent = problem.workPerRank() / 100;
    // A little above the wanted two percent: the last rank takes what the others have missed.
    long limit = problem.workPerRank() + percent * 5 / 2;
    List<ShardDraft> drafts = new ArrayList<>();
    drafts.add(HeaviestFirst.spread(problem, 2 * percent));
    boolean even = drafts.getFirst().maxWork() <= limit;
    if (!even) {
      drafts.add(HeaviestFirst.spread(problem, percent));
    }
    if (!even || problem.documents() < MANY_PER_RANK * (long) ranks) {
      drafts.add(WorkWindows.spread(problem, percent / 2));
    }
    long lowest = drafts.stream().mapToLong(ShardDraft::maxWork).min().orElseThrow();
    limit = Math.max(lowest, limit);
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
