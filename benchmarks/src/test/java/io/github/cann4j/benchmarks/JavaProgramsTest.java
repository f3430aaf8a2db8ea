// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Recorder;
import io.github.cann4j.benchmarks.worker.JavaCommand;
import io.github.cann4j.benchmarks.worker.WorkerException;
import io.github.cann4j.samples.cli.SampleCommand;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

class JavaProgramsTest {
  private static final Figure FIGURE =
      new Figure("java", "Calls", "µ", 1, "ns", Better.LOWER, List.of(), List.of());

  /** Prints a figure between other words, or fails. */
  static final class Program {
    public static void main(String[] args) {
      System.out.println("words");
      System.out.println(FIGURE.toJson());
      System.exit(args.length == 0 ? 0 : 5);
    }
  }

  @Test
  void figuresOfAProgramAreRecorded() {
    Recorder recorder = new Recorder(text -> {});
    JavaPrograms.run(JavaCommand.of(Program.class, List.of()), recorder);
    assertEquals(List.of(FIGURE), recorder.figures());
    List<String> failing = JavaCommand.of(Program.class, List.of("x"));
    WorkerException e =
        assertThrows(WorkerException.class, () -> JavaPrograms.run(failing, recorder));
    assertTrue(e.getMessage().endsWith("ended with exit code 5"), e.getMessage());
  }

  @Test
  void wrongOptionsAreNamed() {
    for (String[] arguments :
        new String[][] {{"--only", "attention,golf"}, {"--native", "/nonexistent"}}) {
      StringWriter err = new StringWriter();
      int exitCode =
          SampleCommand.run(
              new Benchmarks(),
              new PrintWriter(new StringWriter()),
              new PrintWriter(err),
              arguments);
      assertEquals(2, exitCode, err.toString());
      assertTrue(err.toString().contains(arguments[0]), err.toString());
      assertEquals(1, err.toString().lines().count(), err.toString());
    }
  }
}
