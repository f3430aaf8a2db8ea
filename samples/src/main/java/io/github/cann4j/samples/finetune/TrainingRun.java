// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.Progress;
import io.github.cann4j.samples.train.PretrainedModel;
import io.github.cann4j.samples.train.RankPlace;
import io.github.cann4j.samples.train.StepResult;
import io.github.cann4j.samples.train.Trainer;
import io.github.cann4j.samples.train.TrainingConfig;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Trains on one rank; rank 0 shows and records what happens. */
public final class TrainingRun {
  private static final Logger LOG = LoggerFactory.getLogger(TrainingRun.class);
  private static final double MEBI = 1 << 20;

  private final TrainingConfig config;
  private final PackedDataset data;
  private final int iterations;
  private final Optional<PretrainedModel> pretrained;
  private final OutputOptions output;
  private final PrintWriter err;

  public TrainingRun(
      TrainingConfig config,
      PackedDataset data,
      int iterations,
      Optional<PretrainedModel> pretrained,
      OutputOptions output,
      PrintWriter err) {
    this.config = config;
    this.data = data;
    this.iterations = iterations;
    this.pretrained = pretrained;
    this.output = output;
    this.err = err;
  }

  /**
   * Trains to the last step.
   *
   * @return the steps of this run
   * @throws io.github.cann4j.samples.cli.FailedException if the loss of a step is no number
   */
  public List<StepMetrics> run(RankPlace place) {
    boolean first = place.rank() == 0;
    List<StepMetrics> steps = new ArrayList<>();
    try (Trainer trainer = Trainer.open(config, data, place)) {
      if (output.load == null) {
        pretrained.ifPresent(trainer::load);
      } else {
        int done = trainer.resume(output.load);
        if (done >= iterations) {
          throw new BadInputException(
              "the checkpoint in --load %s has done %d iterations already; --train-iters must be above that: %d"
                  .formatted(output.load, done, iterations));
        }
        if (first) {
          LOG.info("goes on from iteration {} of {}", done, output.load);
        }
      }
      try (Progress progress =
              first ? output.reporting.progress(iterations, err) : Progress.silent();
          MetricsFile metrics =
              first && output.metrics != null
                  ? MetricsFile.open(output.metrics, trainer.iteration())
                  : null) {
        for (int done = 0; done < trainer.iteration(); done++) {
          progress.step();
        }
        while (trainer.iteration() < iterations) {
          StepMetrics step = metrics(trainer.step(), place.size(), trainer.deviceMemoryBytes());
          steps.add(step);
          progress.say(line(step));
          progress.step();
          if (metrics != null) {
            metrics.add(step);
          }
          if (output.isCheckpoint(trainer.iteration(), iterations)) {
            Path checkpoint = trainer.save(output.save);
            if (first) {
              LOG.info("saved {}", checkpoint);
            }
          }
        }
      }
      if (first && output.lossCurve != null) {
        LossCurve.write(
            output.lossCurve,
            config.model().name() + ", " + data.sequenceLength() + " tokens",
            output.metrics != null ? MetricsFile.read(output.metrics) : steps);
      }
    }
    return steps;
  }

  private static StepMetrics metrics(StepResult step, int ranks, long deviceBytes) {
    double seconds = step.times().total();
    return new StepMetrics(
        step.iteration(),
        step.loss(),
        step.gradientNorm(),
        step.learningRate(),
        step.tokens(),
        step.predictedTokens(),
        1e3 * seconds,
        step.tokens() / seconds,
        (step.linearFlops() + step.attentionFlops()) / seconds / ranks / 1e12,
        deviceBytes / MEBI);
  }

  private static String line(StepMetrics step) {
    return String.format(
        Locale.ROOT,
        // A bar has room for the first of it.
        "loss %.4f  %,.0f tokens/s  %.4f TFLOP/s per rank  %.0f MiB  grad norm %.3f  lr %.2e",
        step.loss(),
        step.tokensPerSecond(),
        step.teraflopsPerRank(),
        step.deviceMebibytes(),
        step.gradNorm(),
        step.learningRate());
  }
}
