// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import io.github.cann4j.acl.CannLoadException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/** Opens libraries by path for the life of the process. */
final class DynamicLinker {
  private static final int RTLD_LAZY = 1;

  private DynamicLinker() {}

  // Not System.load: a second class loader in the process could not load the same library.
  static SymbolLookup open(Path library) {
    ElfHeader.requireLoadable(library);
    try {
      return SymbolLookup.libraryLookup(library, Arena.global());
    } catch (IllegalCallerException e) {
      throw missingNativeAccess(e);
    } catch (IllegalArgumentException e) {
      String reason = dlerror(library);
      String words = reason.isEmpty() ? e.getMessage() : reason;
      throw new CannLoadException(
          "Cannot load " + (words.startsWith(library.toString()) ? "" : library + ": ") + words,
          "dlopen",
          0,
          "LOAD_FAILED",
          reason,
          e);
    }
  }

  static CannLoadException missingNativeAccess(IllegalCallerException e) {
    Module module = DynamicLinker.class.getModule();
    String flag = "--enable-native-access=" + (module.isNamed() ? module.getName() : "ALL-UNNAMED");
    return new CannLoadException(
        "This JVM denies native access to cann4j; start it with " + flag, e);
  }

  // libraryLookup drops the dynamic linker's text, which names a missing dependency.
  private static String dlerror(Path library) {
    Linker linker = Linker.nativeLinker();
    SymbolLookup libc = linker.defaultLookup();
    // Both handles first: linking one could itself use the dynamic linker and lose the text.
    MethodHandle dlopen =
        linker.downcallHandle(
            libc.findOrThrow("dlopen"),
            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    MethodHandle dlerror =
        linker.downcallHandle(
            libc.findOrThrow("dlerror"), FunctionDescriptor.of(ValueLayout.ADDRESS));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment path = arena.allocateFrom(library.toString());
      MemorySegment handle = (MemorySegment) dlopen.invokeExact(path, RTLD_LAZY);
      MemorySegment text = (MemorySegment) dlerror.invokeExact();
      boolean failed = handle.equals(MemorySegment.NULL) && !text.equals(MemorySegment.NULL);
      return failed ? text.reinterpret(Long.MAX_VALUE).getString(0) : "";
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }
}
