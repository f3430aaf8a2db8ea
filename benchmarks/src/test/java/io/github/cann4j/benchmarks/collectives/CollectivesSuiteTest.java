// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.collectives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Figure.Reference;
import io.github.cann4j.benchmarks.report.Figure.Target;
import io.github.cann4j.benchmarks.report.Recorder;
import java.util.List;
import org.junit.jupiter.api.Test;

class CollectivesSuiteTest {
  private static String line(String collective, long bytes, String where, double us, double rate) {
    return "{\"collective\":\"%s\",\"bytes\":%d,\"ranks\":2,\"where\":\"%s\",\"microseconds\":%s,\"GB/s\":%s}"
        .formatted(collective, bytes, where, us, rate);
  }

  @Test
  void linesOfOneSizeAreFiguresWithTheirReferences() {
    Recorder recorder = new Recorder(text -> {});
    var grouping = new CollectivesSuite.Grouping(recorder);
    grouping.add(line("send", 8, "memcpy", 0.5, 1));
    grouping.add(line("send", 8, "threads", 3, 2));
    grouping.add(line("send", 32 << 20, "memcpy", 0.5, 16));
    grouping.add(line("send", 32 << 20, "openmpi", 0.5, 12));
    grouping.add(line("send", 32 << 20, "processes", 3, 13));
    grouping.add(line("send", 32 << 20, "threads", 3, 11));
    grouping.flush();
    assertTrue(grouping.hasMpi);
    List<Figure> figures = recorder.figures();
    assertEquals(
        List.of("8 B, threads", "32 MiB, processes", "32 MiB, threads"),
        figures.stream().map(Figure::name).toList());
    assertEquals(Better.LOWER, figures.getFirst().better());
    assertEquals(List.of(new Target("", 10)), figures.getFirst().targets());
    assertEquals(
        new Figure(
            "collectives",
            "send, 2 ranks, from 64 KiB",
            "32 MiB, threads",
            11,
            "GB/s",
            Better.HIGHER,
            List.of(new Reference("Open MPI", 12), new Reference("memcpy", 16)),
            List.of(new Target("Open MPI", 1), new Target("memcpy", 0.8))),
        figures.getLast());
    assertThrows(IllegalArgumentException.class, () -> grouping.add("{"));
  }

  @Test
  void sizesAreInTheLargestWholeUnit() {
    assertEquals("8 B", CollectivesSuite.size(8));
    assertEquals("64 KiB", CollectivesSuite.size(64 << 10));
    assertEquals("1 GiB", CollectivesSuite.size(1 << 30));
    assertEquals("1025 B", CollectivesSuite.size(1025));
  }
}
