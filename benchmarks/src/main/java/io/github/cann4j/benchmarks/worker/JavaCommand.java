// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.worker;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Command lines of Java programs with this process's class path. */
public final class JavaCommand {
  private JavaCommand() {}

  /** The command line of a main class. */
  public static List<String> of(Class<?> main, List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-Dstdout.encoding=UTF-8");
    command.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=error");
    command.add("-classpath");
    command.add(System.getProperty("java.class.path"));
    command.add(main.getName());
    command.addAll(arguments);
    return command;
  }
}
