// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cann4j.acl.Toolkit;
import io.github.cann4j.samples.cli.TextTable;
import io.github.cann4j.samples.cli.ToolkitLine;
import io.github.cann4j.samples.train.Parallelism;
import io.github.cann4j.samples.train.TrainingConfig;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.ToDoubleFunction;

/** One line for a run, in the columns that users of long-sequence training compare. */
public final class ResultTable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final SequencedMap<String, Object> cells = new LinkedHashMap<>();
  private final Toolkit toolkit;

  /**
   * @param ranks number of ranks
   * @param steps at least one; where there are more, the first one, which fills caches, does not
   *     count in times
   */
  public ResultTable(
      TrainingConfig config,
      int sequenceLength,
      int ranks,
      Toolkit toolkit,
      List<StepMetrics> steps) {
    this.toolkit = toolkit;
    Parallelism parallelism = config.parallelism();
    List<StepMetrics> timed = steps.size() > 1 ? steps.subList(1, steps.size()) : steps;
    cells.put("model", config.model().name());
    cells.put("parameters M", round(config.model().parameters() / 1e6, 10));
    cells.put("seq length", sequenceLength);
    cells.put("TP/PP/CP", "1/1/" + parallelism.grid().size());
    cells.put("DP", ranks / parallelism.grid().size());
    cells.put(
        "CP type", parallelism.grid().size() == 1 ? "none" : parallelism.algorithm().option());
    cells.put("mask type", parallelism.generalMask() ? "general" : "causal");
    cells.put("EOD reset", config.documents().resetAttentionMask() ? "yes" : "no");
    cells.put("dtype", parallelism.dataType().toString());
    cells.put("device MiB/rank", Math.round(steps.getLast().deviceMebibytes()));
    cells.put("step ms", Math.round(median(timed, StepMetrics::stepMillis)));
    cells.put("tokens/s", Math.round(median(timed, StepMetrics::tokensPerSecond)));
    cells.put("TFLOP/s/rank", round(median(timed, StepMetrics::teraflopsPerRank), 10000));
    cells.put("first loss", round(steps.getFirst().loss(), 10000));
    cells.put("last loss", round(steps.getLast().loss(), 10000));
  }

  public void print(PrintWriter out) {
    TextTable table = new TextTable(cells.keySet().toArray(String[]::new));
    table.add(cells.values().stream().map(String::valueOf).toArray(String[]::new));
    out.println();
    table.print(out);
    out.println();
    out.println("Times: median of the steps after the first. Toolkit: " + ToolkitLine.of(toolkit));
    out.flush();
  }

  public void printJson(PrintWriter out) {
    try {
      out.println(JSON.writerWithDefaultPrettyPrinter().writeValueAsString(cells));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
    out.flush();
  }

  private static double median(List<StepMetrics> steps, ToDoubleFunction<StepMetrics> value) {
    double[] sorted = steps.stream().mapToDouble(value).sorted().toArray();
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  private static double round(double value, double parts) {
    return Math.round(value * parts) / parts;
  }
}
