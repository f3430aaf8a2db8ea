// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.packing.PackingStatistics;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.Numbers;
import io.github.cann4j.samples.cli.Progress;
import io.github.cann4j.samples.preprocess.Preprocessing;
import io.github.cann4j.samples.preprocess.PreprocessingJob;
import io.github.cann4j.samples.preprocess.PreprocessingOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;

/** Where the packed sequences come from: a file, or data that is prepared first. */
public final class DataOptions {
  private static final Logger LOG = LoggerFactory.getLogger(DataOptions.class);
  private static final int DEFAULT_LENGTH = 4096;

  @Option(
      names = "--data-path",
      paramLabel = "FILE",
      description =
          "Packed sequences that preprocess-data wrote (default: --input is prepared first).")
  private Path dataPath;

  @Option(
      names = "--seq-length",
      paramLabel = "N",
      description =
          "Tokens per packed sequence (default: that of --data-path, else " + DEFAULT_LENGTH + ").")
  private Integer seqLength;

  @Option(
      names = "--input",
      paramLabel = "PATH",
      split = ",",
      description =
          "Files or directories with instructions or documents (default: instructions that come"
              + " with the project).")
  private List<Path> inputs = new ArrayList<>();

  @Mixin private PreprocessingOptions preprocessing;

  // What the launching process has prepared for its ranks.
  @Option(names = "--prepared-data", paramLabel = "FILE", hidden = true)
  private Path prepared;

  private ParseResult given;

  /** Refuses options that contradict each other. */
  void check(ParseResult all) {
    given = all;
    if (seqLength != null) {
      Numbers.requireAtLeast("--seq-length", seqLength, 1);
    }
    if (dataPath == null) {
      job();
      return;
    }
    CommandSpec preparing = CommandSpec.forAnnotatedObject(new PreprocessingOptions());
    for (OptionSpec option : given.matchedOptions()) {
      String name = option.names()[0];
      if ((name.equals("--input") || preparing.findOption(name) != null) && !describes(name)) {
        throw new BadInputException(
            "%s is for data that is prepared first, but --data-path %s is ready; leave one of them out"
                .formatted(name, dataPath));
      }
    }
  }

  /** Whether an option may say again what a packed file says itself. */
  private static boolean describes(String option) {
    return option.equals("--is-instruction-dataset") || option.equals("--prompt-type");
  }

  private PreprocessingJob job() {
    return preprocessing.job(inputs, seqLength == null ? DEFAULT_LENGTH : seqLength);
  }

  /** Opens the packed sequences; prepares them first if they are not there yet. */
  public PackedDataset open() {
    Path file = prepared != null ? prepared : dataPath != null ? dataPath : prepare();
    PackedDataset data =
        BadInputException.check(
            () -> {
              try {
                return PackedDataset.open(file);
              } catch (UncheckedIOException e) {
                throw new BadInputException("--data-path " + file + ": " + e.getMessage(), e);
              }
            });
    if (dataPath != null) {
      requireAsDescribed(data);
    }
    return data;
  }

  private void requireAsDescribed(PackedDataset data) {
    Map<String, String> properties = data.properties();
    if (seqLength != null && seqLength != data.sequenceLength()) {
      throw mismatch("--seq-length " + seqLength, "sequences of " + data.sequenceLength());
    }
    if (given.hasMatchedOption("--is-instruction-dataset")
        && !"instructions".equals(properties.get("dataset"))) {
      throw mismatch("--is-instruction-dataset", String.valueOf(properties.get("dataset")));
    }
    if (given.hasMatchedOption("--prompt-type")) {
      String type = given.matchedOptionValue("--prompt-type", "");
      if (!type.equals(properties.get("prompt-type"))) {
        throw mismatch("--prompt-type " + type, "prompt type " + properties.get("prompt-type"));
      }
    }
  }

  private BadInputException mismatch(String option, String holds) {
    return new BadInputException(
        "%s, but --data-path %s holds %s; correct one, or leave the option out"
            .formatted(option, dataPath, holds));
  }

  private Path prepare() {
    try {
      Path directory = Files.createTempDirectory("cann4j-finetune");
      Path file = directory.resolve("data.packed");
      // In reverse order.
      directory.toFile().deleteOnExit();
      file.toFile().deleteOnExit();
      PackingStatistics packed = Preprocessing.run(job(), file, Progress.silent()).statistics();
      LOG.info(
          "packed {} samples into {} sequences, padding {} of {} rows",
          packed.documents(),
          packed.sequences(),
          packed.paddingRows(),
          packed.paddingRows() + packed.tokens());
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
