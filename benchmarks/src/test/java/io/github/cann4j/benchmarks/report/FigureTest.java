// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Figure.Reference;
import io.github.cann4j.benchmarks.report.Figure.Target;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class FigureTest {
  private static Figure figure(double value, Better better) {
    return new Figure(
        "java",
        "Calls",
        "tiny",
        value,
        "ns",
        better,
        List.of(new Reference("C", 100)),
        List.of(new Target("C", 1.1), new Target("JNI", 1), new Target("", 105)));
  }

  @Test
  void readsWhatItWrites() {
    Figure figure = figure(1.5, Better.LOWER);
    assertEquals(figure, Figure.parse(figure.toJson()));
    assertThrows(IllegalArgumentException.class, () -> Figure.parse("{\"value\":"));
  }

  @Test
  void judgesTargetsByTheirReferences() {
    Figure low = figure(109, Better.LOWER);
    assertEquals(Optional.of(true), low.reached(low.targets().get(0)));
    assertEquals(Optional.empty(), low.reached(low.targets().get(1)), "JNI was not measured");
    assertEquals(Optional.of(false), low.reached(low.targets().get(2)));
    Figure high = figure(109, Better.HIGHER);
    assertEquals(Optional.of(false), high.reached(high.targets().get(0)));
    assertEquals(Optional.of(true), high.reached(high.targets().get(2)));
  }
}
