// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks;

import io.github.cann4j.benchmarks.javapath.AttentionCalls;
import io.github.cann4j.benchmarks.javapath.StartUp;
import io.github.cann4j.benchmarks.javapath.TokenScanning;
import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.benchmarks.report.Recorder;
import io.github.cann4j.benchmarks.worker.JavaCommand;
import io.github.cann4j.benchmarks.worker.NativeProgram;
import java.util.List;
import java.util.Map;

/** The benchmarks of the Java path: programs that print figures, each in a process of its own. */
final class JavaPrograms {
  private static final List<Class<?>> PROGRAMS =
      List.of(AttentionCalls.class, TokenScanning.class, StartUp.class);

  private JavaPrograms() {}

  static void run(Recorder recorder) {
    for (Class<?> program : PROGRAMS) {
      run(program, recorder);
    }
  }

  static void run(Class<?> program, Recorder recorder) {
    run(JavaCommand.of(program, List.of("--format", "json")), recorder);
  }

  static void run(List<String> command, Recorder recorder) {
    NativeProgram.run(
        command,
        Map.of(),
        line -> {
          if (line.startsWith("{")) {
            recorder.add(Figure.parse(line));
          }
        });
  }
}
