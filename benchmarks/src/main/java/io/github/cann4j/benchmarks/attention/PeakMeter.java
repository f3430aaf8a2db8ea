// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cann4j.benchmarks.worker.NativeProgram;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The most multiply-adds that the processor does: what the native benchmark measures. */
final class PeakMeter {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path nativeDirectory;

  /** Builds the program where it is not built yet. */
  PeakMeter(Path nativeDirectory) {
    this.nativeDirectory = nativeDirectory;
    run(List.of("sh", nativeDirectory.resolve("build.sh").toString(), "benchmark"), 1);
  }

  /**
   * Peaks in GFLOP/s.
   *
   * @param bf16 of dot products of BF16, or 0 where the processor has none
   */
  record Peak(String instructionSet, double fp32, double bf16) {}

  /** Measures for a fraction of a second. */
  Peak measure(int threads) {
    Path program = nativeDirectory.resolve("target/cmake/benchmarks/attention_benchmark");
    return run(List.of(program.toString()), threads);
  }

  private static Peak run(List<String> program, int threads) {
    List<String> command = new ArrayList<>(program);
    command.addAll(List.of("--peak", "--repeat", "1", "--format", "json"));
    command.addAll(List.of("--threads", Integer.toString(threads)));
    List<String> lines = new ArrayList<>();
    NativeProgram.run(command, Map.of(), lines::add);
    return parse(lines.getLast());
  }

  static Peak parse(String line) {
    try {
      JsonNode node = JSON.readTree(line);
      return new Peak(
          node.path("isa").asText(),
          node.path("peakGflops").asDouble(),
          node.path("bf16PeakGflops").asDouble());
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("no peak: " + line, e);
    }
  }
}
