// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.cann4j.acl.Toolkit;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.samples.cli.TextTable;
import io.github.cann4j.samples.cli.ToolkitLine;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Says what was run and what came out, for people or for programs. */
public final class ResultReport {
  private static final double MIB = 1 << 20;

  private final LongSequenceJob job;
  private final Toolkit toolkit;
  private final String vocabulary;

  public ResultReport(LongSequenceJob job, Toolkit toolkit, String vocabulary) {
    this.job = job;
    this.toolkit = toolkit;
    this.vocabulary = vocabulary;
  }

  /** What is going to be run, in a few lines. */
  public void printJob(PrintWriter out) {
    PackedSequence documents = job.packed().sequence();
    AttentionConfig config = job.config();
    out.println("toolkit    " + ToolkitLine.of(toolkit));
    out.printf(
        Locale.ROOT,
        "sequence   %d rows (%s): %d packed documents, the longest of %d tokens; padding: %d%n",
        documents.length(),
        vocabulary,
        documents.documentCount(),
        documents.longestDocument(),
        documents.length() - documents.validLength());
    out.printf(
        Locale.ROOT,
        "attention  %d heads, %d kv heads, head dimension %d, %s, %s, causal %s; %.1f GFLOP"
            + " forward%n",
        config.heads(),
        config.kvHeads(),
        config.headDim(),
        config.dataType(),
        config.layout(),
        job.sequence().documentCount() == documents.documentCount()
            ? "inside each document"
            : "over the whole sequence",
        job.forwardFlops() * 1e-9);
    out.println();
    out.flush();
  }

  /** One line per run. */
  public void printTable(List<RunResult> results, long referenceRows, PrintWriter out) {
    List<String> header =
        new ArrayList<>(
            List.of(
                "algorithm",
                "ranks",
                "forward ms",
                "backward ms",
                "TFLOP/s",
                "peak MiB/rank",
                "sent MiB/rank"));
    if (job.verify()) {
      for (OutputPart part : OutputPart.values()) {
        header.add("err " + part.label());
      }
      header.add("check");
    }
    TextTable table = new TextTable(header.toArray(String[]::new));
    for (RunResult result : results) {
      table.add(cells(result));
    }
    table.print(out);
    out.println();
    if (job.verify()) {
      out.printf(
          Locale.ROOT,
          "err: largest difference from one device (in its own line: from fp64). All lines were"
              + " also compared with fp64 attention in %d rows.%n",
          referenceRows);
    }
    out.println(
        "Times: mean of "
            + (job.iterations() == 1 ? "one pass" : job.iterations() + " passes")
            + ", until the last rank is done. Bytes: of one forward and one backward pass.");
    out.flush();
  }

  private String[] cells(RunResult result) {
    List<String> cells = new ArrayList<>();
    cells.add(result.name());
    cells.add(Integer.toString(result.ranks()));
    cells.add(TextTable.cell("%.1f", result.forwardMillis()));
    cells.add(TextTable.cell("%.1f", result.backwardMillis()));
    cells.add(TextTable.cell("%.4f", result.teraFlops()));
    cells.add(TextTable.cell("%.1f", result.peakBytes() / MIB));
    cells.add(TextTable.cell("%.1f", result.sentBytes() / MIB));
    if (job.verify()) {
      for (PartCheck check : result.checks()) {
        double error =
            isOneDevice(result) ? check.largestAgainstReference() : check.largestAgainstOneDevice();
        cells.add(TextTable.cell("%.1e", error));
      }
      cells.add(result.complaints().isEmpty() ? "PASS" : "FAIL");
    }
    return cells.toArray(String[]::new);
  }

  private static boolean isOneDevice(RunResult result) {
    return result.name().equals(AttentionRuns.ONE_DEVICE);
  }

  /** One JSON object with everything. */
  public void printJson(List<RunResult> results, long referenceRows, PrintWriter out) {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode root = mapper.createObjectNode();
    root.putObject("toolkit")
        .put("backend", toolkit.backend().name())
        .put("version", toolkit.version())
        .put("devices", toolkit.deviceCount());
    PackedSequence documents = job.packed().sequence();
    root.putObject("sequence")
        .put("length", documents.length())
        .put("validLength", documents.validLength())
        .put("documents", documents.documentCount())
        .put("longestDocument", documents.longestDocument())
        .put("vocabulary", vocabulary)
        .put("resetPositionIds", job.resetPositions())
        .put("resetAttentionMask", job.sequence() == documents);
    AttentionConfig config = job.config();
    root.putObject("attention")
        .put("heads", config.heads())
        .put("kvHeads", config.kvHeads())
        .put("headDim", config.headDim())
        .put("dataType", config.dataType().name())
        .put("layout", config.layout().name())
        .put("forwardFlops", job.forwardFlops())
        .put("backwardFlops", job.backwardFlops());
    root.put("iterations", job.iterations());
    root.put("referenceRows", referenceRows);
    ArrayNode runs = root.putArray("runs");
    for (RunResult result : results) {
      ObjectNode run =
          runs.addObject()
              .put("algorithm", result.name())
              .put("ranks", result.ranks())
              .put("forwardMillis", result.forwardMillis())
              .put("backwardMillis", result.backwardMillis())
              .put("teraFlops", result.teraFlops())
              .put("peakBytesPerRank", result.peakBytes())
              .put("sentBytesPerRank", result.sentBytes());
      for (PartCheck check : result.checks()) {
        run.putObject(check.part().label())
            .put("errorAgainstOneDevice", check.largestAgainstOneDevice())
            .put("errorAgainstReference", check.largestAgainstReference());
      }
      if (job.verify()) {
        run.put("passed", result.complaints().isEmpty());
      }
    }
    try {
      out.println(mapper.writerWithDefaultPrettyPrinter().writeValueAsString(root));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree of plain values cannot be written", e);
    }
    out.flush();
  }
}
