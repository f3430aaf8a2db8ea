// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.model.DecoderConfig;
import io.github.cann4j.samples.train.PretrainedModel;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;

/** The shape of the decoder: a preset, and what differs from it. */
final class ModelOptions {
  @Option(
      names = "--model",
      paramLabel = "NAME",
      defaultValue = "tiny",
      description =
          "tiny, small, 125m, 0.5b (Qwen2.5's shape), 1b (Llama 3.2's) or 7b (Llama 2's); the"
              + " vocabulary is that of the data (default: ${DEFAULT-VALUE}).")
  private String preset;

  @Option(
      names = "--num-layers",
      paramLabel = "N",
      description = "Layers, instead of the preset's.")
  private Integer layers;

  @Option(
      names = "--hidden-size",
      paramLabel = "N",
      description = "Elements of a row between layers, instead of the preset's.")
  private Integer hidden;

  @Option(
      names = "--ffn-hidden-size",
      paramLabel = "N",
      description = "Elements inside the feed-forward part, instead of the preset's.")
  private Integer feedForward;

  @Option(
      names = "--num-attention-heads",
      paramLabel = "N",
      description = "Query heads, instead of the preset's.")
  private Integer heads;

  @Option(
      names = "--num-query-groups",
      paramLabel = "N",
      description = "Key/value heads, instead of the preset's; divides the query heads.")
  private Integer kvHeads;

  @Option(
      names = "--kv-channels",
      paramLabel = "N",
      description = "Elements of a head, even, instead of the preset's.")
  private Integer headDim;

  @Option(
      names = "--rotary-base",
      paramLabel = "X",
      description = "Base of the rotary frequencies, instead of the preset's.")
  private Double rotaryBase;

  @Option(
      names = "--untie-embeddings-and-output-weights",
      negatable = true,
      description = "Whether the output head has weights of its own, instead of the preset's.")
  private Boolean untied;

  @Option(
      names = "--pretrained",
      paramLabel = "DIR",
      description =
          "Trained model to begin with, as Hugging Face's tools write it (config.json and"
              + " safetensors of a Llama, Mistral or Qwen2 model); its shape replaces all options"
              + " above (default: random weights).")
  private Path pretrained;

  private PretrainedModel model;

  /** Refuses options that contradict each other, and a model that cannot be trained. */
  void check(ParseResult given) {
    if (pretrained == null) {
      return;
    }
    CommandSpec shape = CommandSpec.forAnnotatedObject(new ModelOptions());
    for (OptionSpec option : given.matchedOptions()) {
      String name = option.names()[0];
      if (shape.findOption(name) != null && !name.equals("--pretrained")) {
        throw new BadInputException(
            "%s contradicts --pretrained %s, which has a shape of its own; leave one of them out"
                .formatted(name, pretrained));
      }
    }
    model = PretrainedModel.open(pretrained);
  }

  /** What to begin with, if not with random weights. */
  Optional<PretrainedModel> pretrained() {
    return Optional.ofNullable(model);
  }

  /** The shape for a vocabulary. */
  DecoderConfig config(int vocabulary) {
    if (model != null) {
      return model.config();
    }
    DecoderConfig base = DecoderConfig.preset(preset, vocabulary);
    DecoderConfig config =
        new DecoderConfig(
            preset,
            or(layers, base.layers()),
            or(hidden, base.hidden()),
            or(heads, base.heads()),
            or(kvHeads, base.kvHeads()),
            or(headDim, base.headDim()),
            or(feedForward, base.feedForward()),
            vocabulary,
            or(rotaryBase, base.ropeTheta()),
            base.normEpsilon(),
            untied == null ? base.tiedHead() : !untied,
            base.qkvBias());
    return config.equals(base) ? base : config.withName(preset + "*");
  }

  private static <T> T or(T given, T otherwise) {
    return Optional.ofNullable(given).orElse(otherwise);
  }
}
