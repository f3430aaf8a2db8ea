// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.javapath;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * {@code attention_calls.c}, built with the machine's C compiler for a toolkit, as a process that
 * waits for orders.
 */
final class CallsInC implements AutoCloseable {
  private static final String SOURCE = "attention_calls.c";

  private final Path directory;
  private final Process process;
  private final PrintWriter orders;
  private final BufferedReader answers;

  private CallsInC(Path directory, Process process) {
    this.directory = directory;
    this.process = process;
    this.orders = new PrintWriter(process.outputWriter(), true);
    this.answers = process.inputReader();
  }

  /** Builds and starts the program with the toolkit in a directory. */
  static CallsInC start(Path home) throws IOException, InterruptedException {
    Path directory = Files.createTempDirectory("cann4j-calls");
    Path source = directory.resolve(SOURCE);
    try (InputStream in = CallsInC.class.getResourceAsStream(SOURCE)) {
      Files.copy(in, source);
    }
    Path program = directory.resolve("attention_calls");
    Path libraries = home.resolve("lib64");
    List<String> compile =
        List.of(
            "cc",
            "-O2",
            "-o",
            program.toString(),
            source.toString(),
            "-I" + home.resolve("include"),
            "-L" + libraries,
            "-lascendcl",
            "-lnnopbase",
            "-lopapi",
            "-lhccl",
            "-lpthread",
            "-Wl,-rpath," + libraries);
    if (new ProcessBuilder(compile).inheritIO().start().waitFor() != 0) {
      delete(directory);
      throw new IOException("cannot build the C peer: " + String.join(" ", compile));
    }
    ProcessBuilder run =
        new ProcessBuilder(program.toString()).redirectError(ProcessBuilder.Redirect.INHERIT);
    return new CallsInC(directory, run.start());
  }

  /** One round: nanoseconds per call with the stream held, and with the device at work. */
  double[] round() throws IOException {
    orders.println("round");
    String line = answers.readLine();
    if (line == null) {
      throw new IOException("the C peer has ended");
    }
    return Stream.of(line.split(" ")).mapToDouble(Double::parseDouble).toArray();
  }

  @Override
  public void close() throws IOException {
    orders.close();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
    }
    delete(directory);
  }

  private static void delete(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : (Iterable<Path>) files.sorted(Comparator.reverseOrder())::iterator) {
        Files.delete(file);
      }
    }
  }
}
