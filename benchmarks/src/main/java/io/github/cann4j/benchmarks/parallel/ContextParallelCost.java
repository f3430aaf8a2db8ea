// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.parallel;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.attention.ContextParallelAlgorithm;
import io.github.cann4j.benchmarks.sharding.Lengths;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.samples.cli.AttentionChoices;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.Choice;
import io.github.cann4j.samples.cli.Devices;
import io.github.cann4j.samples.cli.ExitCode;
import io.github.cann4j.samples.cli.SampleCommand;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * What context parallelism costs: the same attention on one rank and on several, on the same cores.
 */
@Command(
    name = "context-parallel",
    customSynopsis = "context-parallel [OPTION]...",
    mixinStandardHelpOptions = true,
    versionProvider = SampleCommand.Version.class,
    sortOptions = false,
    usageHelpAutoWidth = true,
    description = {
      "Measures context-parallel attention, forward and backward, beside the same attention on one"
          + " device. All ranks are threads of this process and share its cores, so that several"
          + " ranks take as long as one plus what their exchange and merging cost.",
      ""
    },
    footer = {"", "Exit codes: 0 all well, 1 a rank failed, 2 wrong options, 3 no usable toolkit."})
public final class ContextParallelCost implements Callable<Integer> {
  private static final Choice<Boolean> PACKED =
      new Choice<>("--documents", "long-tailed", true, "one", false);
  private static final Choice<Boolean> FORMAT =
      new Choice<>("--format", "table", false, "json", true);

  @Spec private CommandSpec spec;

  @Option(
      names = "--seq-length",
      paramLabel = "N",
      defaultValue = "65536",
      description = "Tokens of the sequence (default: ${DEFAULT-VALUE}).")
  private int seqLength;

  @Option(
      names = "--documents",
      paramLabel = "NAME",
      defaultValue = "long-tailed",
      description =
          "long-tailed (log-normal lengths, mu 6.5, sigma 1.3) or one (default: ${DEFAULT-VALUE}).")
  private String documents;

  @Option(
      names = "--context-parallel-size",
      paramLabel = "N",
      split = ",",
      defaultValue = "2,4,8",
      description = "Ranks beside one; repeatable (default: ${DEFAULT-VALUE}).")
  private List<Integer> sizes;

  @Option(
      names = "--context-parallel-algo",
      paramLabel = "NAME",
      split = ",",
      defaultValue = "megatron_cp_algo",
      description = "Algorithms; repeatable (default: ${DEFAULT-VALUE}).")
  private List<String> algorithms;

  @Option(
      names = "--ulysses-degree-in-cp",
      paramLabel = "N",
      defaultValue = "2",
      description = "Ranks of a Ulysses group in hybrid_cp_algo (default: ${DEFAULT-VALUE}).")
  private int ulyssesDegree;

  @Option(
      names = "--num-attention-heads",
      paramLabel = "N",
      defaultValue = "2",
      description = "Query heads (default: ${DEFAULT-VALUE}).")
  private int heads;

  @Option(
      names = "--num-query-groups",
      paramLabel = "N",
      description = "Key/value heads; divides the query heads (default: as many).")
  private Integer kvHeads;

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
      names = "--exchange-pattern",
      paramLabel = "NAME",
      defaultValue = "direct",
      description = "direct or ring (default: ${DEFAULT-VALUE}).")
  private String exchangePattern;

  @Option(
      names = "--sharding",
      paramLabel = "NAME",
      defaultValue = "zigzag",
      description =
          "zigzag, contiguous, balanced or zigzag-per-document (default: ${DEFAULT-VALUE}).")
  private String sharding;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "3",
      description =
          "Rounds in which every case runs once, after one to warm up (default: ${DEFAULT-VALUE}).")
  private int rounds;

  @Option(
      names = "--format",
      paramLabel = "NAME",
      defaultValue = "table",
      description = "table, or json: figures, one per line (default: ${DEFAULT-VALUE}).")
  private String format;

  /** Starts the program. */
  public static void main(String[] args) {
    System.exit(SampleCommand.run(new ContextParallelCost(), args));
  }

  @Override
  public Integer call() throws InterruptedException {
    SampleCommand.requireNativeAccess();
    boolean json = FORMAT.parse(format);
    CostJob job = job();
    Devices.require(Cann.toolkit(), job.mostRanks(), "--context-parallel-size");
    PrintWriter out = spec.commandLine().getOut();
    CostReport report = new CostReport(job, new CostRuns(job).run());
    if (json) {
      report.figures().forEach(figure -> out.println(figure.toJson()));
    } else {
      report.print(out);
    }
    return ExitCode.OK;
  }

  private CostJob job() {
    if (rounds < 1) {
      throw new BadInputException("--rounds must be at least 1, not " + rounds);
    }
    AttentionConfig config =
        BadInputException.check(
            () ->
                AttentionConfig.builder()
                    .heads(heads, kvHeads == null ? heads : kvHeads)
                    .headDim(headDim)
                    .dataType(AttentionChoices.DTYPE.parse(dtype))
                    .build());
    PackedSequence sequence =
        BadInputException.check(
            () ->
                (PACKED.parse(documents) ? Lengths.LOG_NORMAL : Lengths.SINGLE).draw(seqLength, 1));
    List<CostCase> cases = new ArrayList<>();
    ExchangePattern pattern = AttentionChoices.EXCHANGE_PATTERN.parse(exchangePattern);
    cases.add(new CostCase("one device", plan(sequence, CpGrid.ring(1), pattern)));
    for (int size : sizes) {
      for (String name : algorithms) {
        ContextParallelAlgorithm algorithm =
            BadInputException.check(() -> ContextParallelAlgorithm.fromOption(name));
        CpGrid grid = BadInputException.check(() -> algorithm.grid(size, ulyssesDegree));
        BadInputException.check(() -> config.requireSplittable(grid));
        ExchangePattern own = algorithm.pattern();
        cases.add(
            new CostCase(
                name, plan(sequence, grid, own == ExchangePattern.DIRECT ? pattern : own)));
      }
    }
    return new CostJob(config, sequence, cases, rounds);
  }

  private ContextParallelPlan plan(PackedSequence sequence, CpGrid grid, ExchangePattern pattern) {
    return BadInputException.check(
        () ->
            ContextParallelPlan.builder(sequence, grid)
                .sharding(AttentionChoices.SHARDING.parse(sharding))
                .pattern(pattern)
                .build());
  }
}
