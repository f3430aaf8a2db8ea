// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemoryLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The generated constants and layouts against the table that the C headers are checked with, too. */
class ConformanceTest {
  private static final Path TABLE = Path.of("native/tests/conformance/abi.csv");

  @Test
  void constantsAndLayoutsAreThoseOfTheInterface() throws IOException {
    List<String> differences = new ArrayList<>();
    int compared = 0;
    for (String line : Files.readAllLines(repository().resolve(TABLE))) {
      String[] row = line.split(",");
      if (line.startsWith("#") || row[0].equals("type")) {
        continue; // an enumeration is an int in Java
      }
      try {
        compare(row, differences);
        compared++;
      } catch (ReflectiveOperationException e) {
        differences.add(line + ": not generated (" + e + ")");
      }
    }
    assertEquals(List.of(), differences);
    assertTrue(compared > 300, "compared: " + compared);
  }

  private static void compare(String[] row, List<String> differences)
      throws ReflectiveOperationException {
    String line = String.join(",", row);
    if (row[0].equals("value")) {
      // Unsigned ones come as the int of the same bits.
      expect(line, (int) (long) Long.decode(row[2]), call("cann_h", row[1]), differences);
    } else if (row[0].equals("field")) {
      expect(line, Long.decode(row[3]), call(row[1], row[2] + "$offset"), differences);
    } else {
      MemoryLayout layout = (MemoryLayout) call(row[1], "layout");
      expect(line, Long.decode(row[2]), layout.byteSize(), differences);
      expect(line, Long.decode(row[3]), layout.byteAlignment(), differences);
    }
  }

  private static Object call(String type, String method) throws ReflectiveOperationException {
    String name = ConformanceTest.class.getPackageName() + "." + type;
    return Class.forName(name).getMethod(method).invoke(null);
  }

  private static void expect(
      String line, Object expected, Object actual, List<String> differences) {
    if (!expected.equals(actual)) {
      differences.add(line + ": generated as " + actual);
    }
  }

  private static Path repository() {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      if (Files.exists(at.resolve(TABLE))) {
        return at;
      }
    }
    throw new AssertionError(
        "run the tests inside the repository, not in " + Path.of("").toAbsolutePath());
  }
}
