// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import io.github.cann4j.acl.Backend;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import java.util.List;

/** A toolkit whose libraries are open and whose acl is initialised; {@code choice} says why it. */
public record LoadedToolkit(
    Backend backend,
    Path home,
    List<Path> libraries,
    SymbolLookup lookup,
    String version,
    String socName,
    int deviceCount,
    String choice) {

  LoadedToolkit because(String reason) {
    return new LoadedToolkit(
        backend, home, libraries, lookup, version, socName, deviceCount, reason);
  }
}
