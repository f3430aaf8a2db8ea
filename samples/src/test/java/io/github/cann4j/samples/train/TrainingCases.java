// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.attention.ContextParallelAlgorithm;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.Sharding;
import io.github.cann4j.samples.model.DecoderConfig;

/** What several ranks train, to be compared with one. */
enum TrainingCases {
  RING(ContextParallelAlgorithm.MEGATRON_CP, 4, Sharding.ZIGZAG, true),
  ULYSSES(ContextParallelAlgorithm.ULYSSES_CP, 4, Sharding.CONTIGUOUS, true),
  HYBRID(ContextParallelAlgorithm.HYBRID_CP, 4, Sharding.ZIGZAG, true),
  GATHER(ContextParallelAlgorithm.KV_ALLGATHER_CP, 4, Sharding.BALANCED, true),
  RING_NO_RESET(ContextParallelAlgorithm.MEGATRON_CP, 4, Sharding.ZIGZAG, false),
  ULYSSES_NO_RESET(ContextParallelAlgorithm.ULYSSES_CP, 4, Sharding.CONTIGUOUS, false),
  HYBRID_NO_RESET(ContextParallelAlgorithm.HYBRID_CP, 4, Sharding.ZIGZAG, false),
  GATHER_NO_RESET(ContextParallelAlgorithm.KV_ALLGATHER_CP, 4, Sharding.ZIGZAG, false),
  /** Two replicas of two ranks. */
  REPLICAS(ContextParallelAlgorithm.MEGATRON_CP, 2, Sharding.ZIGZAG, true),
  /** Neighbours pass keys on, and the mask comes as data. */
  NEIGHBOURS(
      new Parallelism(
          ContextParallelAlgorithm.MEGATRON_CP,
          CpGrid.ring(4),
          Sharding.CONTIGUOUS,
          ExchangePattern.RING,
          DataType.FLOAT,
          true),
      true);

  static final int RANKS = 4;
  static final int STEPS = 50;
  static final int SEQUENCE_LENGTH = 132;
  static final int SEQUENCES = 7;
  static final DecoderConfig MODEL =
      new DecoderConfig("test", 2, 48, 4, 2, 16, 96, 61, 1e4, 1e-5, false, true);

  private final Parallelism parallelism;
  private final boolean reset;

  TrainingCases(
      ContextParallelAlgorithm algorithm, int contextParallel, Sharding sharding, boolean reset) {
    this(parallelism(algorithm, contextParallel, sharding), reset);
  }

  TrainingCases(Parallelism parallelism, boolean reset) {
    this.parallelism = parallelism;
    this.reset = reset;
  }

  static Parallelism parallelism(
      ContextParallelAlgorithm algorithm, int contextParallel, Sharding sharding) {
    return new Parallelism(
        algorithm,
        algorithm.grid(contextParallel, 2),
        sharding,
        algorithm.pattern(),
        DataType.FLOAT,
        false);
  }

  boolean reset() {
    return reset;
  }

  /** What the ranks train: a replica its sequences at once, every other case with less memory. */
  TrainingConfig config() {
    return config(parallelism, reset, this == REPLICAS ? 1 : 2, ordinal() % 2 == 0);
  }

  /** What one rank trains: each sequence by itself. */
  static TrainingConfig alone(boolean reset) {
    return config(Parallelism.single(), reset, 1, false);
  }

  private static TrainingConfig config(
      Parallelism parallelism, boolean reset, int micro, boolean recompute) {
    return TrainingConfig.builder(MODEL)
        .parallelism(parallelism)
        .documents(new DocumentRules(reset, reset, false, false))
        .batch(micro, 2)
        .recompute(recompute)
        .learningRate(
            new LearningRateSchedule(LearningRateSchedule.Style.COSINE, 3e-3, 3e-4, 5, STEPS))
        .build();
  }
}
