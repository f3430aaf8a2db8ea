// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import io.github.cann4j.samples.cli.Numbers;
import picocli.CommandLine.Option;

/** Batches, optimizer and schedule. */
final class OptimizerOptions {
  @Option(
      names = "--micro-batch-size",
      paramLabel = "N",
      defaultValue = "1",
      description =
          "Packed sequences in one pass of a data-parallel replica (default: ${DEFAULT-VALUE}).")
  int microBatchSize;

  @Option(
      names = "--global-batch-size",
      paramLabel = "N",
      description =
          "Packed sequences in one step, over all replicas and passes (default: one micro batch per"
              + " replica).")
  Integer globalBatchSize;

  @Option(
      names = "--train-iters",
      paramLabel = "N",
      defaultValue = "50",
      description = "Steps, those of a resumed run included (default: ${DEFAULT-VALUE}).")
  int iterations;

  @Option(
      names = "--lr",
      paramLabel = "X",
      defaultValue = "1e-3",
      description = "Highest learning rate (default: ${DEFAULT-VALUE}).")
  double learningRate;

  @Option(
      names = "--min-lr",
      paramLabel = "X",
      defaultValue = "0",
      description = "Learning rate at the end (default: ${DEFAULT-VALUE}).")
  double minLearningRate;

  @Option(
      names = "--lr-decay-style",
      paramLabel = "NAME",
      defaultValue = "cosine",
      description = "constant, linear or cosine (default: ${DEFAULT-VALUE}).")
  String decayStyle;

  @Option(
      names = "--lr-warmup-iters",
      paramLabel = "N",
      defaultValue = "0",
      description = "Steps in which the learning rate rises to --lr (default: ${DEFAULT-VALUE}).")
  int warmupIterations;

  @Option(
      names = "--weight-decay",
      paramLabel = "X",
      defaultValue = "0.01",
      description = "Decoupled weight decay of matrices (default: ${DEFAULT-VALUE}).")
  double weightDecay;

  @Option(
      names = "--adam-beta1",
      paramLabel = "X",
      defaultValue = "0.9",
      description = "Decay of the gradients' mean (default: ${DEFAULT-VALUE}).")
  double beta1;

  @Option(
      names = "--adam-beta2",
      paramLabel = "X",
      defaultValue = "0.95",
      description = "Decay of the gradients' mean square (default: ${DEFAULT-VALUE}).")
  double beta2;

  @Option(
      names = "--adam-eps",
      paramLabel = "X",
      defaultValue = "1e-8",
      description = "Added to the root of the mean square (default: ${DEFAULT-VALUE}).")
  double epsilon;

  @Option(
      names = "--clip-grad",
      paramLabel = "X",
      defaultValue = "1.0",
      description =
          "Largest norm of all gradients together; 0 does not clip (default: ${DEFAULT-VALUE}).")
  double clipGrad;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1234",
      description = "Seed of the weights and of the data's order (default: ${DEFAULT-VALUE}).")
  long seed;

  /** The packed sequences of a step. */
  int globalBatchSize(int replicas) {
    Numbers.requireAtLeast("--micro-batch-size", microBatchSize, 1);
    return globalBatchSize != null
        ? globalBatchSize
        : Math.multiplyExact(microBatchSize, Math.max(1, replicas));
  }
}
