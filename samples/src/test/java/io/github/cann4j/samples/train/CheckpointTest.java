// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.model.DecoderConfig;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointTest {
  private static final TrainingConfig CONFIG = TrainingCases.alone(true);

  @TempDir Path directory;

  private PackedDataset data(long seed) {
    return PackedDataset.open(RandomData.write(directory.resolve("data" + seed), 5, 64, 61, seed));
  }

  private static Trainer open(TrainingConfig config, PackedDataset data) {
    return Trainer.open(config, data, TrainingRank.alone());
  }

  private static List<Double> losses(Trainer trainer, int steps) {
    List<Double> losses = new ArrayList<>();
    for (int i = 0; i < steps; i++) {
      losses.add(trainer.step().loss());
    }
    return losses;
  }

  @Test
  void goesOnAsIfThereHadBeenNoPause() throws Exception {
    Path checkpoints = directory.resolve("checkpoints");
    try (PackedDataset data = data(1)) {
      List<Double> unbroken;
      try (Trainer trainer = open(CONFIG, data)) {
        unbroken = losses(trainer, 9);
      }
      List<Double> resumed;
      try (Trainer trainer = open(CONFIG, data)) {
        resumed = losses(trainer, 2);
        trainer.save(checkpoints);
        resumed.addAll(losses(trainer, 2));
        // What a process that was killed while saving leaves.
        Files.writeString(
            Files.createDirectory(checkpoints.resolve(".saving-new")).resolve("part"), "half");
        assertEquals(checkpoints.resolve("iter_0000004"), trainer.save(checkpoints));
        assertEquals(checkpoints.resolve("iter_0000004"), trainer.save(checkpoints));
      }
      try (Trainer trainer = open(CONFIG, data)) {
        assertEquals(4, trainer.resume(checkpoints));
        resumed.addAll(losses(trainer, 5));
        assertEquals(9, trainer.iteration());
      }
      assertEquals(unbroken, resumed);
    }
    assertEquals(
        "4", Files.readString(checkpoints.resolve("latest_checkpointed_iteration.txt")).strip());
    try (Stream<Path> left = Files.list(checkpoints)) {
      assertEquals(3, left.count(), "something temporary is left");
    }
    String config = Files.readString(checkpoints.resolve("iter_0000004/config.json"));
    assertTrue(config.contains("Qwen2ForCausalLM"), config);
  }

  @Test
  void refusesWhatItIsNotOf() {
    Path checkpoints = directory.resolve("checkpoints");
    try (PackedDataset data = data(1);
        PackedDataset others = data(2)) {
      try (Trainer trainer = open(CONFIG, data)) {
        refuses(trainer, directory, "there is no checkpoint in");
        trainer.step();
        trainer.save(checkpoints);
      }
      try (Trainer trainer = open(CONFIG, others)) {
        refuses(trainer, checkpoints, "was made with data");
      }
      DecoderConfig wider =
          new DecoderConfig("test", 2, 48, 4, 2, 16, 128, 61, 1e4, 1e-5, false, true);
      TrainingConfig.Builder config = TrainingConfig.builder(wider);
      try (Trainer trainer = open(config.build(), data)) {
        refuses(trainer, checkpoints, "feedForward 96, asked for is 128");
      }
      config = TrainingConfig.builder(TrainingCases.MODEL).seed(5);
      try (Trainer trainer = open(config.build(), data)) {
        refuses(trainer, checkpoints, "was made with seed 1234, asked for is 5");
      }
    }
  }

  private static void refuses(Trainer trainer, Path checkpoints, String reason) {
    BadInputException e = assertThrows(BadInputException.class, () -> trainer.resume(checkpoints));
    assertTrue(e.getMessage().contains(reason), e.getMessage());
  }

  @Test
  void refusesDamage() throws Exception {
    Path checkpoints = directory.resolve("checkpoints");
    try (PackedDataset data = data(1);
        Trainer trainer = open(CONFIG, data)) {
      trainer.step();
      Path saved = trainer.save(checkpoints);
      for (String name : List.of("optimizer.safetensors", "model.safetensors")) {
        try (RandomAccessFile file = new RandomAccessFile(saved.resolve(name).toFile(), "rw")) {
          file.seek(file.length() / 2);
          int old = file.read();
          file.seek(file.length() / 2);
          file.write(old ^ 1);
        }
        refuses(trainer, checkpoints, name + " is damaged");
      }
      Files.delete(saved.resolve("model.safetensors"));
      refuses(trainer, checkpoints, "is damaged");
      Files.writeString(saved.resolve("state.json"), "{");
      refuses(trainer, checkpoints, "is damaged");
    }
  }
}
