// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.Backend;
import io.github.cann4j.acl.Cann;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each case is a {@code java} process of its own, as a toolkit is chosen once per process. */
@Tag("multiprocess")
class LoaderTest {
  @TempDir private Path temp;

  private Child child() {
    return new Child().property("cann4j.cache", temp.resolve("cache"));
  }

  /** A home of the CPU toolkit, as the loader unpacks it. */
  private Path cpuHome() {
    assertEquals(Backend.CPU, Cann.toolkit().backend(), "these tests run on the CPU toolkit");
    return Cann.toolkit().home();
  }

  /** A home that looks like a real toolkit's, with the CPU toolkit's code inside. */
  private Path realHome(boolean splitOperators) throws IOException {
    Path home = temp.resolve("ascend-toolkit").resolve("latest");
    Path lib64 = Files.createDirectories(home.resolve("lib64"));
    Files.createDirectories(home.resolve("opp"));
    Files.writeString(home.resolveSibling("set_env.sh"), "");
    Path code = cpuHome().resolve("lib64").resolve(ToolkitHome.CPU_LIBRARY);
    Files.copy(code, lib64.resolve("libascendcl.so"));
    List<String> rest =
        splitOperators
            ? List.of(
                "libnnopbase.so",
                "libopapi_math.so",
                "libopapi_transformer.so",
                "libhccl.so",
                "libhcomm.so")
            : List.of("libnnopbase.so", "libopapi.so", "libhccl.so");
    for (String name : rest) {
      Files.createSymbolicLink(lib64.resolve(name), Path.of("libascendcl.so"));
    }
    return home;
  }

  private static Child sourced(Child child, Path home) {
    return child
        .variable("ASCEND_HOME_PATH", home)
        .variable("LD_LIBRARY_PATH", "/nowhere:" + home.resolve("lib64"))
        .variable("ASCEND_OPP_PATH", home.resolve("opp"));
  }

  private static void assertWorks(String output, Backend backend) {
    assertTrue(output.contains("BACKEND " + backend), output);
    assertTrue(output.contains("COMPUTED 12.0"), output);
    assertEquals(1, output.split("Using the ", -1).length - 1, "logged once: " + output);
  }

  private static void assertRefused(String output, String... words) {
    assertTrue(output.contains("UNAVAILABLE "), output);
    assertTrue(output.contains("AGAIN true"), output);
    for (String word : words) {
      assertTrue(output.contains(word), "'" + word + "' is not in: " + output);
    }
  }

  @Test
  void theJarWorksOnTheClassPath() throws Exception {
    String output = child().run();
    assertWorks(output, Backend.CPU);
    assertTrue(output.contains("ASCEND_HOME_PATH is not set"), output);
    assertTrue(output.contains("HOME " + temp.resolve("cache")), output);
    Path home = onlyHome();
    for (String name : List.of("libascendcl.so", "libnnopbase.so", "libopapi.so", "libhccl.so")) {
      assertTrue(
          Files.isSameFile(
              home.resolve("lib64").resolve(name),
              home.resolve("lib64").resolve(ToolkitHome.CPU_LIBRARY)),
          name);
    }
    assertTrue(Files.exists(home.resolve("include/acl/acl.h")));
  }

  private Path onlyHome() throws IOException {
    try (Stream<Path> entries = Files.list(temp.resolve("cache"))) {
      List<Path> homes = entries.filter(Files::isDirectory).toList();
      assertEquals(1, homes.size(), "unpacked whole, no rest of it: " + homes);
      return homes.getFirst();
    }
  }

  @Test
  void theJarWorksOnTheModulePath() throws Exception {
    assertWorks(child().asModules().run(), Backend.CPU);
  }

  @Test
  void twoClassLoadersOfOneProcessWork() throws Exception {
    String output = child().twice().run();
    assertEquals(2, output.split("COMPUTED 12.0", -1).length - 1, output);
  }

  @Test
  void unpackedFilesAreUsedAgainAndRepaired() throws Exception {
    child().run();
    Path library = onlyHome().resolve("lib64").resolve(ToolkitHome.CPU_LIBRARY);
    Object key = Files.readAttributes(library, "unix:ino").get("ino");
    child().run();
    assertEquals(key, Files.readAttributes(library, "unix:ino").get("ino"), "unpacked again");
    Files.write(library, new byte[] {1, 2, 3});
    assertWorks(child().run(), Backend.CPU);
    assertTrue(Files.size(library) > 1000);
  }

