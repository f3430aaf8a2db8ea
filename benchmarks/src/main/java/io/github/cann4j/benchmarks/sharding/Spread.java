// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.sharding;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.RowRange;
import java.util.List;

/** How rows of causal documents are spread over ranks, and what that costs. */
final class Spread {
  private Spread() {}

  /** Allowed pairs of the rank that has most, over the mean. */
  static double imbalance(PackedSequence sequence, List<List<RowRange>> shards) {
    double most = 0;
    double sum = 0;
    for (List<RowRange> shard : shards) {
      double pairs = shard.stream().mapToDouble(rows -> pairs(sequence, rows)).sum();
      most = Math.max(most, pairs);
      sum += pairs;
    }
    return most * shards.size() / sum;
  }

  /** Allowed pairs of these query rows. */
  static double pairs(PackedSequence sequence, RowRange rows) {
    double pairs = 0;
    for (long row = rows.begin(); row < rows.end(); ) {
      int document = sequence.documentOf(row);
      long begin = sequence.documentBegin(document);
      long end = Math.min(rows.end(), sequence.documentEnd(document));
      // The n-th row of a document has n keys.
      pairs += (end - row) * ((row - begin + 1) + (end - begin)) / 2.0;
      row = end;
    }
    return pairs;
  }

  /**
   * Rows of keys that all ranks together need and do not hold, in percent of those that a dense
   * ring passes on: of every rank to every other one.
   */
  static double percentNeeded(PackedSequence sequence, List<List<RowRange>> shards) {
    double needed = 0;
    for (List<RowRange> shard : shards) {
      long held = 0;
      for (RowRange rows : shard) {
        long first = sequence.documentBegin(sequence.documentOf(rows.begin()));
        needed += rows.begin() - Math.max(first, held);
        held = rows.end();
      }
    }
    return 100 * needed / ((shards.size() - 1.0) * sequence.length());
  }
}
