// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import io.github.cann4j.acl.CannLoadException;
import io.github.cann4j.internal.ffi.aclCANNPackageVersion;
import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.AclErrors;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Opens a home's libraries and initialises acl. It makes its own handles: the generated classes are
 * bound for good to the toolkit that is chosen in the end.
 */
final class ToolkitInitializer {
  private static final AddressLayout POINTER = ValueLayout.ADDRESS;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

  private final ToolkitHome home;
  private final SymbolLookup lookup;

  private ToolkitInitializer(ToolkitHome home, SymbolLookup lookup) {
    this.home = home;
    this.lookup = lookup;
  }

  static LoadedToolkit open(ToolkitHome home) {
    List<Path> libraries = home.libraries();
    List<SymbolLookup> lookups = new ArrayList<>();
    for (Path library : libraries) {
      lookups.add(DynamicLinker.open(library));
    }
    SymbolLookup all =
        name -> {
          for (SymbolLookup one : lookups) {
            Optional<MemorySegment> symbol = one.find(name);
            if (symbol.isPresent()) {
              return symbol;
            }
          }
          return Optional.empty();
        };
    ToolkitInitializer initializer = new ToolkitInitializer(home, all);
    try (Arena arena = Arena.ofConfined()) {
      initializer.initialize();
      return new LoadedToolkit(
          home.backend(),
          home.path(),
          List.copyOf(libraries),
          all,
          initializer.version(arena),
          initializer.socName(),
          initializer.deviceCount(arena),
          home.origin());
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  private MethodHandle function(String name, FunctionDescriptor type) {
    MemorySegment symbol =
        lookup
            .find(name)
            .orElseThrow(
                () ->
                    new CannLoadException(
                        "The toolkit of %s=%s does not export %s; it is too old or damaged"
                            .formatted(home.origin(), home.path(), name),
                        null));
    return Linker.nativeLinker().downcallHandle(symbol, type);
  }

  private void initialize() throws Throwable {
    int code =
        (int)
            function("aclInit", FunctionDescriptor.of(INT, POINTER))
                .invokeExact(MemorySegment.NULL);
    // Another user of acl in this process has initialised it: that is as good.
    if (code != cann_h.ACL_ERROR_REPEAT_INITIALIZE()) {
      check(code, "aclInit");
    }
  }

  private int deviceCount(Arena arena) throws Throwable {
    MemorySegment count = arena.allocate(INT);
    int code =
        (int)
            function("aclrtGetDeviceCount", FunctionDescriptor.of(INT, POINTER)).invokeExact(count);
    check(code, "aclrtGetDeviceCount");
    return count.get(INT, 0);
  }

  private String version(Arena arena) throws Throwable {
    if (lookup.find("aclsysGetCANNVersion").isPresent()) {
      MemorySegment version = aclCANNPackageVersion.allocate(arena);
      int code =
          (int)
              function("aclsysGetCANNVersion", FunctionDescriptor.of(INT, INT, POINTER))
                  .invokeExact(cann_h.ACL_PKG_NAME_CANN(), version);
      String text = code == 0 ? aclCANNPackageVersion.version(version).getString(0) : "";
      if (!text.isBlank()) {
        return text;
      }
    }
    MemorySegment numbers = arena.allocate(INT, 3);
    int code =
        (int)
            function("aclrtGetVersion", FunctionDescriptor.of(INT, POINTER, POINTER, POINTER))
                .invokeExact(numbers, numbers.asSlice(4), numbers.asSlice(8));
    check(code, "aclrtGetVersion");
    return "acl %d.%d.%d"
        .formatted(
            numbers.getAtIndex(INT, 0), numbers.getAtIndex(INT, 1), numbers.getAtIndex(INT, 2));
  }

  private String socName() throws Throwable {
    MemorySegment name =
        (MemorySegment) function("aclrtGetSocName", FunctionDescriptor.of(POINTER)).invokeExact();
    return name.equals(MemorySegment.NULL)
        ? "unknown"
        : name.reinterpret(Long.MAX_VALUE).getString(0);
  }

  private void check(int code, String name) throws Throwable {
    if (code == 0) {
      return;
    }
    MemorySegment text =
        (MemorySegment)
            function("aclGetRecentErrMsg", FunctionDescriptor.of(POINTER)).invokeExact();
    String words =
        text.equals(MemorySegment.NULL)
            ? ""
            : text.reinterpret(Long.MAX_VALUE).getString(0).strip();
    String codeName = AclErrors.name(code);
    throw new CannLoadException(
        "%s of the toolkit %s=%s failed with %s (%d)%s"
            .formatted(
                name,
                home.origin(),
                home.path(),
                codeName,
                code,
                words.isEmpty() ? "" : ": " + words),
        name,
        code,
        codeName,
        words,
        null);
  }
}
