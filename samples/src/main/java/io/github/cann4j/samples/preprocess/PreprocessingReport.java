// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.preprocess;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.cann4j.packing.PackingStatistics;
import io.github.cann4j.packing.PackingStrategy;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Says what was prepared, for people or for programs. */
public final class PreprocessingReport {
  private final PreprocessingJob job;
  private final PreprocessingResult result;
  private final PackingStatistics statistics;

  public PreprocessingReport(PreprocessingJob job, PreprocessingResult result) {
    this.job = job;
    this.result = result;
    this.statistics = result.statistics();
  }

  /** A line per figure. */
  public void printTable(PrintWriter out) {
    line(out, "file", "%s (%,d bytes)", result.file(), result.byteSize());
    line(out, "tokenizer", "%s (%d tokens)", result.tokenizer(), result.vocabSize());
    job.instructions().ifPresent(i -> line(out, "prompt type", "%s", i.promptType()));
    line(out, "samples", "%,d%s", statistics.documents(), leftOut());
    line(
        out,
        "tokens",
        "%,d, %,d of them to predict",
        statistics.tokens(),
        statistics.targetTokens());
    line(out, "sequences", "%,d of %,d rows", statistics.sequences(), job.seqLength());
    line(out, "fill rate", "%s", fillRate());
    out.flush();
  }

  private String leftOut() {
    List<String> parts = new ArrayList<>();
    add(parts, statistics.splitDocuments(), "split");
    add(parts, statistics.truncatedDocuments(), "cut by %,d tokens", statistics.truncatedTokens());
    add(parts, statistics.droppedDocuments(), "dropped as longer than a sequence");
    add(parts, statistics.targetlessDocuments(), "left out without a token to predict");
    add(parts, statistics.emptyDocuments(), "empty");
    String counts = parts.isEmpty() ? "" : ": " + String.join(", ", parts);
    if (result.skipped().isEmpty()) {
      return counts;
    }
    List<String> reasons = new ArrayList<>();
    result.skipped().forEach((reason, count) -> add(reasons, count, word(reason)));
    return counts + "; records left out when reading: " + String.join(", ", reasons);
  }

  private static void add(List<String> parts, long count, String what, Object... values) {
    if (count > 0) {
      parts.add("%,d ".formatted(count) + what.formatted(values));
    }
  }

  private String fillRate() {
    String own = String.format(Locale.ROOT, "%.1f %%", 100 * statistics.fillRate());
    return job.strategy() == PackingStrategy.IN_ORDER
        ? own + " in order"
        : own
            + String.format(
                Locale.ROOT,
                " by first-fit-decreasing; in order %.1f %% (%,d sequences)",
                100 * statistics.inOrderFillRate(),
                statistics.inOrderSequences());
  }

  private static void line(PrintWriter out, String name, String format, Object... values) {
    out.printf(Locale.ROOT, "%-11s  " + format + "%n", prepend(name, values));
  }

  private static Object[] prepend(String name, Object[] values) {
    List<Object> all = new ArrayList<>(List.of(values));
    all.addFirst(name);
    return all.toArray();
  }

  private static String word(String reason) {
    return reason.toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  /** One JSON object. */
  public void printJson(PrintWriter out) {
    ObjectNode root = new ObjectMapper().createObjectNode();
    root.put("file", result.file().toString());
    root.put("bytes", result.byteSize());
    root.put("tokenizer", result.tokenizer());
    root.put("vocabularySize", result.vocabSize());
    job.instructions().ifPresent(i -> root.put("promptType", i.promptType()));
    root.put("samples", statistics.documents());
    root.put("emptySamples", statistics.emptyDocuments());
    root.put("targetlessSamples", statistics.targetlessDocuments());
    root.put("splitSamples", statistics.splitDocuments());
    root.put("cutSamples", statistics.truncatedDocuments());
    root.put("cutTokens", statistics.truncatedTokens());
    root.put("droppedSamples", statistics.droppedDocuments());
    root.put("droppedTokens", statistics.droppedTokens());
    ObjectNode skipped = root.putObject("skippedRecords");
    for (Map.Entry<String, Long> reason : result.skipped().entrySet()) {
      skipped.put(word(reason.getKey()), reason.getValue());
    }
    root.put("sequenceLength", job.seqLength());
    root.put("sequences", statistics.sequences());
    root.put("tokens", statistics.tokens());
    root.put("targetTokens", statistics.targetTokens());
    root.put("paddingRows", statistics.paddingRows());
    root.put("fillRate", statistics.fillRate());
    root.put("inOrderSequences", statistics.inOrderSequences());
    root.put("inOrderFillRate", statistics.inOrderFillRate());
    out.println(root.toPrettyString());
    out.flush();
  }
}
