// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.Numbers;
import io.github.cann4j.samples.cli.ReportOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Checkpoints and what a run shows. */
public final class OutputOptions {
  @Option(
      names = "--save",
      paramLabel = "DIR",
      description = "Directory for checkpoints (default: none are written).")
  Path save;

  @Option(
      names = "--save-interval",
      paramLabel = "N",
      description = "Steps between checkpoints; the last step always has one (default: only it).")
  Integer saveInterval;

  @Option(
      names = "--load",
      paramLabel = "DIR",
      description =
          "Directory of checkpoints whose latest one the run goes on from (default: new weights).")
  Path load;

  @Option(
      names = "--metrics",
      paramLabel = "FILE",
      description = "File for the metrics of each step, as JSON lines.")
  Path metrics;

  @Option(
      names = "--loss-curve",
      paramLabel = "FILE",
      description = "File for a picture of the loss, as PNG.")
  Path lossCurve;

  @Option(
      names = "--dry-run",
      description = "Print plan, memory and expected throughput, and do not train.")
  boolean dryRun;

  @Mixin ReportOptions reporting;

  /** Refuses options that contradict each other and places that cannot be written or read. */
  void check() {
    reporting.json();
    if (saveInterval != null) {
      Numbers.requireAtLeast("--save-interval", saveInterval, 1);
      if (save == null) {
        throw new BadInputException(
            "--save-interval " + saveInterval + " without --save DIR writes no checkpoint");
      }
    }
    if (dryRun && (save != null || load != null || metrics != null || lossCurve != null)) {
      throw new BadInputException(
          "--dry-run does not train; leave out --save, --load, --metrics and --loss-curve");
    }
    if (save != null && Files.exists(save) && !Files.isDirectory(save)) {
      throw new BadInputException("--save " + save + " is not a directory");
    }
    if (load != null && !Files.isDirectory(load)) {
      throw new BadInputException("--load " + load + " is not a directory of checkpoints");
    }
    requireWritable("--metrics", metrics);
    requireWritable("--loss-curve", lossCurve);
    if (lossCurve != null && !lossCurve.toString().endsWith(".png")) {
      throw new BadInputException("--loss-curve " + lossCurve + " does not end in .png");
    }
  }

  /** Whether to tell what a run would do, only. */
  public boolean dryRun() {
    return dryRun;
  }

  /** Whether the result is JSON instead of a table. */
  public boolean json() {
    return reporting.json();
  }

  /** Whether a checkpoint is due after a step. */
  boolean isCheckpoint(long iteration, long last) {
    return save != null
        && (iteration == last || (saveInterval != null && iteration % saveInterval == 0));
  }

  private static void requireWritable(String option, Path file) {
    if (file == null) {
      return;
    }
    Path directory = file.toAbsolutePath().getParent();
    if (Files.isDirectory(file) || directory == null || !Files.isWritable(directory)) {
      throw new BadInputException("%s %s cannot be written".formatted(option, file));
    }
  }
}
