// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.acl.Device;
import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.packing.PackedDatasetWriter;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.PackedTokens;
import io.github.cann4j.packing.TokenType;
import io.github.cann4j.samples.model.DecoderConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * How fast this host trains a model, from steps of a model with one layer and of one with two on a
 * few rows: what the second layer took counts for each further one.
 *
 * @param secondsPerRow of the model outside attention, copies to the device included
 * @param secondsPerStep of the update, whatever the rows
 * @param attentionFlopsPerSecond of one device
 */
public record SpeedTrial(
    double secondsPerRow, double secondsPerStep, double attentionFlopsPerSecond) {
  private static final double MOST_FLOPS = 4e11;
  private static final int LEAST_ROWS = 64;
  private static final int MOST_ROWS = 4096;

  /**
   * Measures on one device with all processors; takes some seconds.
   *
   * @param data sequences whose first rows are trained on
   */
  public static SpeedTrial run(TrainingConfig config, PackedDataset data, Device device) {
    DecoderConfig model = config.model();
    double flopsPerRow = model.withLayers(2).linearFlops(1, 1);
    int rows =
        Math.min(
            data.validLength(0),
            Math.clamp((long) (MOST_FLOPS / flopsPerRow), LEAST_ROWS, MOST_ROWS));
    try {
      Path directory = Files.createTempDirectory("cann4j-trial");
      try {
        Path file = begin(data, rows, directory.resolve("trial.packed"));
        try (PackedDataset few = PackedDataset.open(file)) {
          StepResult one = secondStep(config, 1, few, device);
          StepResult two = secondStep(config, 2, few, device);
          double further = model.layers() - 1.0;
          double onRows = Math.max(0, onRows(two.times()) - onRows(one.times()));
          double update = Math.max(0, two.times().optimizer() - one.times().optimizer());
          return new SpeedTrial(
              (onRows(one.times()) + further * onRows) / rows,
              one.times().optimizer() + further * update,
              two.attentionFlops() / two.times().attention());
        } finally {
          Files.delete(file);
        }
      } finally {
        Files.delete(directory);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static double onRows(StepTimes times) {
    return times.model() + times.copies();
  }

  private static StepResult secondStep(
      TrainingConfig config, int layers, PackedDataset data, Device device) {
    TrainingConfig trial =
        TrainingConfig.builder(config.model().withLayers(layers))
            .documents(config.documents())
            .build();
    try (Trainer trainer = Trainer.open(trial, data, RankPlace.alone(device))) {
      trainer.step();
      return trainer.step();
    }
  }

  /** The first rows of the data as a file of one sequence. */
  private static Path begin(PackedDataset data, int rows, Path file) {
    int[] tokens =
        data.tokens(0)
            .asSlice(0, TokenType.INT32.byteSize() * (long) rows)
            .toArray(ValueLayout.JAVA_INT);
    byte[] targets = data.targets(0).asSlice(0, rows).toArray(ValueLayout.JAVA_BYTE);
    PackedSequence samples = data.samples(0);
    long[] ends =
        Arrays.stream(samples.actualSeqLen()).map(end -> Math.min(end, rows)).distinct().toArray();
    try (PackedDatasetWriter writer =
        PackedDatasetWriter.create(file, rows, data.vocabSize(), data.eodId(), data.padId())) {
      writer.accept(PackedTokens.of(PackedSequence.ofActualSeqLen(ends, rows), tokens, targets));
      return writer.commit();
    }
  }
}
