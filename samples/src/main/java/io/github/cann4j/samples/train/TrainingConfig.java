// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.Numbers;
import io.github.cann4j.samples.model.DecoderConfig;
import java.util.Objects;

/**
 * A training, the same on every rank.
 *
 * @param model the decoder
 * @param parallelism how its attention is spread over ranks
 * @param documents what documents mean
 * @param microBatchSize packed sequences that a replica computes at once
 * @param globalBatchSize packed sequences of a step, over all replicas
 * @param recompute whether backward computes again what lies between two layers' attention, instead
 *     of forward keeping it all: a third more time outside attention, for memory of two rows per
 *     token and layer
 * @param optimizer constants of the update
 * @param learningRate over the steps
 * @param seed of the first weights and of the order of the data
 */
public record TrainingConfig(
    DecoderConfig model,
    Parallelism parallelism,
    DocumentRules documents,
    int microBatchSize,
    int globalBatchSize,
    boolean recompute,
    AdamSettings optimizer,
    LearningRateSchedule learningRate,
    long seed) {
  /** Refuses contradictions that show without data and ranks. */
  public TrainingConfig {
    Objects.requireNonNull(model, "model");
    if (microBatchSize < 1 || globalBatchSize < 1) {
      throw new BadInputException(
          "--micro-batch-size %d and --global-batch-size %d must be at least 1"
              .formatted(microBatchSize, globalBatchSize));
    }
    AttentionConfig attention = attention(model, parallelism.dataType());
    BadInputException.check(() -> attention.requireSplittable(parallelism.grid()));
  }

  private static AttentionConfig attention(DecoderConfig model, DataType dataType) {
    return BadInputException.check(
        () ->
            AttentionConfig.builder()
                .heads(model.heads(), model.kvHeads())
                .headDim(model.headDim())
                .dataType(dataType)
                .build());
  }

  /** {@return the layer that attention computes} */
  public AttentionConfig attention() {
    return attention(model, parallelism.dataType());
  }

  /**
   * Replicas that share the global batch.
   *
   * @param worldSize number of ranks
   * @return data-parallel size
   * @throws BadInputException if the ranks cannot be divided so, or the batch not among them
   */
  public int replicas(int worldSize) {
    int cp = parallelism.grid().size();
    if (worldSize % cp != 0) {
      throw new BadInputException(
          "--context-parallel-size %d does not divide the %d ranks; use %s ranks"
              .formatted(cp, worldSize, Numbers.nearestMultiples(worldSize, cp)));
    }
    int replicas = worldSize / cp;
    int multiple = Math.multiplyExact(microBatchSize, replicas);
    if (globalBatchSize % multiple != 0) {
      throw new BadInputException(
          "--global-batch-size %d is no multiple of --micro-batch-size %d times %d data-parallel replicas; use %s"
              .formatted(
                  globalBatchSize,
                  microBatchSize,
                  replicas,
                  Numbers.nearestMultiples(globalBatchSize, multiple)));
    }
    return replicas;
  }

  /**
   * Refuses sequences that the ranks cannot share.
   *
   * @param seqLength rows of a packed sequence
   */
  public void requireShardable(long seqLength) {
    int cp = parallelism.grid().size();
    if (seqLength * microBatchSize % cp != 0) {
      throw new BadInputException(
          "--seq-length %d is not divisible by --context-parallel-size %d; %s would be"
              .formatted(seqLength, cp, Numbers.nearestMultiples(seqLength, cp)));
    }
  }

  /** {@return a builder with one rank, batches of one sequence and a small constant rate} */
  public static Builder builder(DecoderConfig model) {
    return new Builder(model);
  }

  /** Collects the values of a {@link TrainingConfig}. */
  public static final class Builder {
    private final DecoderConfig model;
    private Parallelism parallelism = Parallelism.single();
    private DocumentRules documents = DocumentRules.reset();
    private int microBatchSize = 1;
    private int globalBatchSize = 1;
    private boolean recompute;
    private AdamSettings optimizer = AdamSettings.defaults();
    private LearningRateSchedule learningRate =
        new LearningRateSchedule(LearningRateSchedule.Style.CONSTANT, 1e-3, 0, 0, 1);
    private long seed = 1234;

    private Builder(DecoderConfig model) {
      this.model = model;
    }

    /** How attention is spread; one rank if never set. */
    public Builder parallelism(Parallelism value) {
      parallelism = value;
      return this;
    }

    /** What documents mean; {@link DocumentRules#reset()} if never set. */
    public Builder documents(DocumentRules value) {
      documents = value;
      return this;
    }

    /** Sequences of a micro batch and of a step; 1 and 1 if never set. */
    public Builder batch(int micro, int global) {
      microBatchSize = micro;
      globalBatchSize = global;
      return this;
    }

    /** Whether activations are computed twice to save memory; false if never set. */
    public Builder recompute(boolean value) {
      recompute = value;
      return this;
    }

    /** Constants of the update; the usual ones if never set. */
    public Builder optimizer(AdamSettings value) {
      optimizer = value;
      return this;
    }

    /** The learning rate; constant 1e-3 if never set. */
    public Builder learningRate(LearningRateSchedule value) {
      learningRate = value;
      return this;
    }

    /** Seed of weights and data order. */
    public Builder seed(long value) {
      seed = value;
      return this;
    }

    /** Checks the values. */
    public TrainingConfig build() {
      return new TrainingConfig(
          model,
          parallelism,
          documents,
          microBatchSize,
          globalBatchSize,
          recompute,
          optimizer,
          learningRate,
          seed);
    }
  }
}
