// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ranks as processes, by the local launcher, by hand and by Open MPI. */
@Tag("multiprocess")
class LaunchedProcessesTest {
  private static final Pattern PID = Pattern.compile("rank \\d .*pid (\\d+)");

  @TempDir private Path directory;

  private JavaProcess launch(String... args) throws Exception {
    return start(Map.of(), args);
  }

  private JavaProcess start(Map<String, String> variables, String... args) throws Exception {
    return JavaProcess.start(
        directory, variables, JavaProcess.command(RankProgram.class.getName(), List.of(args)));
  }

  private static ProcessHandle rank(JavaProcess process, int rank, int ranks) throws Exception {
    process.awaitOutput(PID, ranks);
    String pid =
        process.awaitOutput(Pattern.compile("rank " + rank + " .*pid (\\d+)"), 1).getFirst();
    return ProcessHandle.of(Long.parseLong(pid)).orElseThrow();
  }

  @Test
  void theLauncherRunsAllRanks() throws Exception {
    try (JavaProcess launcher = start(Map.of("CANN4J_CPU_THREADS", "3"), "3")) {
      assertEquals(0, launcher.await(), () -> launcher.out() + launcher.err());
      assertEquals("", launcher.err());
      List<String> lines = launcher.out().lines().map(l -> l.replaceAll(", pid.*", "")).toList();
      assertEquals("launcher here", lines.getFirst());
      assertEquals(
          List.of(
              "[rank 1] rank 1 of 3 by torchrun's variables, sum 6, threads 3",
              "[rank 2] rank 2 of 3 by torchrun's variables, sum 6, threads 3",
              "rank 0 of 3 by torchrun's variables, sum 6, threads 3"),
          lines.stream().skip(1).sorted().toList());
    }
  }

  @Test
  void aRankThatFailsEndsTheLauncherWithItsCode() throws Exception {
    try (JavaProcess launcher = launch("3", "2", "exit")) {
      assertEquals(7, launcher.await());
      assertEquals(
          List.of("rank-program: rank 2 of 3 failed with exit code 7; the other ranks were ended"),
          launcher.err().lines().toList());
    }
  }

  @Test
  void aKilledRankEndsTheLauncherWithItsSignal() throws Exception {
    try (JavaProcess launcher = launch("3", "1", "wait")) {
      rank(launcher, 1, 3).destroyForcibly();
      assertEquals(137, launcher.await());
      assertEquals(1, launcher.err().lines().count(), launcher::err);
      assertTrue(
          launcher.err().startsWith("rank-program: rank 1 of 3 was killed by SIGKILL"),
          launcher::err);
    }
  }

  @Test
  void aRankThatIsNotHeardOfIsNamedByAnother() throws Exception {
    try (JavaProcess launcher = launch("3", "1", "stop")) {
      assertEquals(4, launcher.await());
      assertEquals(1, launcher.err().lines().count(), launcher::err);
      assertTrue(
          launcher.err().startsWith("rank-program: rank 1 of 3 was lost: nothing was heard of it"),
          launcher::err);
    }
  }

  @Test
  void aRankThatLeavesTheOthersAloneIsNamed() throws Exception {
    try (JavaProcess launcher = launch("2", "0", "leave")) {
      assertEquals(4, launcher.await());
      assertEquals(
          List.of("rank-program: rank 0 of 2 ended with exit code 0 before the others were done"),
          launcher.err().lines().toList());
    }
  }

  @Test
  void aKilledLauncherTakesItsRanksAlong() throws Exception {
    for (boolean forcibly : List.of(true, false)) {
      try (JavaProcess launcher = launch("2", "1", "wait")) {
        List<ProcessHandle> ranks = new ArrayList<>();
        for (int rank = 0; rank < 2; rank++) {
          ranks.add(rank(launcher, rank, 2));
        }
        if (forcibly) {
          launcher.handle().destroyForcibly();
        } else {
          launcher.handle().destroy();
        }
        assertEquals(forcibly ? 137 : 143, launcher.await());
        for (ProcessHandle rank : ranks) {
          rank.onExit().get(30, TimeUnit.SECONDS);
        }
        assertEquals("", launcher.err());
      }
    }
  }

  @Test
  void ranksStartedByHandNameTheLostOne() throws Exception {
    int port = Jobs.freePort();
    List<JavaProcess> ranks = new ArrayList<>();
    try {
      for (int rank = 0; rank < 3; rank++) {
        ranks.add(start(Jobs.variables(rank, 3, port), "3", "2", "wait"));
      }
      rank(ranks.get(2), 2, 1).destroyForcibly();
      for (JavaProcess rank : ranks.subList(0, 2)) {
        assertEquals(4, rank.await());
        assertEquals(
            List.of(
                "rank-program: rank 2 of 3 was lost: its process ended without a word, killed or"
                    + " crashed"),
            rank.err().lines().toList());
      }
    } finally {
      ranks.forEach(JavaProcess::close);
    }
  }

  @Test
  void aFailureReachesRanksStartedByHand() throws Exception {
    int port = Jobs.freePort();
    try (JavaProcess first = start(Jobs.variables(0, 2, port), "2", "1", "throw");
        JavaProcess second = start(Jobs.variables(1, 2, port), "2", "1", "throw")) {
      assertEquals(1, second.await());
      assertTrue(second.err().contains("IllegalStateException: no more"), second::err);
      assertEquals(4, first.await());
      assertEquals(
          List.of("rank-program: rank 1 of 2 failed: no more"), first.err().lines().toList());
    }
  }

  @Test
  void openMpiRunsAllRanks() throws Exception {
    List<String> program = JavaProcess.command(RankProgram.class.getName(), List.of("4"));
    try (JavaProcess mpirun =
        JavaProcess.start(directory, Map.of(), JavaProcess.mpirun(4, program))) {
      assertEquals(0, mpirun.await(), () -> mpirun.out() + mpirun.err());
      for (int rank = 0; rank < 4; rank++) {
        String line = "rank %d of 4 by Open MPI, sum 10,".formatted(rank);
        assertTrue(mpirun.out().contains(line), mpirun::out);
      }
    }
  }
}
