// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.ExitCode;
import io.github.cann4j.samples.cli.Numbers;
import io.github.cann4j.samples.cli.Progress;
import io.github.cann4j.samples.cli.ReportOptions;
import io.github.cann4j.samples.cli.SampleCommand;
import io.github.cann4j.samples.preprocess.Preprocessing;
import io.github.cann4j.samples.preprocess.PreprocessingJob;
import io.github.cann4j.samples.preprocess.PreprocessingOptions;
import io.github.cann4j.samples.preprocess.PreprocessingReport;
import io.github.cann4j.samples.preprocess.PreprocessingResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Packs instruction data or documents into a file that training reads as it is. */
@Command(
    name = "preprocess-data",
    customSynopsis = "preprocess-data --output=FILE [OPTION]...",
    mixinStandardHelpOptions = true,
    versionProvider = SampleCommand.Version.class,
    sortOptions = false,
    usageHelpAutoWidth = true,
    description = {
      "Renders instruction data with a chat template, or reads documents, and packs whole samples"
          + " into sequences of one length: a file that training maps to memory and reads as it"
          + " is.",
      ""
    },
    footer = {"", "Exit codes: 0 all well, 1 the program failed, 2 wrong options or data."})
public final class PreprocessData implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--input",
      paramLabel = "PATH",
      split = ",",
      description =
          "Files or directories: JSON or JSONL with --is-instruction-dataset, else documents:"
              + " .jsonl files with one object per line, other files as UTF-8 text (default:"
              + " instruction data that come with the project).")
  private List<Path> inputs = new ArrayList<>();

  @Option(names = "--output", paramLabel = "FILE", description = "The file to write.")
  private Path output;

  @Option(
      names = "--output-prefix",
      paramLabel = "PREFIX",
      description = "Or its name without the ending, which is .packed.")
  private String outputPrefix;

  @Option(
      names = "--seq-length",
      paramLabel = "N",
      defaultValue = "4096",
      description = "Tokens per packed sequence (default: ${DEFAULT-VALUE}).")
  private int seqLength;

  @Mixin private PreprocessingOptions options;

  @Mixin private ReportOptions reporting;

  /** Starts the program. */
  public static void main(String[] args) {
    System.exit(SampleCommand.run(new PreprocessData(), args));
  }

  @Override
  public Integer call() {
    boolean json = reporting.json();
    Numbers.requireAtLeast("--seq-length", seqLength, 1);
    Path target = target();
    PreprocessingJob job = options.job(inputs, seqLength);
    PreprocessingResult result;
    try (Progress progress = reporting.progress(Preprocessing.STEPS, spec.commandLine().getErr())) {
      result = Preprocessing.run(job, target, progress);
    }
    PreprocessingReport report = new PreprocessingReport(job, result);
    if (json) {
      report.printJson(spec.commandLine().getOut());
    } else {
      report.printTable(spec.commandLine().getOut());
    }
    return ExitCode.OK;
  }

  private Path target() {
    if ((output == null) == (outputPrefix == null)) {
      throw new BadInputException(
          output == null
              ? "--output=FILE or --output-prefix=PREFIX must say what file to write"
              : "--output %s and --output-prefix %s name two files; give one of them"
                  .formatted(output, outputPrefix));
    }
    Path target = output != null ? output : Path.of(outputPrefix + ".packed");
    String option = output != null ? "--output " : "--output-prefix ";
    Path directory = target.toAbsolutePath().getParent();
    if (Files.isDirectory(target) || directory == null || !Files.isDirectory(directory)) {
      throw new BadInputException(
          option
              + target
              + (Files.isDirectory(target)
                  ? " is a directory; name a file"
                  : ": there is no directory " + directory));
    }
    if (inputs.stream().anyMatch(input -> isSame(input, target))) {
      throw new BadInputException(option + target + " is an input, which it would replace");
    }
    return target;
  }

  private static boolean isSame(Path input, Path target) {
    return input.toAbsolutePath().normalize().equals(target.toAbsolutePath().normalize());
  }
}
