// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.worker;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A worker in a Java process of its own, with this one's class path. */
public final class WorkerProcess extends WorkerClient implements AutoCloseable {
  private final Process process;

  private WorkerProcess(String name, Process process) {
    super(
        name,
        new PrintStream(process.getOutputStream(), false, StandardCharsets.UTF_8),
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)));
    this.process = process;
  }

  /**
   * Starts one; its standard error is this process's.
   *
   * @param name for messages
   * @param environment variables to set; an empty value unsets one
   */
  public static WorkerProcess start(
      String name, Class<?> main, List<String> arguments, Map<String, String> environment)
      throws IOException {
    ProcessBuilder builder = new ProcessBuilder(JavaCommand.of(main, arguments));
    builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    environment.forEach(
        (variable, value) -> {
          if (value.isEmpty()) {
            builder.environment().remove(variable);
          } else {
            builder.environment().put(variable, value);
          }
        });
    return new WorkerProcess(name, builder.start());
  }

  /** Ends it: its input ends, and then it has a moment. */
  @Override
  public void close() {
    try {
      process.getOutputStream().close();
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (IOException e) {
      process.destroyForcibly();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
