// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import io.github.cann4j.acl.Backend;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Toolkit;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.samples.cli.Devices;
import io.github.cann4j.samples.cli.TextTable;
import io.github.cann4j.samples.cli.ToolkitLine;
import io.github.cann4j.samples.model.DecoderConfig;
import io.github.cann4j.samples.train.Parallelism;
import io.github.cann4j.samples.train.Rehearsal;
import io.github.cann4j.samples.train.SpeedTrial;
import io.github.cann4j.samples.train.TrainingConfig;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;

/** What a run would do: plan of the first step, memory, and expected throughput. */
public final class DryRun {
  private static final double MEBI = 1 << 20;
  private static final double GIBI = 1 << 30;
  // Weight, gradient, and the two means of the optimizer.
  private static final int COPIES_OF_WEIGHTS = 4;

  private final TrainingConfig config;
  private final PackedDataset data;
  private final int ranks;
  private final Toolkit toolkit;

  public DryRun(TrainingConfig config, PackedDataset data, int ranks, Toolkit toolkit) {
    this.config = config;
    this.data = data;
    this.ranks = ranks;
    this.toolkit = toolkit;
  }

  /** Prints everything; needs a device for each context-parallel rank. */
  public void print(PrintWriter out) throws InterruptedException {
    Parallelism parallelism = config.parallelism();
    Devices.require(toolkit, parallelism.grid().size(), "--context-parallel-size");
    Rehearsal rehearsal = new Rehearsal(config);
    List<ContextParallelPlan> plans = rehearsal.firstStep(data);
    out.println("toolkit     " + ToolkitLine.of(toolkit));
    printModel(out);
    printData(out);
    out.printf(
        "ranks       %d: TP 1, PP 1, CP %d (%s, %s, %s), DP %d; %d sequences a step, %d at once%n",
        ranks,
        parallelism.grid().size(),
        parallelism.algorithm().option(),
        parallelism.sharding(),
        parallelism.pattern(),
        ranks / parallelism.grid().size(),
        config.globalBatchSize(),
        config.microBatchSize());
    printPlan(plans.getFirst(), rehearsal.deviceBytes(plans.getFirst()), out);
    printThroughput(plans, out);
    out.flush();
  }

  private void printModel(PrintWriter out) {
    DecoderConfig model = config.model();
    out.printf(
        Locale.ROOT,
        "model       %s: %d layers, hidden %d, %d heads, %d kv heads, head dimension %d, ffn %d,"
            + " vocabulary %d: %.1f M parameters%n",
        model.name(),
        model.layers(),
        model.hidden(),
        model.heads(),
        model.kvHeads(),
        model.headDim(),
        model.feedForward(),
        model.vocabulary(),
        model.parameters() / 1e6);
    out.printf(
        Locale.ROOT,
        "host memory %.2f GiB per rank for weights, gradients and optimizer, without activations%n",
        COPIES_OF_WEIGHTS * Float.BYTES * model.parameters() / GIBI);
  }

  private void printData(PrintWriter out) {
    long valid = 0;
    for (long i = 0; i < data.sequences(); i++) {
      valid += data.validLength(i);
    }
    out.printf(
        Locale.ROOT,
        "data        %d sequences of %d tokens, %.1f %% filled; %s%n",
        data.sequences(),
        data.sequenceLength(),
        100.0 * valid / data.sequences() / data.sequenceLength(),
        data.properties());
  }

  private void printPlan(ContextParallelPlan plan, long[] deviceBytes, PrintWriter out) {
    AttentionConfig attention = config.attention();
    PackedSequence sequence = plan.sequence();
    out.printf(
        "first step  %d documents in %d rows, the longest of %d; padding: %d%n%n",
        sequence.documentCount(),
        sequence.length(),
        sequence.longestDocument(),
        sequence.length() - sequence.validLength());
    long kvBytes =
        (long) attention.kvHeads()
            / plan.grid().ulyssesDegree()
            * (attention.headDim() + attention.headDimV())
            * attention.dataType().byteSize();
    TextTable table =
        new TextTable(
            "cp rank", "rows", "work %", "ring rows needed", "ring KiB/layer", "device MiB");
    for (int rank = 0; rank < plan.grid().size(); rank++) {
      int ringRank = plan.grid().ringRank(rank);
      table.add(
          String.valueOf(rank),
          String.valueOf(plan.localRows()),
          TextTable.cell("%.1f", 100.0 * plan.work(ringRank) / Math.max(1, plan.totalWork())),
          String.valueOf(plan.forwardRowsSent(ringRank)),
          TextTable.cell("%.0f", plan.forwardRowsSent(ringRank) * kvBytes / 1024.0),
          TextTable.cell("%.1f", deviceBytes[rank] / MEBI));
    }
    table.print(out);
    out.println();
    out.println(
        "Device memory: of attention, its exchange and HCCL's buffers; kernels' workspace comes on"
            + " top.");
    out.flush();
  }

  private void printThroughput(List<ContextParallelPlan> plans, PrintWriter out) {
    SpeedTrial speed = SpeedTrial.run(config, data, Device.open(0));
    long rows = 0;
    long tokens = 0;
    double attention = 0;
    double flops = 0;
    for (ContextParallelPlan plan : plans) {
      rows += plan.sequence().length();
      tokens += plan.sequence().validLength();
      double all = config.model().attentionFlops(plan.totalWork());
      flops +=
          all
              + config
                  .model()
                  .linearFlops(plan.sequence().validLength(), plan.sequence().validLength());
      // Simulated devices share the processors; real ones wait for the busiest.
      attention += toolkit.backend() == Backend.CPU ? all : all * busiest(plan);
    }
    double seconds =
        rows * speed.secondsPerRow()
            + attention / speed.attentionFlopsPerSecond()
            + speed.secondsPerStep() * ranks;
    out.printf(
        Locale.ROOT,
        "expected    %.2f s a step, %.0f tokens/s, %.4f TFLOP/s per rank, if all ranks share this"
            + " host's processors%n",
        seconds,
        tokens / seconds,
        flops / seconds / ranks / 1e12);
    out.printf(
        Locale.ROOT,
        "            (from a trial: %.1f us a row outside attention, %.4f TFLOP/s in attention,"
            + " %.0f ms the update; rows that predict nothing count as if they did)%n",
        1e6 * speed.secondsPerRow(),
        speed.attentionFlopsPerSecond() / 1e12,
        1e3 * speed.secondsPerStep());
  }

  private static double busiest(ContextParallelPlan plan) {
    long most = 0;
    for (int r = 0; r < plan.grid().ringDegree(); r++) {
      most = Math.max(most, plan.work(r));
    }
    return most / (double) Math.max(1, plan.totalWork()) / plan.grid().ulyssesDegree();
  }
}
