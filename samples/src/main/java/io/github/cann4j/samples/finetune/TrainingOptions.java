// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import io.github.cann4j.attention.ContextParallelAlgorithm;
import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.Choice;
import io.github.cann4j.samples.cli.ContextParallelOptions;
import io.github.cann4j.samples.cli.Numbers;
import io.github.cann4j.samples.train.AdamSettings;
import io.github.cann4j.samples.train.DocumentRules;
import io.github.cann4j.samples.train.LearningRateSchedule;
import io.github.cann4j.samples.train.LearningRateSchedule.Style;
import io.github.cann4j.samples.train.Parallelism;
import io.github.cann4j.samples.train.PretrainedModel;
import io.github.cann4j.samples.train.TrainingConfig;
import java.util.Optional;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;

/** All that a training is told. */
public final class TrainingOptions {
  private static final Choice<Style> DECAY =
      new Choice<>("--lr-decay-style", "constant", Style.CONSTANT, "linear", Style.LINEAR)
          .or("cosine", Style.COSINE);

  private static final Choice<Boolean> RECOMPUTE =
      new Choice<>("--recompute-granularity", "none", false, "full", true);

  @Mixin private DataOptions data;
  @Mixin private ModelOptions model;

  @Option(
      names = "--context-parallel-algo",
      paramLabel = "NAME",
      defaultValue = "megatron_cp_algo",
      description =
          "megatron_cp_algo (ring), ulysses_cp_algo (heads by all-to-all), hybrid_cp_algo (Ulysses"
              + " inside, ring outside) or kvallgather_cp_algo (all needed keys first) (default:"
              + " ${DEFAULT-VALUE}).")
  private String algorithm;

  @Mixin private ContextParallelOptions parallel;

  @Option(
      names = "--neat-pack",
      negatable = true,
      description =
          "Documents are the samples that were packed, whatever EOD tokens they hold, instead of"
              + " what EOD tokens end (default: on for instructions, whose turns may end with"
              + " EOD).")
  private Boolean neatPack;

  @Option(names = "--eod-mask-loss", description = "Rows that hold an EOD token predict nothing.")
  private boolean eodMaskLoss;

  @Option(
      names = {"--tensor-model-parallel-size", "--pipeline-model-parallel-size"},
      paramLabel = "1",
      defaultValue = "1",
      description = "Accepted for commands that say 1; layers are not divided.")
  private int modelParallelSize;

  @Option(
      names = "--recompute-granularity",
      paramLabel = "NAME",
      defaultValue = "none",
      description =
          "none, or full: compute twice what lies between two layers' attention instead of keeping"
              + " it (default: ${DEFAULT-VALUE}).")
  private String recompute;

  @Mixin private OptimizerOptions optimizer;
  @Mixin private OutputOptions output;

  /** Refuses what is wrong or contradicts itself without a look at data and ranks. */
  public void check(ParseResult given) {
    if (modelParallelSize != 1) {
      throw new BadInputException(
          "--tensor-model-parallel-size and --pipeline-model-parallel-size must be 1, not %d; spread long sequences by --context-parallel-size"
              .formatted(modelParallelSize));
    }
    Numbers.requireAtLeast("--train-iters", optimizer.iterations, 1);
    Numbers.requireAtLeast("--context-parallel-size", parallel.size(), 1);
    output.check();
    model.check(given);
    data.check(given);
  }

  /** What is trained, for sequences of a file. */
  public TrainingConfig config(PackedDataset sequences, int ranks) {
    parallel.requireDivides(sequences.sequenceLength());
    Numbers.requireAtLeast("--nproc", ranks, 1);
    ContextParallelAlgorithm chosen =
        BadInputException.check(() -> ContextParallelAlgorithm.fromOption(algorithm));
    TrainingConfig config =
        TrainingConfig.builder(model.config(Math.toIntExact(sequences.vocabSize())))
            .parallelism(
                new Parallelism(
                    chosen,
                    parallel.grid(chosen),
                    parallel.sharding(),
                    parallel.pattern(chosen),
                    parallel.dataType(),
                    parallel.generalMask()))
            .documents(
                new DocumentRules(
                    parallel.resetPositionIds(),
                    parallel.resetAttentionMask(),
                    neatPack(sequences),
                    eodMaskLoss))
            .batch(optimizer.microBatchSize, optimizer.globalBatchSize(ranks / parallel.size()))
            .recompute(RECOMPUTE.parse(recompute))
            .optimizer(
                new AdamSettings(
                    optimizer.beta1,
                    optimizer.beta2,
                    optimizer.epsilon,
                    optimizer.weightDecay,
                    optimizer.clipGrad))
            .learningRate(
                new LearningRateSchedule(
                    DECAY.parse(optimizer.decayStyle),
                    optimizer.learningRate,
                    optimizer.minLearningRate,
                    optimizer.warmupIterations,
                    optimizer.iterations))
            .seed(optimizer.seed)
            .build();
    config.replicas(ranks);
    return config;
  }

  /** An EOD token inside a conversation would hide prompts from their responses. */
  private boolean neatPack(PackedDataset sequences) {
    boolean instructions = "instructions".equals(sequences.properties().get("dataset"));
    return neatPack != null ? neatPack : instructions && parallel.resetAttentionMask();
  }

  /** Where sequences come from. */
  public DataOptions data() {
    return data;
  }

  /** What the weights begin with, if not at random. */
  public Optional<PretrainedModel> pretrained() {
    return model.pretrained();
  }

  /** How attention is spread over ranks. */
  public ContextParallelOptions parallel() {
    return parallel;
  }

  /** Checkpoints and what is shown. */
  public OutputOptions output() {
    return output;
  }

  /** Steps, those of a resumed run included. */
  public int iterations() {
    return optimizer.iterations;
  }
}
