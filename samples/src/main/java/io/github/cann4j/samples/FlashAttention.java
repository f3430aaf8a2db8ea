// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Toolkit;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.samples.cli.AttentionChoices;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.ExitCode;
import io.github.cann4j.samples.cli.SampleCommand;
import io.github.cann4j.samples.cli.TextTable;
import io.github.cann4j.samples.flash.AttentionCase;
import io.github.cann4j.samples.flash.SingleDeviceAttention;
import io.github.cann4j.samples.run.ErrorMeter;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Calls CANN's flash attention on one device, forward and gradient, in TND and in BSND. */
@Command(
    name = "flash-attention",
    customSynopsis = "flash-attention [OPTION]...",
    mixinStandardHelpOptions = true,
    versionProvider = SampleCommand.Version.class,
    sortOptions = false,
    usageHelpAutoWidth = true,
    description = {
      "Calls CANN's flash attention on one device, forward and gradient: in TND over packed"
          + " documents of different lengths, in BSND over a batch of two. Compares the results"
          + " with an fp64 reference.",
      ""
    },
    footer = {
      "",
      "Exit codes: 0 all well, 1 a check failed, 2 wrong options, 3 no usable toolkit."
    })
public final class FlashAttention implements Callable<Integer> {
  private static final int MAX_ROWS = 1 << 16;

  @Spec private CommandSpec spec;

  @Option(
      names = "--seq-length",
      paramLabel = "N",
      defaultValue = "1024",
      description = "Rows altogether; an even number (default: ${DEFAULT-VALUE}).")
  private int seqLength;

  @Option(
      names = "--num-attention-heads",
      paramLabel = "N",
      defaultValue = "8",
      description = "Query heads (default: ${DEFAULT-VALUE}).")
  private int heads;

  @Option(
      names = "--num-query-groups",
      paramLabel = "N",
      defaultValue = "2",
      description = "Key/value heads; divides the query heads (default: ${DEFAULT-VALUE}).")
  private int kvHeads;

  @Option(
      names = "--kv-channels",
      paramLabel = "N",
      defaultValue = "128",
      description = "Elements of a head (default: ${DEFAULT-VALUE}).")
  private int headDim;

  @Option(
      names = "--dtype",
      paramLabel = "NAME",
      defaultValue = "fp32",
      description = "fp32 or bf16 (default: ${DEFAULT-VALUE}).")
  private String dtype;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Seed of the inputs (default: ${DEFAULT-VALUE}).")
  private long seed;

  /** Starts the program. */
  public static void main(String[] args) {
    System.exit(SampleCommand.run(new FlashAttention(), args));
  }

  @Override
  public Integer call() {
    SampleCommand.requireNativeAccess();
    DataType type = AttentionChoices.DTYPE.parse(dtype);
    if (seqLength < 4 || seqLength > MAX_ROWS || seqLength % 2 != 0) {
      throw new BadInputException(
          "--seq-length must be an even number from 4 to %d: %d".formatted(MAX_ROWS, seqLength));
    }
    BadInputException.check(
        () -> AttentionConfig.builder().heads(heads, kvHeads).headDim(headDim).build());
    Toolkit toolkit = Cann.toolkit();

    PrintWriter out = spec.commandLine().getOut();
    out.printf(
        Locale.ROOT,
        "%s toolkit %s: %d rows, %d heads, %d kv heads, head dimension %d, %s, causal%n",
        toolkit.backend(),
        toolkit.version(),
        seqLength,
        heads,
        kvHeads,
        headDim,
        type);
    TextTable table =
        new TextTable(
            "layout",
            "documents",
            "forward ms",
            "backward ms",
            "TFLOP/s",
            "err out",
            "err dq",
            "err dk",
            "err dv",
            "check");
    boolean passed = true;
    for (Layout layout : new Layout[] {Layout.TND, Layout.BSND}) {
      SingleDeviceAttention.Outcome outcome = run(layout, type);
      table.add(
          layout.name(),
          layout == Layout.TND ? "3 packed" : "batch of 2",
          TextTable.cell("%.2f", outcome.forwardMillis()),
          TextTable.cell("%.2f", outcome.backwardMillis()),
          TextTable.cell("%.4f", outcome.teraFlops()),
          cell(outcome.out()),
          cell(outcome.queryGradient()),
          cell(outcome.keyGradient()),
          cell(outcome.valueGradient()),
          outcome.passed() ? "PASS" : "FAIL");
      passed &= outcome.passed();
    }
    table.print(out);
    if (!passed) {
      spec.commandLine()
          .getErr()
          .println("flash-attention: check failed: results are too far from the reference");
    }
    return passed ? ExitCode.OK : ExitCode.FAILED;
  }

  private SingleDeviceAttention.Outcome run(Layout layout, DataType type) {
    long half = seqLength / 2;
    PackedSequence documents =
        layout == Layout.TND
            ? PackedSequence.ofLengths(half - 1, 1, seqLength - half)
            : PackedSequence.ofLengths(half, half);
    AttentionCase attention = new AttentionCase(documents, heads, kvHeads, headDim, type, seed);
    try (SingleDeviceAttention device = new SingleDeviceAttention(Device.open(0), attention)) {
      return device.run(layout);
    }
  }

  private static String cell(ErrorMeter meter) {
    return TextTable.cell("%.1e", meter.largest());
  }
}
