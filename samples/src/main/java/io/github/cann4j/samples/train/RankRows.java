// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.AttentionMask;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.samples.run.DocumentPattern;
import java.util.Arrays;

/**
 * One rank's rows of a micro batch, in the plan's local order.
 *
 * @param plan of the whole micro batch
 * @param tokens one per row
 * @param positions position id of each row
 * @param predicting the rows that predict a token
 * @param labels the token that each of these predicts
 */
record RankRows(
    ContextParallelPlan plan, long[] tokens, long[] positions, long[] predicting, long[] labels) {
  /** Plans a micro batch and takes a rank's rows out of it. */
  static RankRows of(MicroBatch batch, Parallelism parallelism, int cpRank) {
    ContextParallelPlan plan = plan(batch, parallelism);
    long[] labels = plan.gather(batch.labels(), cpRank);
    long[] predicting = new long[labels.length];
    int count = 0;
    for (int row = 0; row < labels.length; row++) {
      if (labels[row] != PackedSequence.IGNORE_LABEL) {
        predicting[count] = row;
        labels[count++] = labels[row];
      }
    }
    return new RankRows(
        plan,
        plan.gather(batch.tokens(), cpRank),
        plan.gather(batch.positions().positionIds(true), cpRank),
        Arrays.copyOf(predicting, count),
        Arrays.copyOf(labels, count));
  }

  /** The plan of a micro batch. */
  static ContextParallelPlan plan(MicroBatch batch, Parallelism parallelism) {
    PackedSequence documents = batch.attention();
    boolean general = parallelism.generalMask();
    return ContextParallelPlan.builder(
            general ? documents.asOneDocument() : documents, parallelism.grid())
        .mask(general ? DocumentPattern.mask(documents) : AttentionMask.causal())
        .sharding(parallelism.sharding())
        .pattern(parallelism.pattern())
        .build();
  }
}
