// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.javapath;

import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Figure.Reference;
import io.github.cann4j.benchmarks.report.Figure.Target;
import io.github.cann4j.benchmarks.report.FigurePrinter;
import io.github.cann4j.benchmarks.report.Median;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.TokenType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Finding documents in 32-bit tokens by their EOD and writing 64-bit position ids that restart in
 * each, beside a copy that reads and writes as many bytes in all. One thread; more data than any
 * cache holds.
 */
public final class TokenScanning {
  private static final int TOKENS = 16 << 20;
  private static final long MOVED = TOKENS * 12L;
  private static final int EOD = 7;
  private static final int ROUNDS = 15;
  private static final int WARM_UP = 5;
  private static final String GROUP = "Documents and position ids from tokens, one thread";

  private TokenScanning() {}

  /** Prints the figures; {@code --format json} as lines of JSON. */
  public static void main(String[] args) {
    List<Figure> figures = new ArrayList<>();
    for (int mean : new int[] {100, 10_000}) {
      int[] tokens = tokens(mean);
      int[] copied = new int[TOKENS + TOKENS / 2];
      long[] positions = new long[TOKENS];
      figures.add(
          measure(
              "int[], mean length %,d".formatted(mean),
              () -> PackedSequence.fromEod(tokens, EOD).positionIds(true, 0, TOKENS, positions, 0),
              () -> {
                System.arraycopy(tokens, 0, copied, 0, TOKENS);
                System.arraycopy(tokens, 0, copied, TOKENS, TOKENS / 2);
              }));
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment from = arena.allocate(TOKENS * 4L, 64);
        MemorySegment.copy(tokens, 0, from, ValueLayout.JAVA_INT, 0, TOKENS);
        MemorySegment to = arena.allocate(TOKENS * 8L, 64);
        MemorySegment copy = arena.allocate(TOKENS * 6L, 64);
        figures.add(
            measure(
                "native memory, mean length %,d".formatted(mean),
                () ->
                    PackedSequence.fromEod(from, TokenType.INT32, EOD)
                        .positionIds(true, 0, TOKENS, to),
                () -> {
                  MemorySegment.copy(from, 0, copy, 0, TOKENS * 4L);
                  MemorySegment.copy(from, 0, copy, TOKENS * 4L, TOKENS * 2L);
                }));
      }
    }
    FigurePrinter.print(args, figures);
  }

  private static int[] tokens(int mean) {
    Random random = new Random(1);
    int[] tokens = new int[TOKENS];
    for (int i = 0; i < TOKENS; i++) {
      tokens[i] = random.nextInt(mean) == 0 ? EOD : 8 + random.nextInt(100_000);
    }
    return tokens;
  }

  private static Figure measure(String name, Runnable scan, Runnable copy) {
    List<Double> own = new ArrayList<>();
    List<Double> limit = new ArrayList<>();
    for (int i = -WARM_UP; i < ROUNDS; i++) {
      double copied = bytesPerNano(copy);
      double scanned = bytesPerNano(scan);
      if (i >= 0) {
        limit.add(copied);
        own.add(scanned);
      }
    }
    return new Figure(
        "java",
        GROUP,
        name,
        Median.of(own.stream().mapToDouble(v -> v)),
        "GB/s",
        Better.HIGHER,
        List.of(new Reference("copy", Median.of(limit.stream().mapToDouble(v -> v)))),
        List.of(new Target("copy", 0.5)));
  }

  private static double bytesPerNano(Runnable work) {
    long start = System.nanoTime();
    work.run();
    return (double) MOVED / (System.nanoTime() - start);
  }
}
