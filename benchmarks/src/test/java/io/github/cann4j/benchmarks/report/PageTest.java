// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Figure.Reference;
import io.github.cann4j.benchmarks.report.Figure.Target;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PageTest {
  private static Figure figure(
      String part,
      String group,
      String name,
      double value,
      List<Reference> references,
      Target... targets) {
    return new Figure(
        part, group, name, value, "GFLOP/s", Better.HIGHER, references, List.of(targets));
  }

  @Test
  void writesTablesWithAColumnForEachReference() {
    Page page =
        new Page(
            "make page",
            Map.of("CPU", "fast | cheap"),
            List.of("No JNI."),
            List.of(
                figure(
                    "attention",
                    "Dense",
                    "fp32",
                    150,
                    List.of(new Reference("peak", 200), new Reference("torch 1", 100)),
                    new Target("peak", 0.8),
                    new Target("torch", 1.4),
                    new Target("torch", 2.5)),
                figure("attention", "Packed", "fp32", 0.01234, List.of()),
                figure(
                    "attention",
                    "Dense",
                    "bf16",
                    1500,
                    List.of(new Reference("torch 2", 10)),
                    new Target("peak", 0.8)),
                figure("java", "Calls", "tiny", 12.345, List.of(), new Target("", 12))));
    String text = page.toMarkdown();
    assertTrue(text.startsWith("# Benchmarks\n\nWritten by `make page`;"), text);
    assertTrue(text.contains("| CPU | fast \\| cheap |\n\n- No JNI.\n"), text);
    assertTrue(text.contains("2 of 4 targets with a measured reference were reached."), text);
    assertTrue(
        text.endsWith(
            """

            ## Attention

            ### Dense

            |  | cann4j, GFLOP/s | peak | torch 1 | torch 2 | targets |
            |---|--:|--:|--:|--:|---|
            | fp32 | 150.0 | 200.0 (0.75 ×) | 100.0 (1.50 ×) | — | ≥ 0.8 × peak: **no**; ≥ 1.4 × torch: yes; ≥ 2.5 × torch: **no**, which is 1.25 × peak |
            | bf16 | 1500 | — | — | 10.00 (150 ×) | ≥ 0.8 × peak: not measured |

            ### Packed

            |  | cann4j, GFLOP/s |
            |---|--:|
            | fp32 | 0.0123 |

            ## Java

            ### Calls

            |  | cann4j, GFLOP/s | targets |
            |---|--:|---|
            | tiny | 12.35 | ≥ 12 GFLOP/s: yes |
            """),
        text);
  }

  @Test
  void takesTheBestOfSeveralReferences() {
    List<Reference> references =
        List.of(new Reference("torch 1", 100), new Reference("torch 2", 80));
    Target target = new Target("torch", 1);
    assertEquals(false, figure("", "", "", 90, references, target).reached(target).orElseThrow());
    Figure time = new Figure("", "", "", 90, "ns", Better.LOWER, references, List.of(target));
    assertEquals(false, time.reached(target).orElseThrow());
    assertEquals("≤ 1 × torch", time.describe(target));
    assertEquals("≤ 10 ns", time.describe(new Target("", 10)));
  }

  @Test
  void describesTheMachine(@TempDir Path root) throws Exception {
    Files.createDirectories(root.resolve("proc"));
    Files.writeString(
        root.resolve("proc/cpuinfo"),
        """
        processor\t: 0
        model name\t: Example 9000
        flags\t\t: fpu avx2 fma hypervisor avx512_bf16
        processor\t: 1
        model name\t: Example 9000
        """);
    Files.writeString(root.resolve("proc/meminfo"), "MemTotal:       25165824 kB\n");
    for (String[] cache :
        new String[][] {
          {"0", "1", "Data", "32K"},
          {"1", "1", "Instruction", "64K"},
          {"2", "2", "Unified", "1024K"}
        }) {
      Path directory = root.resolve("sys/devices/system/cpu/cpu0/cache/index" + cache[0]);
      Files.createDirectories(directory);
      Files.writeString(directory.resolve("level"), cache[1] + "\n");
      Files.writeString(directory.resolve("type"), cache[2] + "\n");
      Files.writeString(directory.resolve("size"), cache[3] + "\n");
    }
    assertEquals(
        Map.of(
            "CPU", "Example 9000, virtual machine",
            "Processors", "2",
            "Instruction set", "avx2, fma, avx512_bf16",
            "Caches", "L1 32K, L2 1024K",
            "Memory", "24.0 GiB"),
        Machine.hardware(root));
  }
}
