// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.internal.toolkit.LoadedToolkit;
import io.github.cann4j.internal.toolkit.OptionalFunctions;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/** A loaded CANN toolkit. Immutable; any thread may use it. */
public final class Toolkit {
  private final LoadedToolkit loaded;

  Toolkit(LoadedToolkit loaded) {
    this.loaded = loaded;
  }

  /**
   * Returns what the toolkit drives.
   *
   * @return the backend
   */
  public Backend backend() {
    return loaded.backend();
  }

  /**
   * Returns the toolkit's directory, with {@code include} and {@code lib64}; a C or C++ program can
   * be built against it.
   *
   * @return an absolute path
   */
  public Path home() {
    return loaded.home();
  }

  /**
   * Returns the version that the toolkit reports ({@code aclsysGetCANNVersion}, else {@code
   * aclrtGetVersion}).
   *
   * @return for example {@code 8.1.RC1}
   */
  public String version() {
    return loaded.version();
  }

  /**
   * Returns the name of the processor that computes ({@code aclrtGetSocName}). That of the toolkit
   * for the CPU ends with the instruction set of its kernels, which {@code CANN4J_CPU_ISA} chooses.
   *
   * @return for example {@code Ascend910B3} or {@code cann4j-cpu-avx2}
   */
  public String socName() {
    return loaded.socName();
  }

  /**
   * Returns the number of devices ({@code aclrtGetDeviceCount}).
   *
   * @return their number; ids run from 0
   */
  public int deviceCount() {
    return loaded.deviceCount();
  }

  /**
   * Tells whether one of the toolkit's libraries exports a C function, for functions that only
   * newer toolkits have.
   *
   * @param symbol the name of the function
   * @return whether it is exported
   */
  public boolean has(String symbol) {
    return loaded.lookup().find(symbol).isPresent();
  }

  /**
   * Returns the C functions that these bindings know and the toolkit does not export. What needs
   * one of them throws {@link UnsupportedOperationException} with its name; toolkits of CANN 8.1
   * lack those that came later.
   *
   * @return names in alphabetical order
   */
  public List<String> missingFunctions() {
    return OptionalFunctions.missing();
  }

  /**
   * Describes the toolkit in several lines: backend, version, processor, home, devices, libraries,
   * functions that it lacks, and why it was chosen.
   *
   * @return text for people
   */
  public String describe() {
    return "backend: %s%nversion: %s%nprocessor: %s%nhome: %s%ndevices: %d%nlibraries: %s%nlacks: %s%nchoice: %s"
        .formatted(
            backend(),
            version(),
            socName(),
            home(),
            deviceCount(),
            loaded.libraries().stream().map(Path::toString).collect(Collectors.joining(", ")),
            missingFunctions().isEmpty() ? "nothing" : String.join(", ", missingFunctions()),
            loaded.choice());
  }

  @Override
  public String toString() {
    return "%s toolkit %s at %s".formatted(backend(), version(), home());
  }
}
