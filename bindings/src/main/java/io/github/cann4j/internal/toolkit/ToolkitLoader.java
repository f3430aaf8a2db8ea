// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import io.github.cann4j.acl.Backend;
import io.github.cann4j.acl.CannLoadException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Chooses, opens and initialises the process's toolkit, once. */
public final class ToolkitLoader {
  private static final Logger LOG = LoggerFactory.getLogger(ToolkitLoader.class);
  private static final List<String> USUAL_HOMES =
      List.of("/usr/local/Ascend/cann", "/usr/local/Ascend/ascend-toolkit/latest");

  private static volatile LoadedToolkit loaded;
  private static CannLoadException failure;

  private ToolkitLoader() {}

  /** Returns the toolkit; a failure is remembered and thrown again, from the caller's place. */
  public static LoadedToolkit load() {
    LoadedToolkit known = loaded;
    return known == null ? loadOnce() : known;
  }

  private static synchronized LoadedToolkit loadOnce() {
    if (loaded == null) {
      if (failure != null) {
        throw new CannLoadException(failure.getMessage(), failure);
      }
      try {
        loaded = choose();
      } catch (CannLoadException e) {
        failure = e;
        throw e;
      } catch (IllegalCallerException e) {
        failure = DynamicLinker.missingNativeAccess(e);
        throw failure;
      }
      LOG.info(
          "Using the {} toolkit {} at {} with {} devices: {}",
          loaded.backend(),
          loaded.version(),
          loaded.home(),
          loaded.deviceCount(),
          loaded.choice());
    }
    return loaded;
  }

  private static LoadedToolkit choose() {
    String wanted = Objects.requireNonNullElse(Settings.BACKEND.value(), "auto");
    String backend = wanted.toLowerCase(Locale.ROOT);
    if (!List.of("auto", "npu", "cpu").contains(backend)) {
      throw new CannLoadException(
          "%s=%s is unknown; it must be auto, npu or cpu"
              .formatted(Settings.BACKEND.source(), wanted),
          null);
    }
    Path home = Settings.HOME.path();
    if (home != null) {
      return openNamed(ToolkitHome.at(home, Settings.HOME.source()), backend);
    }
    return switch (backend) {
      case "cpu" ->
          environmentHome()
              .filter(ToolkitHome::isCpu)
              .map(path -> openNamed(ToolkitHome.at(path, "ASCEND_HOME_PATH"), backend))
              .orElseGet(() -> openCpu(Settings.BACKEND.source() + "=cpu"));
      case "npu" -> openNpu(ascendHome().orElseThrow(ToolkitLoader::noAscendHome));
      default -> openAny();
    };
  }

  private static LoadedToolkit openNamed(ToolkitHome home, String backend) {
    if (!backend.equals("auto") && !backend.equalsIgnoreCase(home.backend().name())) {
      throw new CannLoadException(
          "%s=%s is a toolkit for %s, but %s=%s"
              .formatted(
                  home.origin(), home.path(), home.backend(), Settings.BACKEND.source(), backend),
          null);
    }
    return home.backend() == Backend.NPU
        ? openNpu(home)
        : ToolkitInitializer.open(home).because(home.origin() + " names it");
  }

  private static LoadedToolkit openAny() {
    Optional<Path> ascendHome = environmentHome();
    if (ascendHome.isEmpty()) {
      return openCpu("ASCEND_HOME_PATH is not set" + usualHomeHint());
    }
    CannLoadException noNpu;
    try {
      return openNpu(ToolkitHome.at(ascendHome.get(), "ASCEND_HOME_PATH"));
    } catch (CannLoadException e) {
      noNpu = e;
    }
    LOG.warn("No NPU is used: {}", noNpu.getMessage());
    try {
      return openCpu("no NPU can be used: " + noNpu.getMessage());
    } catch (CannLoadException e) {
      CannLoadException both =
          new CannLoadException(
              "No toolkit can be used. NPU: %s. CPU: %s"
                  .formatted(noNpu.getMessage(), e.getMessage()),
              e);
      both.addSuppressed(noNpu);
      throw both;
    }
  }

  private static LoadedToolkit openNpu(ToolkitHome home) {
    if (home.backend() == Backend.CPU) {
      if (Settings.BACKEND.value() != null && !"auto".equalsIgnoreCase(Settings.BACKEND.value())) {
        throw new CannLoadException(
            "%s=%s is a CPU toolkit, but %s=npu"
                .formatted(home.origin(), home.path(), Settings.BACKEND.source()),
            null);
      }
      return ToolkitInitializer.open(home).because(home.origin() + " names it");
    }
    home.requireEnvironment();
    LoadedToolkit toolkit = ToolkitInitializer.open(home);
    if (toolkit.deviceCount() == 0) {
      String visible = System.getenv("ASCEND_RT_VISIBLE_DEVICES");
      throw new CannLoadException(
          "The toolkit of %s=%s sees no NPU (%s); check `npu-smi info`, or use -Dcann4j.backend=cpu"
              .formatted(
                  home.origin(),
                  home.path(),
                  visible == null
                      ? "ASCEND_RT_VISIBLE_DEVICES is not set"
                      : "ASCEND_RT_VISIBLE_DEVICES=" + visible),
          null);
    }
    return toolkit.because(home.origin() + " names it");
  }

  private static LoadedToolkit openCpu(String reason) {
    Path home = CpuToolkitArchive.find().unpack();
    return ToolkitInitializer.open(new ToolkitHome(home, Backend.CPU, "the CPU toolkit's jar"))
        .because(reason);
  }

  private static Optional<ToolkitHome> ascendHome() {
    return environmentHome().map(path -> ToolkitHome.at(path, "ASCEND_HOME_PATH"));
  }

  private static Optional<Path> environmentHome() {
    return Optional.ofNullable(System.getenv("ASCEND_HOME_PATH"))
        .filter(value -> !value.isBlank())
        .map(value -> Path.of(value).toAbsolutePath().normalize());
  }

  private static CannLoadException noAscendHome() {
    return new CannLoadException(
        "%s=npu, but neither -Dcann4j.home nor ASCEND_HOME_PATH is set%s"
            .formatted(Settings.BACKEND.source(), usualHomeHint()),
        null);
  }

  private static String usualHomeHint() {
    String scripts =
        USUAL_HOMES.stream()
            .map(Path::of)
            .filter(Files::isDirectory)
            .flatMap(
                home -> Stream.of(home.resolve("set_env.sh"), home.resolveSibling("set_env.sh")))
            .filter(Files::exists)
            .map(Path::toString)
            .collect(Collectors.joining(" or "));
    return scripts.isEmpty() ? "" : "; a toolkit is installed: run `source " + scripts + "`";
  }
}
