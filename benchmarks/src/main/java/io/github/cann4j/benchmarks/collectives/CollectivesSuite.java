// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.collectives;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Figure.Reference;
import io.github.cann4j.benchmarks.report.Figure.Target;
import io.github.cann4j.benchmarks.report.Recorder;
import io.github.cann4j.benchmarks.worker.NativeProgram;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** HCCL's operations beside Open MPI and memcpy: what the native benchmark measures. */
public final class CollectivesSuite {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String PART = "collectives";
  private static final String MPI = "Open MPI";
  private static final String COPY = "memcpy";
  private static final Map<String, String> REFERENCES = Map.of("openmpi", MPI, "memcpy", COPY);
  private static final long LATENCY_BELOW = 64 << 10;
  private static final long COPY_FROM = 16 << 20;
  private static final long LARGE_MEMORY = 20L << 30;
  private static final double MICROSECONDS = 10;

  private final boolean quick;
  private final Path nativeDirectory;
  private final Recorder recorder;

  public CollectivesSuite(boolean quick, Path nativeDirectory, Recorder recorder) {
    this.quick = quick;
    this.nativeDirectory = nativeDirectory;
    this.recorder = recorder;
  }

  /** Measures all. */
  public void run() {
    List<String> command = new ArrayList<>();
    command.addAll(List.of("sh", nativeDirectory.resolve("build.sh").toString(), "collectives"));
    command.addAll(List.of("--format", "json", "--repeat", "3"));
    if (quick) {
      command.addAll(List.of("--max", "16M"));
    } else if (memory() >= LARGE_MEMORY) {
      command.addAll(List.of("--max", "1G"));
    } else {
      recorder.note("Collectives were measured up to 256 MiB; 1 GiB takes 20 GiB of memory.");
    }
    Grouping grouping = new Grouping(recorder);
    NativeProgram.run(command, Map.of(), grouping::add);
    grouping.flush();
    if (!grouping.hasMpi) {
      recorder.note(
          "Collectives were measured without Open MPI; on Debian: apt-get install openmpi-bin"
              + " libopenmpi-dev.");
    }
  }

  private static long memory() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
  }

  /** Makes figures of lines: those of one collective and size follow one another. */
  static final class Grouping {
    private final Recorder recorder;
    private final SequencedMap<String, JsonNode> lines = new LinkedHashMap<>();
    private String collective = "";
    private long bytes;
    boolean hasMpi;

    Grouping(Recorder recorder) {
      this.recorder = recorder;
    }

    void add(String line) {
      JsonNode node;
      try {
        node = JSON.readTree(line);
      } catch (JsonProcessingException e) {
        throw new IllegalArgumentException("no figure: " + line, e);
      }
      String name = node.path("collective").asText();
      long size = node.path("bytes").asLong();
      if (!name.equals(collective) || size != bytes) {
        flush();
      }
      collective = name;
      bytes = size;
      hasMpi |= node.path("where").asText().equals("openmpi");
      lines.put(node.path("where").asText(), node);
    }

    void flush() {
      boolean latency = bytes < LATENCY_BELOW;
      String field = latency ? "microseconds" : "GB/s";
      List<Reference> references = new ArrayList<>();
      for (String peer : List.of("openmpi", "memcpy")) {
        if (lines.containsKey(peer)) {
          references.add(
              new Reference(REFERENCES.get(peer), lines.get(peer).path(field).asDouble()));
        }
      }
      lines.forEach(
          (where, node) -> {
            if (!REFERENCES.containsKey(where)) {
              recorder.add(
                  new Figure(
                      PART,
                      "%s, %d ranks, %s"
                          .formatted(
                              collective,
                              node.path("ranks").asInt(),
                              latency ? "small messages" : "from 64 KiB"),
                      "%s, %s".formatted(size(bytes), where),
                      node.path(field).asDouble(),
                      latency ? "µs" : "GB/s",
                      latency ? Better.LOWER : Better.HIGHER,
                      references,
                      targets(latency)));
            }
          });
      lines.clear();
    }

    private List<Target> targets(boolean latency) {
      if (latency) {
        return List.of(new Target("", MICROSECONDS));
      }
      return bytes < COPY_FROM
          ? List.of(new Target(MPI, 1))
          : List.of(new Target(MPI, 1), new Target(COPY, 0.8));
    }
  }

  /** A number of bytes such as 64 KiB. */
  static String size(long bytes) {
    int unit = (63 - Long.numberOfLeadingZeros(Math.max(1, bytes))) / 10;
    return bytes >> 10 * unit << 10 * unit == bytes && unit > 0
        ? (bytes >> 10 * unit) + " " + "KMGT".charAt(unit - 1) + "iB"
        : bytes + " B";
  }
}
