// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.javapath;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Figure.Target;
import io.github.cann4j.benchmarks.report.FigurePrinter;
import io.github.cann4j.benchmarks.report.Median;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;

/**
 * Time from the start of a JVM to its first attention result, by the clock of the process that
 * starts it: with the class path and with the module path, with the CPU toolkit of the jar unpacked
 * already and unpacked anew.
 */
public final class StartUp {
  private static final int RUNS = 9;

  private StartUp() {}

  /** Prints the figures; {@code --format json} as lines of JSON. */
  public static void main(String[] args) throws Exception {
    Path cache = Files.createTempDirectory("cann4j-start");
    try {
      List<Figure> figures = new ArrayList<>();
      for (boolean modules : new boolean[] {false, true}) {
        List<String> command = command(modules);
        String path = modules ? "module path" : "class path";
        seconds(command, cache);
        figures.add(figure(path + ", toolkit unpacked before", command, cache, false));
        figures.add(figure(path + ", toolkit unpacked anew", command, cache, true));
      }
      FigurePrinter.print(args, figures);
    } finally {
      empty(cache);
      Files.delete(cache);
    }
  }

  private static Figure figure(String name, List<String> command, Path cache, boolean anew)
      throws IOException, InterruptedException {
    double[] seconds = new double[RUNS];
    for (int i = 0; i < RUNS; i++) {
      if (anew) {
        empty(cache);
      }
      seconds[i] = seconds(command, cache);
    }
    return new Figure(
        "java",
        "JVM start to first attention result",
        name,
        Median.of(Arrays.stream(seconds)),
        "s",
        Better.LOWER,
        List.of(),
        List.of(new Target("", 0.7)));
  }

  private static double seconds(List<String> command, Path cache)
      throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.redirectError(ProcessBuilder.Redirect.DISCARD);
    builder.environment().put("CANN4J_CACHE", cache.toString());
    builder.environment().put("CANN4J_BACKEND", "cpu");
    builder.environment().remove("CANN4J_HOME");
    builder.environment().remove("ASCEND_HOME_PATH");
    long start = System.nanoTime();
    Process process = builder.start();
    String line = process.inputReader().readLine();
    double seconds = (System.nanoTime() - start) * 1e-9;
    int code = process.waitFor();
    if (code != 0 || !FirstAttention.result().equals(line)) {
      throw new IOException(
          "'%s' ended with %d and printed %s, not %s"
              .formatted(String.join(" ", command), code, line, FirstAttention.result()));
    }
    return seconds;
  }

  private static List<String> command(boolean modules) {
    List<Path> libraries = List.of(place(Cann.class), place(Logger.class), toolkit());
    String own = place(StartUp.class).toString();
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    if (modules) {
      command.add("--enable-native-access=io.github.cann4j.bindings");
      command.add("--add-modules=io.github.cann4j.bindings,io.github.cann4j.cpu");
      command.addAll(List.of("-p", join(libraries), "-cp", own));
    } else {
      command.add("--enable-native-access=ALL-UNNAMED");
      command.addAll(List.of("-cp", own + File.pathSeparator + join(libraries)));
    }
    command.add(FirstAttention.class.getName());
    return command;
  }

  private static String join(List<Path> paths) {
    return String.join(File.pathSeparator, paths.stream().map(Path::toString).toList());
  }

  private static Path place(Class<?> type) {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().getPath());
  }

  private static Path toolkit() {
    return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
        .map(Path::of)
        .filter(path -> path.getFileName().toString().startsWith("cann4j-native-"))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("no jar cann4j-native-* on the class path"));
  }

  private static void empty(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : (Iterable<Path>) files.sorted(Comparator.reverseOrder())::iterator) {
        if (!file.equals(directory)) {
          Files.delete(file);
        }
      }
    }
  }
}
