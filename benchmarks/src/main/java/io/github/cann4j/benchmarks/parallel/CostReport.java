// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.parallel;

import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Figure.Reference;
import io.github.cann4j.benchmarks.report.Figure.Target;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.samples.cli.TextTable;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Results of a job as a table for people, or as figures. */
final class CostReport {
  private static final double MOST = 1.05;

  private final CostJob job;
  private final List<CostResult> results;

  CostReport(CostJob job, List<CostResult> results) {
    this.job = job;
    this.results = results;
  }

  void print(PrintWriter out) {
    out.println(title());
    out.println();
    TextTable table =
        new TextTable(
            "algorithm",
            "ranks",
            "forward s",
            "backward s",
            "GFLOP/s",
            "to cp 1",
            "device MiB",
            "after warm-up",
            "heap bytes",
            "sent MiB",
            "difference");
    for (CostResult result : results) {
      table.add(
          result.measured().algorithm(),
          Integer.toString(result.measured().ranks()),
          TextTable.cell("%.3f", result.forwardSeconds()),
          TextTable.cell("%.3f", result.backwardSeconds()),
          TextTable.cell("%.1f", job.flops() / result.seconds() * 1e-9),
          TextTable.cell("%.3f", result.ratioTo(results.getFirst())),
          TextTable.cell("%.1f", result.deviceBytes() / 1048576.0),
          Long.toString(result.grownBytes()),
          Long.toString(result.heapBytes()),
          TextTable.cell("%.1f", result.sentBytes() / 1048576.0),
          TextTable.cell("%.1e", result.largestDifference()));
    }
    table.print(out);
    out.println();
    out.println(
        "Times: medians of %d rounds, until the last rank is done; to cp 1: median of the ratios within a round."
            .formatted(job.rounds()));
    out.println(
        "Of the rank with most: device memory with its tensors, what was allocated there and on the"
            + " Java heap after the first pass, bytes sent.");
    out.println("Difference: the largest from one device, of out, dq, dk and dv.");
  }

  List<Figure> figures() {
    List<Figure> figures = new ArrayList<>();
    CostResult one = results.getFirst();
    for (CostResult result : results.subList(1, results.size())) {
      figures.add(figure(result.measured().name(), result.ratioTo(one), List.of(), MOST));
    }
    for (int ranks : results.stream().mapToInt(r -> r.measured().ranks()).distinct().toArray()) {
      List<CostResult> same =
          results.stream()
              .filter(r -> r.measured().ranks() == ranks)
              .sorted(Comparator.comparingDouble(r -> r.ratioTo(one)))
              .toList();
      if (same.size() > 1) {
        CostResult fastest = same.getFirst();
        CostResult slowest = same.getLast();
        figures.add(
            figure(
                "slowest of cp %d: %s".formatted(ranks, slowest.measured().algorithm()),
                slowest.ratioTo(one),
                List.of(new Reference("fastest", fastest.ratioTo(one))),
                MOST));
      }
    }
    return figures;
  }

  private Figure figure(String name, double ratio, List<Reference> references, double most) {
    String of = references.isEmpty() ? "" : references.getFirst().name();
    return new Figure(
        "context parallelism",
        title(),
        name,
        ratio,
        "× one device",
        Better.LOWER,
        references,
        List.of(new Target(of, most)));
  }

  private String title() {
    PackedSequence sequence = job.sequence();
    return String.format(
        Locale.ROOT,
        "Forward and backward, S %d, %s, %d heads, %d kv heads, D %d, %s",
        sequence.length(),
        sequence.documentCount() == 1
            ? "one document"
            : "%d documents of at most %d"
                .formatted(sequence.documentCount(), sequence.longestDocument()),
        job.config().heads(),
        job.config().kvHeads(),
        job.config().headDim(),
        job.config().dataType());
  }
}
