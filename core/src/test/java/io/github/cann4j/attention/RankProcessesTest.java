// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Context-parallel attention whose ranks are spread over processes, alone or with others. */
@Tag("multiprocess")
class RankProcessesTest {
  @ParameterizedTest
  @CsvSource({"4, 1, 2", "2, 2, 2", "1, 2, 1"})
  void ranksInSeveralProcesses(int ring, int ulysses, int ranksPerProcess, @TempDir Path directory)
      throws Exception {
    List<Process> processes = new ArrayList<>();
    List<Path> outputs = new ArrayList<>();
    try {
      for (int first = 0; first < ring * ulysses; first += ranksPerProcess) {
        List<String> command =
            new ArrayList<>(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "--enable-native-access=ALL-UNNAMED",
                    "--illegal-native-access=deny",
                    "-Xmx256m"));
        for (String name : List.of("cann4j.backend", "cann4j.home")) {
          if (System.getProperty(name) != null) {
            command.add("-D" + name + "=" + System.getProperty(name));
          }
        }
        command.addAll(
            List.of(
                "-cp",
                System.getProperty("java.class.path"),
                RankProcess.class.getName(),
                directory.toString(),
                String.valueOf(ring),
                String.valueOf(ulysses),
                String.valueOf(first),
                String.valueOf(first + ranksPerProcess)));
        Path output = directory.resolve("output" + first);
        outputs.add(output);
        processes.add(
            new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start());
      }
      for (int i = 0; i < processes.size(); i++) {
        assertTrue(
            processes.get(i).waitFor(90, TimeUnit.SECONDS), "hangs: " + texts(outputs));
        assertEquals(0, processes.get(i).exitValue(), texts(outputs));
      }
    } finally {
      processes.forEach(Process::destroyForcibly);
    }
  }

  private static String texts(List<Path> outputs) throws Exception {
    StringBuilder text = new StringBuilder();
    for (Path output : outputs) {
      text.append(output.getFileName()).append(":\n").append(Files.readString(output));
    }
    return text.toString();
  }
}
