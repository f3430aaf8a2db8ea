// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.Toolkit;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.attention.ContextParallelAlgorithm;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.PackedTokens;
import io.github.cann4j.plan.AttentionMask;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.samples.cli.AttentionChoices;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.ContextParallelOptions;
import io.github.cann4j.samples.cli.Devices;
import io.github.cann4j.samples.cli.ExitCode;
import io.github.cann4j.samples.cli.Numbers;
import io.github.cann4j.samples.cli.Progress;
import io.github.cann4j.samples.cli.ReportOptions;
import io.github.cann4j.samples.cli.SampleCommand;
import io.github.cann4j.samples.run.AttentionRuns;
import io.github.cann4j.samples.run.DocumentPattern;
import io.github.cann4j.samples.run.LongSequenceJob;
import io.github.cann4j.samples.run.ResultReport;
import io.github.cann4j.samples.run.RunResult;
import io.github.cann4j.samples.text.DocumentReader;
import io.github.cann4j.samples.text.InputFile;
import io.github.cann4j.samples.text.TextPacking;
import io.github.cann4j.samples.text.TextTokenizer;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Packs text into one long sequence and runs context-parallel attention over it, forward and
 * backward, on ranks that are threads of this process; checks the results and times them.
 */
@Command(
    name = "long-sequence",
    customSynopsis = "long-sequence [OPTION]...",
    mixinStandardHelpOptions = true,
    versionProvider = SampleCommand.Version.class,
    sortOptions = false,
    usageHelpAutoWidth = true,
    description = {
      "Packs documents into one long sequence and runs context-parallel attention over it, forward"
          + " and backward, on one rank per device. Compares the results with one device and with"
          + " an fp64 reference, and prints a table.",
      ""
    },
    footer = {
      "",
      "Exit codes: 0 all well, 1 a check failed, 2 wrong options or data, 3 no usable toolkit."
    })
