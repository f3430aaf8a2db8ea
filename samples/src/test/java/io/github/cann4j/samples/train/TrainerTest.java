// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.samples.model.DecoderConfig;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
  @Test
  void lossGoesDown(@TempDir Path directory) {
    Path file = RandomData.write(directory.resolve("data"), 8, 256, 64, 1);
    TrainingConfig config = TrainingConfig.builder(DecoderConfig.preset("tiny", 64)).build();
    try (PackedDataset data = PackedDataset.open(file);
        Trainer trainer = Trainer.open(config, data, TrainingRank.alone())) {
      double first = trainer.step().loss();
      StepResult last = null;
      for (int i = 0; i < 49; i++) {
        last = trainer.step();
      }
      assertTrue(last.loss() < first * 0.8, first + " to " + last.loss());
    }
  }
}
