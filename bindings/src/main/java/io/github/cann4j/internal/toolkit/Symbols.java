// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import java.lang.foreign.SymbolLookup;

/** Where the generated classes find their functions. */
public final class Symbols {
  private Symbols() {}

  /** Asks the process's toolkit at each look-up, so that constants work without any toolkit. */
  public static SymbolLookup lookup() {
    return name -> ToolkitLoader.load().lookup().find(name);
  }
}
