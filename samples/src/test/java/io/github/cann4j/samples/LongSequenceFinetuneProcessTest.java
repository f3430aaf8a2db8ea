// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cann4j.samples.launch.JavaProcess;
import io.github.cann4j.samples.launch.Jobs;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program with ranks that are processes. */
@Tag("multiprocess")
class LongSequenceFinetuneProcessTest {
  private static final int STEPS = 40;
  private static final int ENDLESS = 100_000;

  @TempDir private static Path shared;
  private static Path packed;

  @TempDir private Path directory;

  @BeforeAll
  static void pack() {
    packed = shared.resolve("data.packed");
    CommandRun run =
        CommandRun.of(
            new PreprocessData(),
            "--is-instruction-dataset",
            "--seq-length=256",
            "--no-progress",
            "--output=" + packed);
    assertEquals(0, run.exitCode(), run::err);
  }

  private static List<String> command(int ranks, Path metrics, String... more) {
    List<String> options =
        new ArrayList<>(
            List.of(
                "--data-path=" + packed,
                "--context-parallel-size=" + ranks,
                "--num-layers=1",
                "--hidden-size=32",
                "--ffn-hidden-size=64",
                "--kv-channels=16",
                "--lr=1e-2",
                "--lr-decay-style=constant",
                "--train-iters=" + STEPS,
                "--no-progress",
                "--metrics=" + metrics));
    options.addAll(List.of(more));
    return JavaProcess.command(LongSequenceFinetune.class.getName(), options);
  }

  private JavaProcess start(List<String> command) throws Exception {
    return JavaProcess.start(directory, Map.of(), command);
  }

  private static void assertSuccess(JavaProcess process) throws Exception {
    assertEquals(0, process.await(), () -> process.out() + process.err());
    assertEquals("", process.err());
  }

  private static List<Double> losses(Path metrics) throws Exception {
    List<Double> losses = new ArrayList<>();
    for (String line : Files.readAllLines(metrics)) {
      JsonNode step = new ObjectMapper().readTree(line);
      losses.add(step.get("loss").asDouble());
      assertEquals(losses.size(), step.get("iteration").asInt());
    }
    return losses;
  }

  private static void assertLearned(Path metrics) throws Exception {
    List<Double> losses = losses(metrics);
    assertEquals(STEPS, losses.size());
    // Batches differ more than a few steps.
    double first = mean(losses.subList(0, 5));
    double last = mean(losses.subList(STEPS - 5, STEPS));
    assertTrue(last < 0.92 * first, losses::toString);
  }

  private static double mean(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
  }

  /** Waits until a run has done so many steps. */
  private static void awaitSteps(JavaProcess process, Path metrics, int steps) throws Exception {
    while (!Files.exists(metrics) || Files.readAllLines(metrics).size() < steps) {
      assertTrue(process.handle().isAlive(), () -> process.out() + process.err());
      Thread.sleep(10);
    }
  }

  private static ProcessHandle rank(JavaProcess launcher, int rank) throws Exception {
    for (ProcessHandle child : launcher.handle().children().toList()) {
      String variables = Files.readString(Path.of("/proc", child.pid() + "", "environ"));
      if (List.of(variables.split("\0")).contains("RANK=" + rank)) {
        return child;
      }
    }
    throw new AssertionError("no rank " + rank);
  }

  @Test
  void aKilledRankEndsTheJobWhichGoesOnFromItsCheckpoint() throws Exception {
    Path metrics = directory.resolve("metrics");
    Path checkpoints = directory.resolve("checkpoints");
    List<String> command =
        command(4, metrics, "--nproc=4", "--save=" + checkpoints, "--save-interval=10");
    List<String> endless = new ArrayList<>(command);
    endless.add("--train-iters=" + ENDLESS);
    try (JavaProcess launcher = start(endless)) {
      awaitSteps(launcher, metrics, 17);
      ProcessHandle first = rank(launcher, 0);
      rank(launcher, 2).destroyForcibly();
      assertEquals(137, launcher.await(), () -> launcher.out() + launcher.err());
      assertEquals(1, launcher.err().lines().count(), launcher::err);
      assertTrue(launcher.err().contains("rank 2 of 4 was killed by SIGKILL"), launcher::err);
      first.onExit().get(30, TimeUnit.SECONDS);
    }
    List<Double> unbroken = losses(metrics);
    assertTrue(unbroken.size() < STEPS, "it was killed too late: " + unbroken.size());

    command.add("--load=" + checkpoints);
    try (JavaProcess launcher = start(command)) {
      assertSuccess(launcher);
    }
    assertLearned(metrics);
    // Steps that were done before the end and, after the last checkpoint, again.
    assertEquals(unbroken, losses(metrics).subList(0, unbroken.size()));
  }

  @Test
  void aKilledRankIsNamedByRanksStartedByHand() throws Exception {
    int port = Jobs.freePort();
    Path metrics = directory.resolve("metrics");
    List<String> command = command(2, metrics, "--train-iters=" + ENDLESS);
    try (JavaProcess first = JavaProcess.start(directory, Jobs.variables(0, 2, port), command);
        JavaProcess second = JavaProcess.start(directory, Jobs.variables(1, 2, port), command)) {
      awaitSteps(first, metrics, 2);
      second.handle().destroyForcibly();
      assertEquals(4, first.await());
      assertEquals(1, first.err().lines().count(), first::err);
      assertTrue(
          first.err().startsWith("long-sequence-finetune: rank 1 of 2 was lost"), first::err);
    }
  }

  @Test
  void openMpiRunsIt() throws Exception {
    Path metrics = directory.resolve("metrics");
    try (JavaProcess mpirun = start(JavaProcess.mpirun(2, command(2, metrics)))) {
      assertEquals(0, mpirun.await(), () -> mpirun.out() + mpirun.err());
      assertTrue(mpirun.out().contains("1/1/2"), mpirun::out);
    }
    assertLearned(metrics);
  }
}
