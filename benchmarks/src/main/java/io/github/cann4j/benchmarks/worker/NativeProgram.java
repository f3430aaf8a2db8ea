// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.worker;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Another program that is run to its end, whose lines are read as they come. */
public final class NativeProgram {
  private NativeProgram() {}

  /**
   * Runs a program; its standard error is this process's.
   *
   * @param lines takes every line of its standard output
   * @throws WorkerException if it ends with another exit code than 0
   */
  public static void run(
      List<String> command, Map<String, String> environment, Consumer<String> lines) {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().putAll(environment);
    try {
      Process process = builder.start();
      process.getOutputStream().close();
      try (BufferedReader out =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        out.lines().forEach(lines);
      }
      int exitCode = process.waitFor();
      if (exitCode != 0) {
        throw new WorkerException(
            "'%s' ended with exit code %d".formatted(String.join(" ", command), exitCode));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new WorkerException("interrupted in " + command.getFirst());
    }
  }
}
