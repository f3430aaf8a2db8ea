// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.parallel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.samples.cli.SampleCommand;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class ContextParallelCostTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... args) {
    return SampleCommand.run(
        new ContextParallelCost(), new PrintWriter(out), new PrintWriter(err), args);
  }

  private static final String[] SMALL = {
    "--seq-length=4096",
    "--num-attention-heads=4",
    "--num-query-groups=2",
    "--kv-channels=16",
    "--context-parallel-size=1,2",
    "--context-parallel-algo=megatron_cp_algo,ulysses_cp_algo,kvallgather_cp_algo",
    "--rounds=5"
  };

  private static String[] small(String... more) {
    String[] args = Arrays.copyOf(SMALL, SMALL.length + more.length);
    System.arraycopy(more, 0, args, SMALL.length, more.length);
    return args;
  }

  @Test
  void everyCaseIsAFigureBesideOneDevice() {
    assertEquals(0, run(small("--format=json")), err.toString());
    List<Figure> figures = out.toString().lines().map(Figure::parse).toList();
    assertEquals(
        List.of(
            "megatron_cp_algo, cp 1",
            "ulysses_cp_algo, cp 1",
            "kvallgather_cp_algo, cp 1",
            "megatron_cp_algo, cp 2",
            "ulysses_cp_algo, cp 2",
            "kvallgather_cp_algo, cp 2"),
        figures.stream().map(Figure::name).limit(6).toList());
    assertTrue(figures.get(7).name().startsWith("slowest of cp 2"), figures.toString());
    figures.forEach(figure -> assertTrue(figure.value() > 0, figure.toString()));
  }

  @Test
  void theTableShowsWhatIsComputedAndAllocated() {
    assertEquals(0, run(small()), err.toString());
    List<String[]> rows =
        out.toString()
            .lines()
            .filter(line -> line.contains("cp_algo") || line.startsWith("one device"))
            .map(line -> line.replace("one device", "one").split(" +"))
            .toList();
    assertEquals(7, rows.size(), out.toString());
    for (String[] row : rows) {
      assertEquals("0", row[7], "device memory after the first pass: " + out);
      assertTrue(Long.parseLong(row[8]) < 4096, "heap: " + out);
      assertTrue(Double.parseDouble(row[10]) < 1e-4, "difference: " + out);
      assertEquals(!row[1].equals("1"), Double.parseDouble(row[9]) > 0, "bytes sent: " + out);
    }
  }

  @Test
  void wrongOptionsAreNamed() {
    for (String option :
        new String[] {
          "--rounds=0", "--documents=many", "--context-parallel-algo=golf", "--seq-length=0"
        }) {
      assertEquals(2, run(small(option)), option);
      assertEquals(1, err.toString().lines().count(), err.toString());
      err.getBuffer().setLength(0);
    }
  }
}
