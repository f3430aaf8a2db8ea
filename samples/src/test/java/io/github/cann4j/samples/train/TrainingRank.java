// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.acl.Device;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.CommunicatorOptions;
import io.github.cann4j.hccl.RootInfo;
import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.samples.cli.BadInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The process of one rank: {@code DIRECTORY RANK}. Trains all cases on the data in the directory;
 * rank 0 leaves first gradients and losses there.
 */
final class TrainingRank {
  private TrainingRank() {}

  public static void main(String[] args) throws Exception {
    Path directory = Path.of(args[0]);
    int rank = Integer.parseInt(args[1]);
    Device device = Device.open(rank);
    Path rootFile = directory.resolve("root");
    if (rank == 0) {
      RootInfo.create(device).writeTo(rootFile);
    }
    for (int i = 0; i < 2400 && !Files.exists(rootFile); i++) {
      Thread.sleep(50);
    }
    CommunicatorOptions options = CommunicatorOptions.builder().bufferSizeMb(1).build();
    try (PackedDataset data = PackedDataset.open(directory.resolve("data"));
        Communicator world =
            Communicator.create(
                device, RootInfo.readFrom(rootFile), TrainingCases.RANKS, rank, options)) {
      RankPlace place = new RankPlace(device, Optional.of(world), options, 1);
      Files.writeString(directory.resolve("refusal" + rank), refusalOfOtherSeed(data, place));
      for (TrainingCases training : TrainingCases.values()) {
        try (Trainer trainer = Trainer.open(training.config(), data, place)) {
          trainer.differentiate();
          if (rank == 0) {
            Safetensors.write(directory.resolve(training + ".gradients"), trainer.gradients());
          }
        }

        List<String> losses = losses(Trainer.open(training.config(), data, place));
        if (rank == 0) {
          Files.write(directory.resolve(training + ".losses"), losses);
        }
      }
    }
  }

  /** What a rank says when the last one of them was told another seed. */
  private static String refusalOfOtherSeed(PackedDataset data, RankPlace place) {
    TrainingConfig.Builder config =
        TrainingConfig.builder(TrainingCases.MODEL)
            .parallelism(TrainingCases.RING.config().parallelism())
            .seed(place.rank() == TrainingCases.RANKS - 1 ? 2 : 1);
    try (Trainer trainer = Trainer.open(config.build(), data, place)) {
      return "goes on: " + trainer.iteration();
    } catch (BadInputException e) {
      return e.getMessage();
    }
  }

  /** One rank with one thread: the framework's threads wait for each other by spinning. */
  static RankPlace alone() {
    return new RankPlace(Device.open(0), Optional.empty(), CommunicatorOptions.defaults(), 1);
  }

  /** Trains from the start to the end, and closes the trainer. */
  static List<String> losses(Trainer trainer) {
    try (trainer) {
      List<String> losses = new ArrayList<>();
      for (int step = 0; step < TrainingCases.STEPS; step++) {
        losses.add(String.valueOf(trainer.step().loss()));
      }
      return losses;
    }
  }
}
