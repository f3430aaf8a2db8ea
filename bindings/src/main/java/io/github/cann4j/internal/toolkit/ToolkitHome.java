// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import io.github.cann4j.acl.Backend;
import io.github.cann4j.acl.CannLoadException;
import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A toolkit's directory on disk, not loaded yet; {@code origin} is the setting that named it. */
record ToolkitHome(Path path, Backend backend, String origin) {
  static final String CPU_LIBRARY = "libcann4j_cpu.so";

  static ToolkitHome at(Path path, String origin) {
    if (!Files.isDirectory(path)) {
      throw new CannLoadException(
          "%s=%s: no such directory; it must be a toolkit's home, with lib64 below it"
              .formatted(origin, path),
          null);
    }
    if (isCpu(path)) {
      return new ToolkitHome(path, Backend.CPU, origin);
    }
    if (Files.exists(path.resolve("lib64").resolve("libascendcl.so"))) {
      return new ToolkitHome(path, Backend.NPU, origin);
    }
    throw new CannLoadException(
        "%s=%s is not a toolkit's home: neither lib64/libascendcl.so nor lib64/%s is there"
            .formatted(origin, path, CPU_LIBRARY),
        null);
  }

  static boolean isCpu(Path path) {
    return Files.exists(path.resolve("lib64").resolve(CPU_LIBRARY));
  }

  /** The libraries to search for a symbol, in this order. */
  List<Path> libraries() {
    Path lib64 = path.resolve("lib64");
    if (backend == Backend.CPU) {
      return List.of(lib64.resolve(CPU_LIBRARY));
    }
    List<Path> libraries = new ArrayList<>();
    libraries.add(required("libascendcl.so"));
    libraries.add(required("libnnopbase.so"));
    List<Path> operators = new ArrayList<>();
    // Newer toolkits split the operators by topic.
    try (DirectoryStream<Path> found = Files.newDirectoryStream(lib64, "libopapi_*.so")) {
      found.forEach(operators::add);
    } catch (IOException e) {
      throw new CannLoadException("Cannot list " + lib64 + ": " + e, e);
    }
    operators.sort(null);
    Path whole = lib64.resolve("libopapi.so");
    if (Files.exists(whole)) {
      operators.add(whole);
    }
    if (operators.isEmpty()) {
      throw new CannLoadException(
          ("%s=%s: neither lib64/libopapi.so nor any lib64/libopapi_*.so is there; install the"
                  + " operators package (opp) of the toolkit")
              .formatted(origin, path),
          null);
    }
    libraries.addAll(operators);
    libraries.add(required("libhccl.so"));
    Path communicators = lib64.resolve("libhcomm.so");
    if (Files.exists(communicators)) {
      libraries.add(communicators);
    }
    return libraries;
  }

  private Path required(String name) {
    Path library = path.resolve("lib64").resolve(name);
    if (!Files.exists(library)) {
      throw new CannLoadException(
          "%s=%s: lib64/%s is missing; the toolkit is incomplete".formatted(origin, path, name),
          null);
    }
    return library;
  }

  /**
   * A real toolkit loads further libraries and kernels through the environment; another toolkit's
   * would fail much later, in an operator.
   */
  void requireEnvironment() {
    if (backend == Backend.CPU) {
      return;
    }
    String libraryPath = System.getenv("LD_LIBRARY_PATH");
    Path found = firstOnLibraryPath(libraryPath);
    Path ours = path.resolve("lib64").resolve("libascendcl.so");
    if (found == null || !same(found, ours)) {
      throw mismatch(
          "LD_LIBRARY_PATH "
              + (found == null ? "does not contain its lib64" : "finds " + found + " first"));
    }
    String operators = System.getenv("ASCEND_OPP_PATH");
    if (operators == null || operators.isBlank()) {
      throw mismatch("ASCEND_OPP_PATH is not set");
    }
    if (!same(Path.of(operators), path.resolve("opp"))) {
      throw mismatch("ASCEND_OPP_PATH is " + operators + ", not " + path.resolve("opp"));
    }
  }

  private CannLoadException mismatch(String what) {
    return new CannLoadException(
        "The environment does not fit the CANN toolkit of %s=%s: %s. Run `source %s` before java"
            .formatted(origin, path, what, environmentScript()),
        null);
  }

  private Path environmentScript() {
    Path parent = path.getParent() == null ? path : path.getParent();
    List<Path> candidates =
        List.of(
            path.resolve("set_env.sh"),
            parent.resolve("set_env.sh"),
            path.resolve("bin").resolve("setenv.bash"));
    return candidates.stream().filter(Files::exists).findFirst().orElse(candidates.get(0));
  }

  private static Path firstOnLibraryPath(String libraryPath) {
    if (libraryPath == null) {
      return null;
    }
    for (String entry : libraryPath.split(File.pathSeparator)) {
      if (!entry.isBlank()) {
        Path candidate = Path.of(entry, "libascendcl.so");
        if (Files.exists(candidate)) {
          return candidate;
        }
      }
    }
    return null;
  }

  private static boolean same(Path a, Path b) {
    try {
      return Files.exists(a) && Files.exists(b) && Files.isSameFile(a, b);
    } catch (IOException e) {
      return false;
    }
  }
}
