// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The programs as processes, in places where they cannot work. */
@Tag("multiprocess")
class EnvironmentTest {
  private static final List<String> PROGRAMS =
      List.of("LongSequence", "LongSequenceFinetune", "FlashAttention", "CollectiveBandwidth");

  @TempDir private Path directory;

  private record Ended(int exitCode, String out, String err) {
    void assertEnvironment(String... words) {
      assertEquals(3, exitCode, () -> out + err);
      assertEquals("", out);
      assertEquals(1, err.lines().count(), err);
      for (String word : words) {
        assertTrue(err.contains(word), () -> "'" + word + "' is not in: " + err);
      }
    }
  }

  private Ended java(String program, String... options) throws Exception {
    return java(Map.of(), program, List.of(), options);
  }

  private Ended java(
      Map<String, String> environment, String program, List<String> arguments, String... options)
      throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(options));
    command.addAll(
        List.of(
            "-cp", System.getProperty("java.class.path"), "io.github.cann4j.samples." + program));
    command.addAll(arguments);
    Path out = directory.resolve("out");
    Path err = directory.resolve("err");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      process.destroyForcibly();
    }
    return new Ended(
        process.waitFor(),
        Files.readString(out, StandardCharsets.UTF_8),
        Files.readString(err, StandardCharsets.UTF_8));
  }

  @Test
  void missingNativeAccessNamesTheFlag() throws Exception {
    for (String program : PROGRAMS) {
      java(program, "--illegal-native-access=deny")
          .assertEnvironment("--enable-native-access=ALL-UNNAMED");
    }
  }

  @Test
  void missingToolkitIsNamed() throws Exception {
    String missing = directory.resolve("nowhere").toString();
    for (String program : PROGRAMS) {
      java(program, "--enable-native-access=ALL-UNNAMED", "-Dcann4j.home=" + missing)
          .assertEnvironment(missing);
    }
  }

  @Test
  void brokenToolkitIsNamed() throws Exception {
    Path home = Files.createDirectories(directory.resolve("home"));
    Path library = Files.createDirectories(home.resolve("lib64")).resolve("libascendcl.so");
    Files.writeString(library, "no library");
    java("LongSequence", "--enable-native-access=ALL-UNNAMED", "-Dcann4j.home=" + home)
        .assertEnvironment(home.toString());
  }

  @Test
  void aRankWithoutMemoryEndsTheProgramWithItsNumber() throws Exception {
    Ended ended =
        java(
            Map.of("CANN4J_CPU_DEVICE_MEMORY", "12M"),
            "LongSequence",
            List.of("--seq-length=4096", "--no-progress", "--no-verify"),
            "--enable-native-access=ALL-UNNAMED",
            "-Dcann4j.backend=cpu");
    assertEquals(1, ended.exitCode(), () -> ended.out() + ended.err());
    String last = ended.err().lines().toList().getLast();
    assertTrue(last.matches("long-sequence: rank \\d of 4 failed: .*"), ended::err);
    assertTrue(last.contains("aclrtMalloc"), ended::err);
  }

  @Test
  void unknownBackendIsNamed() throws Exception {
    java("FlashAttention", "--enable-native-access=ALL-UNNAMED", "-Dcann4j.backend=gpu")
        .assertEnvironment("gpu", "auto, npu or cpu");
  }
}
