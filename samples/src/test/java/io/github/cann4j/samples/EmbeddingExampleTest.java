// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class EmbeddingExampleTest {
  @Test
  void runs() throws Exception {
    PrintStream before = System.out;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    System.setOut(new PrintStream(out, true));
    try {
      EmbeddingExample.main(new String[0]);
    } finally {
      System.setOut(before);
    }
    assertEquals(2, out.toString().lines().filter(l -> l.matches(".* -> out -?\\d\\S*")).count());
  }

  @Test
  void readmeShowsIt() throws Exception {
    String source =
        Files.readString(Path.of("src/main/java/io/github/cann4j/samples/EmbeddingExample.java"));
    String shown = source.substring(source.indexOf("import "));
    String readme = Files.readString(Path.of("..", "README.md"));
    assertTrue(readme.contains("```java\n" + shown + "```"), "README.md shows another example");
  }
}
