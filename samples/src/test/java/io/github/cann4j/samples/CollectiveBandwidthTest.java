// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CollectiveBandwidthTest {
  private static CommandRun run(String options) {
    return CommandRun.of(new CollectiveBandwidth(), options.split(" "));
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 7, 8})
  void allCollectivesAreRight(int ranks) {
    CommandRun run = run("-b 64 -e 4K -f 8 -n 3 -w 1 -g " + ranks);
    assertEquals(0, run.exitCode(), () -> run.out() + run.err());
    List<String[]> rows =
        run.out()
            .lines()
            .filter(line -> !line.startsWith("#"))
            .map(line -> line.strip().split("\\s+"))
            .toList();
    assertEquals(4 * 3, rows.size(), run::out);
    for (String[] row : rows) {
      assertEquals(9, row.length, run::out);
      assertEquals("float", row[2]);
      assertEquals("-1", row[4]);
      assertEquals("0", row[8], run::out);
    }
    assertTrue(run.out().contains("# Out of bounds values : 0 OK"), run::out);
    assertTrue(run.out().contains("# Avg bus bandwidth"), run::out);
  }

  @Test
  void sizeAndCountAreThoseOfNcclTests() {
    CommandRun run = run("alltoall allreduce -b 1000 -e 1000 -n 1 -w 0 -g 3");
    assertEquals(0, run.exitCode(), run::err);
    // 250 elements: 83 for each of three ranks; allreduce has all 250.
    assertTrue(run.out().lines().anyMatch(l -> l.matches(" +996 +83 +float +none .*")), run::out);
    assertTrue(run.out().lines().anyMatch(l -> l.matches(" +1000 +250 +float +sum .*")), run::out);
  }

  @Test
  void ascendTable() {
    CommandRun run = run("allgather -b 1K -e 2K -f 2 -n 2 -w 0 -g 2 --format=hccl");
    assertEquals(0, run.exitCode(), run::err);
    assertTrue(run.out().contains("alg_bandwidth(GB/s): | check_result:"), run::out);
    assertEquals(2, run.out().lines().filter(line -> line.endsWith("success")).count(), run::out);
  }

  @Test
  void cpuNumbersAreMarked() {
    CommandRun run = run("sendrecv -b 64 -e 64 -n 1 -w 0 -g 2");
    assertTrue(run.out().contains("no hardware numbers"), run::out);
  }

  @Test
  void badOptionsAreRefused() {
    run("broadcast").assertBadInput("broadcast", "sendrecv, alltoall, allgather, allreduce");
    run("-b 4X").assertBadInput("--minbytes", "4X");
    run("-b 8K -e 4K").assertBadInput("8192", "4096");
    run("-f 1").assertBadInput("--stepfactor", "1");
    run("-g 1").assertBadInput("--ranks", "1");
    run("-n 0").assertBadInput("--iters");
    run("-b 4").assertBadInput("16 bytes");
    run("-e 2G").assertBadInput("1G");
    run("-g 64").assertBadInput("--ranks 64", "CANN4J_CPU_DEVICES=64");
    run("--format=csv").assertBadInput("csv", "nccl or hccl");
  }
}
