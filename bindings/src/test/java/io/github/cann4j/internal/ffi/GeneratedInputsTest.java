// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Fails the build when the headers have changed since the generated classes were made. */
class GeneratedInputsTest {
  private static final String PREFIX = "sha256.";

  @Test
  void theHeadersAreThoseOfTheGeneratedClasses() throws Exception {
    Path root = repository();
    Path jextract = root.resolve("bindings/src/main/jextract");
    Properties recorded = new Properties();
    try (Reader reader = Files.newBufferedReader(jextract.resolve("generated.properties"))) {
      recorded.load(reader);
    }
    assertFalse(recorded.getProperty("jextract", "").isBlank());
    Map<String, String> before = new TreeMap<>();
    recorded.forEach(
        (key, value) -> {
          String name = key.toString();
          if (name.startsWith(PREFIX)) {
            before.put(name.substring(PREFIX.length()), value.toString());
          }
        });
    Map<String, String> now = new TreeMap<>();
    try (Stream<Path> headers = Files.walk(root.resolve("native/include"))) {
      for (Path header :
          (Iterable<Path>) headers.filter(file -> file.toString().endsWith(".h"))::iterator) {
        now.put(root.relativize(header).toString(), sha256(header));
      }
    }
    for (String name : new String[] {"cann.h", "includes.txt"}) {
      now.put("bindings/src/main/jextract/" + name, sha256(jextract.resolve(name)));
    }
    assertTrue(now.size() > 10, "the headers were found: " + now.keySet());
    assertEquals(
        before, now, "inputs changed; run bindings/src/main/jextract/regenerate.sh (see its head)");
  }

  private static Path repository() {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      if (Files.isDirectory(at.resolve("native/include"))
          && Files.isDirectory(at.resolve("bindings/src/main/jextract"))) {
        return at;
      }
    }
    throw new AssertionError(
        "run the tests inside the repository, not in " + Path.of("").toAbsolutePath());
  }

  private static String sha256(Path file)
      throws IOException, java.security.NoSuchAlgorithmException {
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file));
    return HexFormat.of().formatHex(digest);
  }
}
