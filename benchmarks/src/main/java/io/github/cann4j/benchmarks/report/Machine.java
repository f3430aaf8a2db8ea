// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.report;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;

/** What a run was on, as Linux says it; what cannot be read is left out. */
public final class Machine {
  private final Path root;

  private Machine(Path root) {
    this.root = root;
  }

  /** The machine, the system, the JDK, the commit in the working directory, and the time. */
  public static SequencedMap<String, String> describe() {
    SequencedMap<String, String> facts = new Machine(Path.of("/")).hardware();
    // Without the suffix, which may name the host's owner.
    String kernel = System.getProperty("os.version").replaceFirst("-.*", "");
    facts.put("Kernel", System.getProperty("os.name") + " " + kernel);
    facts.put(
        "JDK",
        System.getProperty("java.runtime.version") + ", " + System.getProperty("java.vendor"));
    output("git", "describe", "--always", "--dirty", "--abbrev=12")
        .ifPresent(commit -> facts.put("Commit", commit));
    facts.put(
        "Date",
        ZonedDateTime.now(ZoneOffset.UTC)
            .format(DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm 'UTC'", Locale.ROOT)));
    return facts;
  }

  /** As {@link #describe()}, of the files below a directory. */
  static SequencedMap<String, String> hardware(Path root) {
    return new Machine(root).hardware();
  }

  private SequencedMap<String, String> hardware() {
    SequencedMap<String, String> facts = new LinkedHashMap<>();
    List<String> cpu = read("proc/cpuinfo");
    Set<String> flags = new HashSet<>();
    for (String name : new String[] {"flags", "Features"}) {
      field(cpu, name).ifPresent(all -> flags.addAll(Arrays.asList(all.split(" "))));
    }
    field(cpu, "model name").ifPresent(model -> facts.put("CPU", model + virtual(flags)));
    long processors = cpu.stream().filter(line -> line.startsWith("processor")).count();
    facts.put("Processors", Long.toString(processors));
    if (!flags.isEmpty()) {
      facts.put("Instruction set", instructionSet(flags));
    }
    String caches = caches();
    if (!caches.isEmpty()) {
      facts.put("Caches", caches);
    }
    field(read("proc/meminfo"), "MemTotal")
        .ifPresent(
            total -> {
              double kibibytes = Double.parseDouble(total.replaceAll("\\D", ""));
              facts.put("Memory", String.format(Locale.ROOT, "%.1f GiB", kibibytes / (1 << 20)));
            });
    return facts;
  }

  private static String virtual(Set<String> flags) {
    return flags.contains("hypervisor") ? ", virtual machine" : "";
  }

  private static String instructionSet(Set<String> flags) {
    List<String> found = new ArrayList<>();
    for (String flag :
        List.of(
            "avx2",
            "fma",
            "avx512f",
            "avx512_bf16",
            "avx512_fp16",
            "amx_bf16",
            "asimd",
            "bf16",
            "sve",
            "sve2")) {
      if (flags.contains(flag)) {
        found.add(flag);
      }
    }
    return found.isEmpty() ? "none of those with vectors" : String.join(", ", found);
  }

  private String caches() {
    List<String> caches = new ArrayList<>();
    try (DirectoryStream<Path> directories =
        Files.newDirectoryStream(root.resolve("sys/devices/system/cpu/cpu0/cache"), "index*")) {
      for (Path directory : directories) {
        String type = Files.readString(directory.resolve("type")).strip();
        String level = Files.readString(directory.resolve("level")).strip();
        String size = Files.readString(directory.resolve("size")).strip();
        if (!type.equals("Instruction")) {
          caches.add("L%s %s".formatted(level, size));
        }
      }
    } catch (IOException e) {
      return "";
    }
    caches.sort(null);
    return String.join(", ", caches);
  }

  private List<String> read(String file) {
    try {
      return Files.readAllLines(root.resolve(file));
    } catch (IOException e) {
      return List.of();
    }
  }

  private static Optional<String> field(List<String> lines, String name) {
    return lines.stream()
        .filter(line -> line.matches("\\Q" + name + "\\E\\s*:.*"))
        .findFirst()
        .map(line -> line.substring(line.indexOf(':') + 1).strip());
  }

  private static Optional<String> output(String... command) {
    try {
      Process process =
          new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      String output = new String(process.getInputStream().readAllBytes()).strip();
      return process.waitFor() == 0 ? Optional.of(output) : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }
}
