// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.sharding;

import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Figure.Reference;
import io.github.cann4j.benchmarks.report.Figure.Target;
import io.github.cann4j.benchmarks.report.FigurePrinter;
import io.github.cann4j.benchmarks.report.Median;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.plan.Sharding;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * How even balanced sharding is and how few rows it lets ranks need, beside other ways to spread
 * the same batches; and how long it takes.
 */
public final class ShardingQuality {
  private static final int BATCHES = 30;
  private static final int ROUNDS = 100;
  private static final String PART = "sharding";

  /** Of one way to spread: a value per batch. */
  private record Values(double[] imbalance, double[] needed) {
    Values() {
      this(new double[BATCHES], new double[BATCHES]);
    }

    void add(int batch, PackedSequence sequence, List<List<RowRange>> shards) {
      imbalance[batch] = Spread.imbalance(sequence, shards);
      needed[batch] = Spread.percentNeeded(sequence, shards);
    }
  }

  private record Case(String name, Values own, List<Values> peers) {}

  private ShardingQuality() {}

  /** Prints the figures; {@code --format json} as lines of JSON. */
  public static void main(String[] args) {
    List<Figure> figures = new ArrayList<>(time());
    List<Case> cases = cases();
    String work = "Work of the rank with most over the mean, ";
    Target even = new Target("", 1.05);
    add(
        figures,
        work + "median of 30 batches",
        "×",
        cases,
        values -> Median.of(Arrays.stream(values.imbalance)),
        List.of(even));
    add(
        figures,
        work + "worst of 30 batches",
        "×",
        cases,
        values -> Arrays.stream(values.imbalance).max().orElseThrow(),
        List.of(even));
    add(
        figures,
        "Key and value rows that ranks need of others, median of 30 batches",
        "% of a dense ring",
        cases,
        values -> Median.of(Arrays.stream(values.needed)),
        List.of(new Target(Peer.ZIGZAG_PER_DOCUMENT.title(), 1)));
    FigurePrinter.print(args, figures);
  }

  private static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (Lengths lengths : Lengths.values()) {
      for (long rows : new long[] {131_072, 1_048_576}) {
        for (int ranks : new int[] {8, 64}) {
          Values own = new Values();
          List<Values> peers = Arrays.stream(Peer.values()).map(peer -> new Values()).toList();
          for (int batch = 0; batch < BATCHES; batch++) {
            PackedSequence sequence = lengths.draw(rows, batch);
            own.add(batch, sequence, Peer.planned(Sharding.BALANCED, sequence, ranks));
            for (Peer peer : Peer.values()) {
              peers.get(peer.ordinal()).add(batch, sequence, peer.shards(sequence, ranks));
            }
          }
          cases.add(
              new Case("%s, S %,d, cp %d".formatted(lengths.title(), rows, ranks), own, peers));
        }
      }
    }
    return cases;
  }

  private static void add(
      List<Figure> figures,
      String group,
      String unit,
      List<Case> cases,
      ToDoubleFunction<Values> value,
      List<Target> targets) {
    for (Case c : cases) {
      List<Reference> references =
          Arrays.stream(Peer.values())
              .map(p -> new Reference(p.title(), value.applyAsDouble(c.peers.get(p.ordinal()))))
              .toList();
      figures.add(
          new Figure(
              PART,
              group,
              c.name,
              value.applyAsDouble(c.own),
              unit,
              Better.LOWER,
              references,
              targets));
    }
  }

  private static List<Figure> time() {
    long rows = 1 << 20;
    long[] ends = new Random(1).longs(1, rows).distinct().limit(9_999).sorted().toArray();
    ends = Arrays.copyOf(ends, 10_000);
    ends[9_999] = rows;
    PackedSequence sequence = PackedSequence.ofActualSeqLen(ends, rows);
    double first = plan(sequence, 0);
    double[] warmed =
        IntStream.range(0, 2 * ROUNDS).mapToDouble(i -> plan(sequence, i % 64)).toArray();
    double median = Median.of(Arrays.stream(warmed, ROUNDS, 2 * ROUNDS));
    return List.of(
        time("warmed, median", median, List.of(new Target("", 20))),
        time("first of the process, classes not loaded", first, List.of()));
  }

  private static Figure time(String name, double millis, List<Target> targets) {
    return new Figure(
        PART,
        "Sharding and one rank's steps, S 1,048,576, 10,000 documents, cp 64",
        name,
        millis,
        "ms",
        Better.LOWER,
        List.of(),
        targets);
  }

  private static double plan(PackedSequence sequence, int rank) {
    long start = System.nanoTime();
    ContextParallelPlan plan =
        ContextParallelPlan.builder(sequence, CpGrid.ring(64)).sharding(Sharding.BALANCED).build();
    plan.steps(rank);
    return (System.nanoTime() - start) / 1e6;
  }
}