  @Test
  void changesThatKeepSizeAndTimeAreRepaired() throws Exception {
    child().run();
    Path library = onlyHome().resolve("lib64").resolve(ToolkitHome.CPU_LIBRARY);
    byte[] code = Files.readAllBytes(library);
    FileTime time = Files.getLastModifiedTime(library);
    byte[] damaged = code.clone();
    Arrays.fill(damaged, damaged.length / 2, damaged.length, (byte) 0);
    Files.write(library, damaged);
    Files.setLastModifiedTime(library, time);
    assertWorks(child().run(), Backend.CPU);
    assertArrayEquals(code, Files.readAllBytes(library));
  }

  @Test
  void processesMayUnpackAtTheSameTime() throws Exception {
    List<Throwable> failures = new CopyOnWriteArrayList<>();
    List<Thread> threads =
        Stream.generate(
                () ->
                    Thread.ofPlatform()
                        .start(
                            () -> {
                              try {
                                assertWorks(child().run(), Backend.CPU);
                              } catch (Throwable e) {
                                failures.add(e);
                              }
                            }))
            .limit(3)
            .toList();
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(List.of(), failures);
    onlyHome();
  }

  @Test
  void aMissingToolkitIsNamed() throws Exception {
    String output = child().withoutCpuToolkit().run();
    assertRefused(output, "cann4j-native", CpuToolkitArchive.classifier(), "-Dcann4j.home");
    output = child().withoutCpuToolkit().asModules().run();
    assertRefused(output, "--add-modules io.github.cann4j.cpu");
  }

  @Test
  void missingNativeAccessNamesTheExactFlag() throws Exception {
    assertRefused(
        child().withoutNativeAccess().run(), "--enable-native-access=ALL-UNNAMED", "TYPES 2 0");
    assertRefused(
        child().asModules().withoutNativeAccess().run(),
        "--enable-native-access=io.github.cann4j.bindings");
  }

  @Test
  void aHomeIsUsedOrRefusedButNeverReplaced() throws Exception {
    String output = child().withoutCpuToolkit().property("cann4j.home", cpuHome()).run();
    assertWorks(output, Backend.CPU);
    assertTrue(output.contains("-Dcann4j.home names it"), output);

    Path missing = temp.resolve("missing");
    assertRefused(
        child().property("cann4j.home", missing).run(), missing.toString(), "no such directory");
    Path empty = Files.createDirectories(temp.resolve("empty"));
    assertRefused(
        child().variable("CANN4J_HOME", empty).run(),
        "CANN4J_HOME=" + empty,
        "lib64/libascendcl.so");
    assertRefused(
        child().property("cann4j.home", cpuHome()).property("cann4j.backend", "npu").run(),
        "toolkit for CPU",
        "npu");
  }

  @Test
  void aSourcedCpuToolkitNeedsNoMore() throws Exception {
    Child child = child().withoutCpuToolkit().variable("ASCEND_HOME_PATH", cpuHome());
    for (String backend : List.of("auto", "cpu")) {
      String output = child.property("cann4j.backend", backend).run();
      assertWorks(output, Backend.CPU);
      assertTrue(output.contains("ASCEND_HOME_PATH names it"), output);
    }
    assertRefused(child.property("cann4j.backend", "npu").run(), "is a CPU toolkit", "npu");
    assertTrue(Files.exists(cpuHome().resolve("set_env.sh")));
  }

  @Test
  void aBackendIsCheckedAndKept() throws Exception {
    assertRefused(
        child().property("cann4j.backend", "gpu").run(),
        "-Dcann4j.backend=gpu",
        "auto, npu or cpu");
    assertRefused(
        child().variable("CANN4J_BACKEND", "npu").run(), "CANN4J_BACKEND=npu", "ASCEND_HOME_PATH");
    assertWorks(
        sourced(child(), realHome(false)).property("cann4j.backend", "CPU").run(), Backend.CPU);
  }

  @Test
  void anotherMachinesLibraryIsRefused() throws Exception {
    Path library = brokenHome(183);
    assertRefused(
        child().property("cann4j.home", temp.resolve("broken")).run(),
        library.toString(),
        "built for aarch64",
        System.getProperty("os.arch"));
  }

  /** A CPU toolkit whose library claims to be for another machine. */
  private Path brokenHome(int machine) throws IOException {
    Path lib64 = Files.createDirectories(temp.resolve("broken").resolve("lib64"));
    byte[] code = Files.readAllBytes(cpuHome().resolve("lib64").resolve(ToolkitHome.CPU_LIBRARY));
    int here = code[18] & 0xff;
    code[18] = (byte) (machine == here ? 62 : machine);
    return Files.write(lib64.resolve(ToolkitHome.CPU_LIBRARY), code);
  }

