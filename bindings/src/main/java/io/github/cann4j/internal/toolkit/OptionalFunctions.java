// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.SymbolLookup;
import java.lang.reflect.Method;
import java.util.List;
import java.util.stream.Stream;

/**
 * Functions that CANN 8.1 does not have. They are asked for by name before the generated class
 * behind one is touched, because a missing symbol would break that class for good.
 */
public final class OptionalFunctions {
  // Each bound function has a static method that describes it and touches nothing.
  private static final String DESCRIPTOR = "$descriptor";

  private OptionalFunctions() {}

  /**
   * Returns the bound functions that the toolkit lacks.
   *
   * @return names in alphabetical order
   */
  public static List<String> missing() {
    SymbolLookup lookup = ToolkitLoader.load().lookup();
    return Stream.of(cann_h.class.getMethods())
        .map(Method::getName)
        .filter(name -> name.endsWith(DESCRIPTOR))
        .map(name -> name.substring(0, name.length() - DESCRIPTOR.length()))
        .filter(name -> lookup.find(name).isEmpty())
        .sorted()
        .toList();
  }

  /**
   * Throws if the toolkit lacks a function.
   *
   * @param function the C function
   * @param what what needs it
   * @param instead what to do without it
   */
  public static void require(String function, String what, String instead) {
    LoadedToolkit toolkit = ToolkitLoader.load();
    if (toolkit.lookup().find(function).isEmpty()) {
      throw new UnsupportedOperationException(
          "the %s toolkit %s has no %s, which %s needs; %s"
              .formatted(toolkit.backend(), toolkit.version(), function, what, instead));
    }
  }
}
