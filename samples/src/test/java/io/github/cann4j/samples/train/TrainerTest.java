// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.attention.ContextParallelAlgorithm;
import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.Sharding;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.FailedException;
import io.github.cann4j.samples.model.DecoderConfig;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Training on one rank. */
class TrainerTest {
  @TempDir Path directory;
  private PackedDataset data;

  @BeforeEach
  void write() {
    data = PackedDataset.open(RandomData.write(directory.resolve("data"), 8, 256, 61, 1));
  }

  @AfterEach
  void close() {
    data.close();
  }

  private static TrainingConfig.Builder tiny() {
    return TrainingConfig.builder(DecoderConfig.preset("tiny", 61));
  }

  private static Parallelism alone(DataType type, boolean general) {
    return new Parallelism(
        ContextParallelAlgorithm.MEGATRON_CP,
        CpGrid.ring(1),
        Sharding.ZIGZAG,
        ExchangePattern.DIRECT,
        type,
        general);
  }

  private Trainer open(TrainingConfig config) {
    return Trainer.open(config, data, TrainingRank.alone());
  }

  @Test
  void lossGoesDownAndNothingIsLeftOfAStep() {
    try (Trainer trainer = open(tiny().batch(2, 4).build())) {
      StepResult first = trainer.step();
      assertEquals(Math.log(61), first.loss(), 0.2);
      trainer.step();
      NDManager framework =
          trainer.weights().firstEntry().getValue().getManager().getParentManager();
      int arrays = framework.getManagedArrays().size();
      long bytes = Device.open(0).allocatedBytes();
      StepResult last = first;
      for (int i = 0; i < 10; i++) {
        last = trainer.step();
      }
      assertEquals(arrays, framework.getManagedArrays().size());
      assertEquals(bytes, Device.open(0).allocatedBytes());
      assertTrue(last.loss() < 0.8 * first.loss(), first + " to " + last);
      assertEquals(12, last.iteration());
      assertEquals(5, last.epoch());
    }
  }

  @Test
  void closingFreesTheDevice() {
    long before = Device.open(0).allocatedBytes();
    try (Trainer trainer = open(tiny().build())) {
      trainer.step();
      assertTrue(trainer.deviceMemoryBytes() > before);
    }
    assertEquals(before, Device.open(0).allocatedBytes());
  }

  @ParameterizedTest
  @CsvSource({"FLOAT, true, 1e-5", "BF16, false, 2e-3", "FLOAT16, false, 2e-4"})
  void otherTypesAndMasksGiveNearlyTheSameLosses(DataType type, boolean general, double tolerance) {
    try (Trainer expected = open(tiny().build());
        Trainer found = open(tiny().parallelism(alone(type, general)).build())) {
      for (int i = 0; i < 3; i++) {
        double loss = expected.step().loss();
        assertEquals(loss, found.step().loss(), tolerance * loss);
      }
    }
  }

  /** Gradients of a mean over many tokens are below what FLOAT16 has, were they not scaled. */
  @Test
  void halfPrecisionKeepsSmallGradients() {
    TrainingConfig half = tiny().parallelism(alone(DataType.FLOAT16, false)).batch(8, 8).build();
    try (Trainer expected = open(tiny().batch(8, 8).build());
        Trainer found = open(half)) {
      expected.differentiate();
      found.differentiate();
      Map<String, NDArray> gradients = found.gradients();
      expected
          .gradients()
          .forEach(
              (name, gradient) -> {
                double error = gradient.sub(gradients.get(name)).norm().getFloat();
                double norm = gradient.norm().getFloat();
                assertTrue(error < 2e-3 * norm, name + ": off by " + error / norm);
              });
    }
  }

  @Test
  void stopsBeforeWeightsAreRuined() {
    try (Trainer trainer = open(tiny().build())) {
      NDArray norm = trainer.weights().get("model.norm.weight");
      norm.stopGradient().muli(1e38);
      float[] before = norm.toFloatArray();
      FailedException e = assertThrows(FailedException.class, trainer::step);
      assertTrue(e.getMessage().contains("iteration 1 has loss"), e.getMessage());
      assertArrayEquals(before, norm.toFloatArray());
    }
  }

  @Test
  void clippingLimitsTheNorm() {
    AdamSettings clipped = new AdamSettings(0, 0, 1e3, 0, 1e-3);
    try (Trainer trainer = open(tiny().optimizer(clipped).build())) {
      // With so large an epsilon the update is the gradient.
      float[] before = trainer.weights().get("model.norm.weight").toFloatArray();
      assertTrue(trainer.step().gradientNorm() > 1e-3);
      float[] after = trainer.weights().get("model.norm.weight").toFloatArray();
      double squares = 0;
      for (int i = 0; i < before.length; i++) {
        squares += Math.pow(before[i] - after[i], 2);
      }
      assertTrue(Math.sqrt(squares) <= 1e-3 * 1e-3 / 1e3 * 1.01, "moved by " + squares);
    }
  }

  @Test
  void namesTheNearestOfWhatDoesNotFit() {
    Parallelism three =
        TrainingCases.parallelism(ContextParallelAlgorithm.MEGATRON_CP, 3, Sharding.ZIGZAG);
    refused("use 3 or 6 ranks", () -> tiny().parallelism(three).build().replicas(4));
    refused(
        "is not divisible by --context-parallel-size 3; 255 or 258 would be",
        () -> tiny().parallelism(three).build().requireShardable(256));
    refused("use 4 or 6", () -> tiny().batch(1, 5).build().replicas(2));
    refused("must be at least 1", () -> tiny().batch(0, 5).build());
    refused(
        "vocabulary is 60",
        () -> open(TrainingConfig.builder(DecoderConfig.preset("tiny", 60)).build()));
    refused("tiny, small, 125m, 0.5b, 1b, 7b", () -> DecoderConfig.preset("huge", 60));
    refused(
        "Ulysses degree 8 is more than heads=4",
        () ->
            tiny()
                .parallelism(
                    TrainingCases.parallelism(
                        ContextParallelAlgorithm.ULYSSES_CP, 8, Sharding.CONTIGUOUS))
                .build());
    refused(
        "the nearest is ALL_GATHER",
        () ->
            new Parallelism(
                ContextParallelAlgorithm.KV_ALLGATHER_CP,
                CpGrid.ring(2),
                Sharding.ZIGZAG,
                ExchangePattern.DIRECT,
                DataType.FLOAT,
                false));
    refused(
        "use at most 9",
        () -> new LearningRateSchedule(LearningRateSchedule.Style.LINEAR, 1, 0, 10, 10));
  }

  private static void refused(String reason, Runnable work) {
    BadInputException e = assertThrows(BadInputException.class, work::run);
    assertTrue(e.getMessage().contains(reason), e.getMessage());
  }
}