public final class LongSequence implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--seq-length",
      paramLabel = "N",
      defaultValue = "16384",
      description = "Tokens per packed sequence (default: ${DEFAULT-VALUE}).")
  private int seqLength;

  @Option(
      names = "--context-parallel-algo",
      paramLabel = "NAME",
      split = ",",
      defaultValue = "megatron_cp_algo,ulysses_cp_algo,hybrid_cp_algo,kvallgather_cp_algo",
      description =
          "megatron_cp_algo (ring), ulysses_cp_algo (heads by all-to-all), hybrid_cp_algo (Ulysses"
              + " inside, ring outside) or kvallgather_cp_algo (all needed keys first). May be"
              + " repeated (default: all four).")
  private List<String> algorithms;

  @Mixin private ContextParallelOptions parallel;

  @Option(
      names = "--data",
      paramLabel = "PATH",
      split = ",",
      description =
          "Files or directories with documents: .jsonl files with one object per line, other files"
              + " as UTF-8 text; read from the first on and repeated as needed (default: texts that"
              + " come with the project).")
  private List<Path> data = new ArrayList<>();

  @Option(
      names = "--text-field",
      paramLabel = "NAME",
      defaultValue = "text",
      description = "Field of a JSON object with its text (default: ${DEFAULT-VALUE}).")
  private String textField;

  @Option(
      names = "--eod-id",
      paramLabel = "ID",
      description = "Token that ends a document (default: end-of-text of the vocabulary).")
  private Integer eodId;

  @Option(
      names = "--num-attention-heads",
      paramLabel = "N",
      defaultValue = "16",
      description = "Query heads (default: ${DEFAULT-VALUE}).")
  private int heads;

  @Option(
      names = "--num-query-groups",
      paramLabel = "N",
      defaultValue = "8",
      description = "Key/value heads; divides the query heads (default: ${DEFAULT-VALUE}).")
  private int kvHeads;

  @Option(
      names = "--kv-channels",
      paramLabel = "N",
      defaultValue = "64",
      description = "Elements of a head (default: ${DEFAULT-VALUE}).")
  private int headDim;

  @Option(
      names = "--layout",
      paramLabel = "NAME",
      defaultValue = "tnd",
      description = "Layout of all tensors: tnd or bsnd (default: ${DEFAULT-VALUE}).")
  private String layout;

  @Option(
      names = "--iterations",
      paramLabel = "N",
      defaultValue = "2",
      description = "Timed passes (default: ${DEFAULT-VALUE}).")
  private int iterations;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      defaultValue = "1",
      description = "Passes before the timed ones (default: ${DEFAULT-VALUE}).")
  private int warmup;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description =
          "Seed of embedding, projection and output gradient (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--verify",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Compare with one device and with fp64 (default: ${DEFAULT-VALUE}).")
  private boolean verify;

  @Mixin private ReportOptions reporting;

  /** Starts the program. */
  public static void main(String[] args) {
    System.exit(SampleCommand.run(new LongSequence(), args));
  }

  @Override
  public Integer call() throws InterruptedException {
    SampleCommand.requireNativeAccess();
    boolean json = reporting.json();
    TextTokenizer tokenizer = new TextTokenizer();
    LongSequenceJob job = prepare(tokenizer);
    Toolkit toolkit = Cann.toolkit();
    Devices.require(toolkit, job.ranks(), "--context-parallel-size");

    PrintWriter out = spec.commandLine().getOut();
    ResultReport report = new ResultReport(job, toolkit, tokenizer.name());
    if (!json) {
      report.printJob(out);
    }
    List<RunResult> results;
    long referenceRows;
    try (Progress progress = reporting.progress(job.steps(), spec.commandLine().getErr())) {
      AttentionRuns runs = new AttentionRuns(job, progress);
      results = runs.run();
      referenceRows = runs.referenceRows();
    }
    if (json) {
      report.printJson(results, referenceRows, out);
    } else {
      report.printTable(results, referenceRows, out);
    }
    List<String> complaints =
        results.stream().flatMap(result -> result.complaints().stream()).toList();
    for (String complaint : complaints) {
      spec.commandLine().getErr().println("long-sequence: check failed: " + complaint);
    }
    return complaints.isEmpty() ? ExitCode.OK : ExitCode.FAILED;
  }

  /** Checks the options, from the cheap to the dear, and reads the text last. */
  private LongSequenceJob prepare(TextTokenizer tokenizer) {
    parallel.requireDivides(seqLength);
    Numbers.requireAtLeast("--iterations", iterations, 1);
    Numbers.requireAtLeast("--warmup", warmup, 0);
    AttentionConfig config =
        BadInputException.check(
            () ->
                AttentionConfig.builder()
                    .heads(heads, kvHeads)
                    .headDim(headDim)
                    .dataType(parallel.dataType())
                    .layout(AttentionChoices.LAYOUT.parse(layout))
                    .build());
    Set<ContextParallelAlgorithm> chosen = new LinkedHashSet<>();
    for (String name : algorithms) {
      ContextParallelAlgorithm algorithm =
          BadInputException.check(() -> ContextParallelAlgorithm.fromOption(name));
      BadInputException.check(() -> config.requireSplittable(parallel.grid(algorithm)));
      chosen.add(algorithm);
    }

    DocumentReader reader =
        data.isEmpty()
            ? DocumentReader.shipped()
            : new DocumentReader(InputFile.of("--data", data), textField);
    PackedTokens packed =
        TextPacking.pack(reader, tokenizer, seqLength, eodId == null ? tokenizer.eodId() : eodId);
    PackedSequence sequence =
        parallel.resetAttentionMask() ? packed.sequence() : packed.sequence().asOneDocument();
    boolean general = parallel.generalMask();
    PackedSequence planned = general ? sequence.asOneDocument() : sequence;
    AttentionMask mask = general ? DocumentPattern.mask(sequence) : AttentionMask.causal();
    List<LongSequenceJob.Algorithm> runs = new ArrayList<>();
    for (ContextParallelAlgorithm algorithm : chosen) {
      ContextParallelPlan plan =
          BadInputException.check(
              () ->
                  ContextParallelPlan.builder(planned, parallel.grid(algorithm))
                      .mask(mask)
                      .sharding(parallel.sharding())
                      .pattern(parallel.pattern(algorithm))
                      .build());
      runs.add(new LongSequenceJob.Algorithm(algorithm.option(), plan));
    }
    return new LongSequenceJob(
        packed,
        sequence,
        parallel.resetPositionIds(),
        config,
        ContextParallelPlan.builder(sequence, new CpGrid(1, 1)).build(),
        runs,
        warmup,
        iterations,
        seed,
        verify);
  }
}
