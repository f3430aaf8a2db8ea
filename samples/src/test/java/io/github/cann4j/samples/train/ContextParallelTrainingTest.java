// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.github.cann4j.packing.PackedDataset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Training on several ranks against one rank, and both against the framework alone. The ranks are
 * processes, all of them started once for all cases.
 */
@Tag("multiprocess")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ContextParallelTrainingTest {
  @TempDir static Path directory;
  private PackedDataset data;
  private final Map<Boolean, List<String>> losses = new LinkedHashMap<>();

  @BeforeAll
  void train() throws Exception {
    Path file =
        RandomData.write(
            directory.resolve("data"),
            TrainingCases.SEQUENCES,
            TrainingCases.SEQUENCE_LENGTH,
            TrainingCases.MODEL.vocabulary(),
            5);
    data = PackedDataset.open(file);
    List<Process> processes = new ArrayList<>();
    try {
      for (int rank = 0; rank < TrainingCases.RANKS; rank++) {
        processes.add(start(rank));
      }
      for (boolean reset : List.of(true, false)) {
        losses.put(reset, TrainingRank.losses(alone(reset)));
      }
      for (int rank = 0; rank < TrainingCases.RANKS; rank++) {
        assertTrue(processes.get(rank).waitFor(240, TimeUnit.SECONDS), "rank hangs: " + rank);
        assertEquals(0, processes.get(rank).exitValue(), Files.readString(output(rank)));
      }
    } finally {
      processes.forEach(Process::destroyForcibly);
    }
  }

  private Trainer alone(boolean reset) {
    return Trainer.open(TrainingCases.alone(reset), data, TrainingRank.alone());
  }

  private Path output(int rank) {
    return directory.resolve("output" + rank);
  }

  private Process start(int rank) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--illegal-native-access=deny",
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1"));
    for (String name : List.of("cann4j.backend", "cann4j.home")) {
      if (System.getProperty(name) != null) {
        command.add("-D" + name + "=" + System.getProperty(name));
      }
    }
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            TrainingRank.class.getName(),
            directory.toString(),
            String.valueOf(rank)));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output(rank).toFile());
    builder.environment().put("CANN4J_CPU_THREADS", "1");
    return builder.start();
  }

  @AfterAll
  void close() {
    data.close();
  }

  @Test
  void ranksToldDifferentThingsDoNotTrain() throws Exception {
    for (int rank = 0; rank < TrainingCases.RANKS; rank++) {
      String refusal = Files.readString(directory.resolve("refusal" + rank));
      assertTrue(refusal.contains("different things; rank " + rank), refusal);
      assertTrue(refusal.contains(rank < 3 ? "seed=1]" : "seed=2]"), refusal);
    }
  }

  @ParameterizedTest
  @EnumSource
  void lossesEqualThoseOfOneRank(TrainingCases training) throws Exception {
    List<String> expected = losses.get(training.reset());
    List<String> found = Files.readAllLines(directory.resolve(training + ".losses"));
    assertEquals(TrainingCases.STEPS, found.size());
    double first = Double.parseDouble(expected.getFirst());
    assertTrue(Double.parseDouble(found.getLast()) < 0.9 * first, "does not learn: " + found);
    for (int step = 0; step < TrainingCases.STEPS; step++) {
      double loss = Double.parseDouble(expected.get(step));
      assertEquals(loss, Double.parseDouble(found.get(step)), 1e-4 * loss, "step " + step);
    }
  }

  @ParameterizedTest
  @EnumSource
  void gradientsEqualThoseOfTheFrameworkAlone(TrainingCases training) throws Exception {
    try (NDManager manager = NDManager.newBaseManager();
        Trainer trainer = alone(training.reset())) {
      SequencedMap<String, NDArray> found = new LinkedHashMap<>();
      trainer.weights().forEach((name, w) -> found.put(name, manager.zeros(w.getShape())));
      Safetensors.read(directory.resolve(training + ".gradients"), found);
      requireEqual(reference(trainer, training.reset(), manager), found);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void gradientsOfOneRankEqualThoseOfTheFrameworkAlone(boolean reset) {
    try (NDManager manager = NDManager.newBaseManager();
        Trainer trainer = alone(reset)) {
      Map<String, NDArray> expected = reference(trainer, reset, manager);
      trainer.differentiate();
      requireEqual(expected, trainer.gradients());
    }
  }

  private Map<String, NDArray> reference(Trainer trainer, boolean reset, NDManager manager) {
    DataOrder order = new DataOrder(data.sequences(), TrainingCases.alone(reset).seed());
    long[] sequences = {order.at(0), order.at(1)};
    MicroBatch batch = MicroBatch.read(data, sequences, TrainingCases.alone(reset).documents());
    DenseDecoder decoder = new DenseDecoder(TrainingCases.MODEL, trainer.weights(), manager);
    double loss = decoder.differentiate(batch, manager);
    double first = Double.parseDouble(losses.get(reset).getFirst());
    assertEquals(loss, first, 2e-6 * loss);
    return decoder.gradients();
  }

  private static void requireEqual(Map<String, NDArray> expected, Map<String, NDArray> found) {
    assertEquals(expected.keySet(), found.keySet());
    expected.forEach(
        (name, gradient) -> {
          double largest = gradient.abs().max().getFloat();
          double error = gradient.sub(found.get(name)).abs().max().getFloat();
          assertTrue(largest > 0, name + " has no gradient");
          assertTrue(error <= 2e-5 * largest, name + ": off by " + error + " of " + largest);
        });
  }
}
