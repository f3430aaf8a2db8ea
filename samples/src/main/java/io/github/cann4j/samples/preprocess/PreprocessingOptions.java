// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.preprocess;

import io.github.cann4j.packing.OverlongDocuments;
import io.github.cann4j.packing.PackingStrategy;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.Choice;
import io.github.cann4j.samples.text.InputFile;
import io.github.cann4j.samples.text.Tokenizers;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import picocli.CommandLine.Option;

/** The options that say how data is made ready for training. */
public final class PreprocessingOptions {
  private static final Choice<PackingStrategy> STRATEGY =
      new Choice<>(
          "--pack-strategy",
          "in-order",
          PackingStrategy.IN_ORDER,
          "first-fit-decreasing",
          PackingStrategy.FIRST_FIT_DECREASING);
  private static final Choice<OverlongDocuments> OVERLONG =
      new Choice<>("--overlong", "cut", OverlongDocuments.TRUNCATE, "drop", OverlongDocuments.DROP)
          .or("split", OverlongDocuments.SPLIT)
          .or("refuse", OverlongDocuments.REFUSE);

  @Option(
      names = "--is-instruction-dataset",
      description =
          "The data are instructions (Alpaca or ShareGPT form, JSON or JSONL), rendered with"
              + " --prompt-type; else documents. The data that come with the project are.")
  private boolean instructionDataset;

  @Option(
      names = "--prompt-type",
      paramLabel = "NAME",
      description = "Chat template of instructions (default: default).")
  private String promptType;

  @Option(
      names = "--prompt-type-path",
      paramLabel = "FILE",
      description = "JSON file with chat templates (default: those that come with the project).")
  private Path promptTypePath;

  @Option(
      names = "--tokenizer-name-or-path",
      paramLabel = "NAME",
      defaultValue = Tokenizers.SHIPPED,
      description =
          "cann4j (a vocabulary of 4096 tokens that comes with the project), cl100k_base,"
              + " o200k_base, p50k_base or r50k_base, a tokenizer.json, or a directory with one"
              + " (default: ${DEFAULT-VALUE}).")
  private String tokenizer;

  @Option(
      names = "--eod-token",
      paramLabel = "TEXT",
      description =
          "Special token that ends a document or a sample (default: the tokenizer's eos_token).")
  private String eodToken;

  @Option(
      names = "--pack-strategy",
      paramLabel = "NAME",
      defaultValue = "in-order",
      description =
          "How samples are placed into sequences: in-order, or first-fit-decreasing, which leaves"
              + " less padding (default: ${DEFAULT-VALUE}).")
  private String strategy;

  @Option(
      names = "--overlong",
      paramLabel = "NAME",
      description =
          "Samples longer than a sequence: cut, drop, split (documents only) or refuse (default:"
              + " cut for instructions, split for documents).")
  private String overlong;

  @Option(
      names = "--text-field",
      paramLabel = "NAME",
      description = "Field of a JSON object with its document (default: text).")
  private String textField;

  @Option(
      names = "--shuffle-seed",
      paramLabel = "N",
      description = "Shuffle the samples before they are placed (default: keep their order).")
  private Long shuffleSeed;

  /**
   * The work that the options ask for.
   *
   * @param inputs files and directories; none for the instruction data that come with the project
   * @param seqLength rows of a sequence
   * @throws BadInputException if options contradict each other or inputs are missing
   */
  public PreprocessingJob job(List<Path> inputs, int seqLength) {
    boolean instructions = instructionDataset || inputs.isEmpty();
    if (!instructions && promptType != null) {
      throw contradiction("--prompt-type " + promptType);
    }
    if (!instructions && promptTypePath != null) {
      throw contradiction("--prompt-type-path " + promptTypePath);
    }
    if (instructions && textField != null) {
      throw new BadInputException(
          "--text-field %s is for documents, not for an instruction dataset, whose fields are known"
              .formatted(textField));
    }
    OverlongDocuments longOnes =
        OVERLONG.parse(overlong != null ? overlong : instructions ? "cut" : "split");
    if (instructions && longOnes == OverlongDocuments.SPLIT) {
      throw new BadInputException(
          "--overlong split is for documents: the rest of an instruction sample has lost its"
              + " prompt; choose cut or drop");
    }
    return new PreprocessingJob(
        inputs.isEmpty()
            ? List.of(
                InputFile.shipped("instructions.jsonl"), InputFile.shipped("conversations.jsonl"))
            : InputFile.of("--input", inputs),
        instructions
            ? Optional.of(
                new PreprocessingJob.Instructions(
                    promptType == null ? "default" : promptType,
                    Optional.ofNullable(promptTypePath)))
            : Optional.empty(),
        textField == null ? "text" : textField,
        tokenizer,
        Optional.ofNullable(eodToken),
        seqLength,
        STRATEGY.parse(strategy),
        longOnes,
        shuffleSeed == null ? OptionalLong.empty() : OptionalLong.of(shuffleSeed));
  }

  private static BadInputException contradiction(String option) {
    return new BadInputException(
        option + " is for instructions: add --is-instruction-dataset, or leave it out");
  }
}
