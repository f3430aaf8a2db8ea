// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import io.github.cann4j.samples.model.DecoderConfig;
import java.util.Optional;
import picocli.CommandLine.Option;

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

  /** The shape for a vocabulary. */
  DecoderConfig config(int vocabulary) {
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
