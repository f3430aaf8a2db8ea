// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A Java program as a process, with what it writes in files. */
public final class JavaProcess implements AutoCloseable {
  private static final int SECONDS = 90;

  private final Process process;
  private final Path out;
  private final Path err;

  private JavaProcess(Process process, Path out, Path err) {
    this.process = process;
    this.out = out;
    this.err = err;
  }

  /** The command that runs a program with this JVM's toolkit. */
  public static List<String> command(String main, List<String> args) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "--illegal-native-access=deny",
            "-XX:TieredStopAtLevel=1",
            "-Xmx512m",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"));
    for (String name : List.of("cann4j.backend", "cann4j.home")) {
      if (System.getProperty(name) != null) {
        command.add("-D" + name + "=" + System.getProperty(name));
      }
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main));
    command.addAll(args);
    return command;
  }

  /**
   * The command that runs another under Open MPI; aborts the test where that is not installed. Open
   * MPI changes the argument after one with "cp" in it if it starts "java" itself.
   */
  public static List<String> mpirun(int ranks, List<String> program) {
    boolean installed =
        Stream.of(System.getenv("PATH").split(":"))
            .anyMatch(path -> Files.isExecutable(Path.of(path, "mpirun")));
    assumeTrue(installed, "mpirun is not installed; Debian's openmpi-bin has it");
    List<String> command = new ArrayList<>();
    command.addAll(List.of("mpirun", "--oversubscribe", "-n", String.valueOf(ranks)));
    command.add("env");
    command.addAll(program);
    return command;
  }

  /** Starts a command; its outputs go to files of a directory. */
  public static JavaProcess start(
      Path directory, Map<String, String> variables, List<String> command) throws IOException {
    Path out = Files.createTempFile(directory, "out", null);
    Path err = Files.createTempFile(directory, "err", null);
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
    builder.environment().putAll(variables);
    // Open MPI wants to be told that root knows what it does.
    builder.environment().put("OMPI_ALLOW_RUN_AS_ROOT", "1");
    builder.environment().put("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    return new JavaProcess(builder.start(), out, err);
  }

  /** Waits for the end and returns the exit code. */
  public int await() throws Exception {
    assertTrue(process.waitFor(SECONDS, TimeUnit.SECONDS), () -> "hangs: " + out() + err());
    return process.exitValue();
  }

  /** Waits until a pattern has matched so many times in the output; returns the first groups. */
  public List<String> awaitOutput(Pattern pattern, int count) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
    while (true) {
      boolean ended = !process.isAlive();
      List<String> groups = new ArrayList<>();
      for (Matcher matcher = pattern.matcher(out()); matcher.find(); ) {
        groups.add(matcher.group(1));
      }
      if (groups.size() >= count) {
        return groups;
      }
      assertTrue(!ended && System.nanoTime() < deadline, () -> "no output: " + out() + err());
      Thread.sleep(20);
    }
  }

  /** The process itself. */
  public ProcessHandle handle() {
    return process.toHandle();
  }

  public String out() {
    return text(out);
  }

  public String err() {
    return text(err);
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    try (Stream<ProcessHandle> children = process.descendants()) {
      children.forEach(ProcessHandle::destroyForcibly);
    }
    process.destroyForcibly();
  }
}
