// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToIntFunction;

/**
 * Which heads each rank of a Ulysses group computes. Every rank has its share of the query heads,
 * rounded up or down, in one piece; where that leaves a choice, cuts lie between groups of query
 * heads that share a kv head. The heads of a rank form at most three runs with the same number of
 * query heads for each kv head: the end of a group, whole groups, the beginning of a group. Each
 * run is a problem of its own.
 */
final class HeadSplit {
  private final int groupHeads;
  private final List<List<Run>> runs;
  private final int[] ranksOfKvHead;
  private final int exchanges;

  /**
   * Heads that one rank computes together.
   *
   * @param firstHead first query head
   * @param heads query heads
   * @param firstKvHead first kv head
   * @param kvHeads kv heads; divides {@code heads}
   */
  record Run(int firstHead, int heads, int firstKvHead, int kvHeads) {}

  /**
   * The heads of one tensor that each rank has of one exchange.
   *
   * @param first by rank
   * @param count by rank; 0 for a rank without such a run
   */
  record Share(int[] first, int[] count) {
    int total() {
      return Arrays.stream(count).sum();
    }
  }

  /**
   * Splits.
   *
   * @param heads query heads, at least {@code degree}
   * @param kvHeads kv heads; divides {@code heads}
   * @param degree ranks of the group
   */
  HeadSplit(int heads, int kvHeads, int degree) {
    groupHeads = heads / kvHeads;
    int[] cuts = cuts(heads, degree);
    runs = new ArrayList<>();
    ranksOfKvHead = new int[kvHeads];
    for (int rank = 0; rank < degree; rank++) {
      List<Run> ofRank = runs(cuts[rank], cuts[rank + 1]);
      runs.add(ofRank);
      for (Run run : ofRank) {
        for (int head = 0; head < run.kvHeads(); head++) {
          ranksOfKvHead[run.firstKvHead() + head]++;
        }
      }
    }
    exchanges = runs.stream().mapToInt(List::size).max().orElseThrow();
  }

  /**
   * The runs of a rank, the largest first, so that buffers for the first are large enough for all.
   */
  List<Run> runs(int rank) {
    return runs.get(rank);
  }

  /** How many runs the rank with most of them has; all ranks take part in the exchange of each. */
  int exchanges() {
    return exchanges;
  }

  /** Whether several ranks compute with the kv head, each for a part of its query heads. */
  boolean isShared(int kvHead) {
    return ranksOfKvHead[kvHead] > 1;
  }

  Share queries(int exchange) {
    return share(exchange, Run::firstHead, Run::heads);
  }

  Share keys(int exchange) {
    return share(exchange, Run::firstKvHead, Run::kvHeads);
  }

  private Share share(int exchange, ToIntFunction<Run> first, ToIntFunction<Run> count) {
    Share share = new Share(new int[runs.size()], new int[runs.size()]);
    for (int rank = 0; rank < runs.size(); rank++) {
      if (exchange < runs.get(rank).size()) {
        Run run = runs.get(rank).get(exchange);
        share.first[rank] = first.applyAsInt(run);
        share.count[rank] = count.applyAsInt(run);
      }
    }
    return share;
  }

  private List<Run> runs(int begin, int end) {
    List<Run> result = new ArrayList<>();
    int at = begin;
    while (at < end) {
      int kvHead = at / groupHeads;
      int next = Math.min(end, (kvHead + 1) * groupHeads);
      Run last = result.isEmpty() ? null : result.getLast();
      if (last != null && last.heads() == (next - at) * last.kvHeads()) {
        result.removeLast();
        result.add(
            new Run(
                last.firstHead(),
                last.heads() + next - at,
                last.firstKvHead(),
                last.kvHeads() + 1));
      } else {
        result.add(new Run(at, next - at, kvHead, 1));
      }
      at = next;
    }
    result.sort(Comparator.comparingInt(Run::heads).reversed());
    return List.copyOf(result);
  }

  /**
   * Where each rank begins, and the end: of all ways to give {@code heads % degree} ranks one head
   * more, the one with the fewest cuts inside a group, and of these the one nearest to an even
   * spread.
   */
  private int[] cuts(int heads, int degree) {
    int least = heads / degree;
    int more = heads % degree;
    // By rank and number of earlier ranks with one head more.
    long[][] cost = new long[degree + 1][more + 1];
    boolean[][] larger = new boolean[degree + 1][more + 1];
    for (long[] row : cost) {
      Arrays.fill(row, Long.MAX_VALUE);
    }
    cost[0][0] = 0;
    for (int rank = 1; rank <= degree; rank++) {
      for (int extra = 0; extra <= Math.min(rank, more); extra++) {
        long same = cost[rank - 1][extra];
        long fewer = extra == 0 ? Long.MAX_VALUE : cost[rank - 1][extra - 1];
        larger[rank][extra] = fewer < same;
        long before = Math.min(same, fewer);
        if (before < Long.MAX_VALUE) {
          int cut = rank * least + extra;
          long inside = cut % groupHeads == 0 ? 0 : (long) heads * heads;
          cost[rank][extra] = before + inside + Math.abs(cut - rank * heads / degree);
        }
      }
    }
    int[] cuts = new int[degree + 1];
    int extra = more;
    for (int rank = degree; rank > 0; rank--) {
      cuts[rank] = rank * least + extra;
      extra -= larger[rank][extra] ? 1 : 0;
    }
    return cuts;
  }
}
