// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.probe.LoaderProbe;
import java.io.File;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A plain {@code java} process that runs a probe. */
final class Child {
  private static final Path BINDINGS = place(Cann.class);
  private static final Path TESTS = place(LoaderProbe.class);
  private static final List<Path> LIBRARIES =
      Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
          .map(Path::of)
          .filter(entry -> entry.getFileName().toString().startsWith("slf4j-"))
          .toList();

  private final List<String> options = new ArrayList<>();
  private final Map<String, String> environment = new HashMap<>();
  private final List<String> arguments = new ArrayList<>();
  private final Class<?> main;
  private boolean withCpuToolkit = true;
  private boolean modules;
  private String flag = "--enable-native-access=ALL-UNNAMED";

  Child() {
    this(LoaderProbe.class);
  }

  Child(Class<?> main) {
    this.main = main;
  }

  private static Path place(Class<?> type) {
    try {
      return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  /** The jar (or directory) that holds the CPU toolkit in this test run. */
  static Path cpuToolkit() {
    String name = "META-INF/cann4j/" + CpuToolkitArchive.classifier() + "/toolkit.properties";
    URL url = Cann.class.getClassLoader().getResource(name);
    assertTrue(url != null, "the native jar is on the test class path");
    String text = url.toString();
    String path =
        text.startsWith("jar:file:")
            ? text.substring("jar:file:".length(), text.indexOf("!/"))
            : text.substring("file:".length(), text.length() - name.length() - 1);
    return Path.of(path);
  }

  Child property(String name, Object value) {
    options.add("-D" + name + "=" + value);
    return this;
  }

  Child variable(String name, Object value) {
    environment.put(name, value.toString());
    return this;
  }

  Child withoutCpuToolkit() {
    withCpuToolkit = false;
    return this;
  }

  Child withoutNativeAccess() {
    flag = null;
    return this;
  }

  Child asModules() {
    modules = true;
    flag = "--enable-native-access=io.github.cann4j.bindings";
    return this;
  }

  /** The probe loads everything again in two further class loaders. */
  Child twice() {
    arguments.add(join(classPath(true)));
    return this;
  }

  private List<Path> classPath(boolean tests) {
    List<Path> entries = new ArrayList<>(List.of(BINDINGS));
    entries.addAll(LIBRARIES);
    if (tests) {
      entries.add(TESTS);
    }
    if (withCpuToolkit) {
      entries.add(cpuToolkit());
    }
    return entries;
  }

  private static String join(List<Path> entries) {
    return String.join(":", entries.stream().map(Path::toString).toList());
  }

  /** Runs to the end and returns standard output and error together. */
  String run() throws Exception {
    assertEquals(2, LIBRARIES.size(), "slf4j-api and slf4j-simple: " + LIBRARIES);
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--illegal-native-access=deny");
    command.add("-Xmx256m");
    if (flag != null) {
      command.add(flag);
    }
    command.addAll(options);
    if (modules) {
      command.addAll(List.of("--module-path", join(classPath(false))));
      String roots = "io.github.cann4j.bindings,org.slf4j.simple";
      command.addAll(
          List.of("--add-modules", withCpuToolkit ? roots + ",io.github.cann4j.cpu" : roots));
      command.addAll(List.of("-cp", TESTS.toString()));
    } else {
      command.addAll(List.of("-cp", join(classPath(true))));
    }
    command.add(main.getName());
    command.addAll(arguments);
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    Map<String, String> inherited = builder.environment();
    inherited.keySet().removeIf(name -> name.startsWith("ASCEND_") || name.startsWith("CANN4J_"));
    inherited.remove("LD_LIBRARY_PATH");
    inherited.putAll(environment);
    Path output = Files.createTempFile("loader", ".txt");
    try {
      Process process = builder.redirectOutput(output.toFile()).start();
      if (!process.waitFor(2, TimeUnit.MINUTES)) {
        process.destroyForcibly();
        throw new AssertionError("hangs: " + command);
      }
      String text = Files.readString(output, StandardCharsets.UTF_8);
      assertEquals(0, process.exitValue(), text);
      return text;
    } finally {
      Files.delete(output);
    }
  }
}