  @Test
  void damagedLibrariesAreRefusedWithTheLinkersWords() throws Exception {
    Path home = temp.resolve("damaged");
    Path library = Files.createDirectories(home.resolve("lib64")).resolve(ToolkitHome.CPU_LIBRARY);
    Files.writeString(library, "a text that is long enough to be a header");
    assertRefused(child().property("cann4j.home", home).run(), "not a shared library");

    byte[] code = Files.readAllBytes(cpuHome().resolve("lib64").resolve(ToolkitHome.CPU_LIBRARY));
    Files.write(library, Arrays.copyOf(code, 64));
    assertRefused(
        child().property("cann4j.home", home).run(), "Cannot load " + library + ": ", "file");

    // The same library, but needing one that does not exist.
    String bytes = new String(code, StandardCharsets.ISO_8859_1);
    assertTrue(bytes.contains("libc.so.6"));
    String patched = bytes.replace("libc.so.6", "libq.so.6");
    Files.write(library, patched.getBytes(StandardCharsets.ISO_8859_1));
    assertRefused(child().property("cann4j.home", home).run(), "libq.so.6", "cannot open");
  }

  @Test
  void aRealToolkitIsTakenOverTheCpuOne() throws Exception {
    Path home = realHome(false);
    String output = sourced(child(), home).run();
    assertWorks(output, Backend.NPU);
    assertTrue(output.contains("HOME " + home), output);
    assertTrue(output.contains("libhccl.so"), output);
    assertWorks(
        sourced(child(), home).withoutCpuToolkit().property("cann4j.backend", "npu").run(),
        Backend.NPU);
  }

  @Test
  void aRealToolkitMaySplitItsOperators() throws Exception {
    String output = sourced(child(), realHome(true)).run();
    assertWorks(output, Backend.NPU);
    assertTrue(output.contains("libopapi_transformer.so"), output);
    assertTrue(output.contains("libhcomm.so"), output);
  }

  @Test
  void anEnvironmentThatDoesNotFitNamesTheScript() throws Exception {
    Path home = realHome(false);
    Child npu = sourced(child(), home).property("cann4j.backend", "npu");
    String script = "source " + home.resolveSibling("set_env.sh");
    assertRefused(npu.variable("ASCEND_OPP_PATH", temp).run(), "ASCEND_OPP_PATH", script);
    assertRefused(
        sourced(child(), home)
            .property("cann4j.backend", "npu")
            .variable("LD_LIBRARY_PATH", "/nowhere")
            .run(),
        "LD_LIBRARY_PATH",
        script);
    Path other = Files.createDirectories(temp.resolve("other"));
    Files.copy(home.resolve("lib64/libascendcl.so"), other.resolve("libascendcl.so"));
    assertRefused(
        sourced(child(), home)
            .property("cann4j.backend", "npu")
            .variable("LD_LIBRARY_PATH", other + ":" + home.resolve("lib64"))
            .run(),
        other.toString(),
        script);

    String output = sourced(child(), home).variable("ASCEND_OPP_PATH", temp).run();
    assertWorks(output, Backend.CPU);
    assertTrue(output.contains("No NPU is used") && output.contains(script), output);
  }

  @Test
  void anIncompleteRealToolkitIsNamed() throws Exception {
    Path home = realHome(false);
    Files.delete(home.resolve("lib64/libhccl.so"));
    assertRefused(
        sourced(child(), home).property("cann4j.backend", "npu").run(),
        "ASCEND_HOME_PATH=" + home,
        "lib64/libhccl.so is missing");
    Files.delete(home.resolve("lib64/libopapi.so"));
    assertRefused(sourced(child(), home).property("cann4j.home", home).run(), "libopapi_*.so");
  }

  @Test
  void aToolkitThatCannotStartSaysWhy() throws Exception {
    String output = child().variable("CANN4J_CPU_DEVICES", "many").run();
    assertRefused(output, "aclInit", "CANN4J_CPU_DEVICES");
  }

  @Test
  void anUnwritableCacheNamesTheSetting() throws Exception {
    Path file = Files.writeString(temp.resolve("file"), "");
    String output = new Child().property("cann4j.cache", file.resolve("cache")).run();
    assertRefused(output, "-Dcann4j.cache", file.toString());
    assertFalse(output.contains("COMPUTED"));
  }
}
