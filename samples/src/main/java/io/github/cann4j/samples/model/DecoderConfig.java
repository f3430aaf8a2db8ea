// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.model;

import io.github.cann4j.samples.cli.BadInputException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The shape of a Llama-style decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU.
 *
 * @param name what users call it
 * @param layers decoder layers
 * @param hidden elements of a row between layers
 * @param heads query heads
 * @param kvHeads key and value heads; divides {@code heads}
 * @param headDim elements of a head, even
 * @param feedForward elements inside the feed-forward part
 * @param vocabulary number of token ids
 * @param ropeTheta base of the rotary frequencies
 * @param normEpsilon added to the mean square in RMSNorm
 * @param tiedHead whether the output head is the embedding
 * @param qkvBias whether the projections to q, k and v have a bias
 */
public record DecoderConfig(
    String name,
    int layers,
    int hidden,
    int heads,
    int kvHeads,
    int headDim,
    int feedForward,
    int vocabulary,
    double ropeTheta,
    double normEpsilon,
    boolean tiedHead,
    boolean qkvBias) {
  private static final Map<String, DecoderConfig> PRESETS = presetsByName();

  /** Checks the values; see the parameters. */
  public DecoderConfig {
    if (layers < 1 || hidden < 1 || feedForward < 1) {
      throw new BadInputException(
          "model %s: layers %d, hidden %d and feed-forward %d must be at least 1"
              .formatted(name, layers, hidden, feedForward));
    }
    if (heads < 1 || kvHeads < 1 || heads % kvHeads != 0) {
      throw new BadInputException(
          "model %s: heads %d must be a multiple of kv heads %d".formatted(name, heads, kvHeads));
    }
    if (headDim < 2 || headDim % 2 != 0) {
      throw new BadInputException(
          "model %s: the head dimension must be even, for rotary positions, not %d"
              .formatted(name, headDim));
    }
    if (vocabulary < 1) {
      throw new BadInputException(
          "model %s: the vocabulary must have at least 1 token, not %d"
              .formatted(name, vocabulary));
    }
  }

  private static Map<String, DecoderConfig> presetsByName() {
    Map<String, DecoderConfig> presets = new LinkedHashMap<>();
    for (DecoderConfig preset :
        List.of(
            new DecoderConfig("tiny", 2, 128, 4, 2, 32, 352, 1, 1e4, 1e-5, true, false),
            new DecoderConfig("small", 6, 384, 6, 2, 64, 1024, 1, 1e4, 1e-5, true, false),
            new DecoderConfig("125m", 12, 768, 12, 12, 64, 2048, 1, 1e4, 1e-5, true, false),
            // Qwen2.5-0.5B
            new DecoderConfig("0.5b", 24, 896, 14, 2, 64, 4864, 1, 1e6, 1e-6, true, true),
            // Llama-3.2-1B
            new DecoderConfig("1b", 16, 2048, 32, 8, 64, 8192, 1, 5e5, 1e-5, true, false),
            // Llama-2-7B
            new DecoderConfig("7b", 32, 4096, 32, 32, 128, 11008, 1, 1e4, 1e-5, false, false))) {
      presets.put(preset.name, preset);
    }
    return presets;
  }

  /** {@return the names of the presets, from the smallest} */
  public static List<String> presets() {
    return List.copyOf(PRESETS.keySet());
  }

  /**
   * A preset.
   *
   * @param name one of {@link #presets()}
   * @param vocabulary number of token ids, from the tokenizer
   * @return its shape
   * @throws BadInputException if there is no such preset
   */
  public static DecoderConfig preset(String name, int vocabulary) {
    DecoderConfig preset = PRESETS.get(name);
    if (preset == null) {
      throw new BadInputException(
          "model '%s' is unknown; it must be one of %s"
              .formatted(name, String.join(", ", presets())));
    }
    return preset.withVocabulary(vocabulary);
  }

  /** The same shape for another number of token ids. */
  public DecoderConfig withVocabulary(int value) {
    return with(name, layers, value);
  }

  /** The same shape under another name. */
  public DecoderConfig withName(String value) {
    return with(value, layers, vocabulary);
  }

  /** The same shape with another number of layers. */
  public DecoderConfig withLayers(int value) {
    return with(name, value, vocabulary);
  }

  private DecoderConfig with(String newName, int newLayers, int newVocabulary) {
    return new DecoderConfig(
        newName,
        newLayers,
        hidden,
        heads,
        kvHeads,
        headDim,
        feedForward,
        newVocabulary,
        ropeTheta,
        normEpsilon,
        tiedHead,
        qkvBias);
  }

  /** {@return elements of all weights together} */
  public long parameters() {
    long perLayer = matricesPerLayer() + 2L * hidden + (qkvBias ? qkvColumns() : 0);
    long embedding = (long) vocabulary * hidden;
    return layers * perLayer + hidden + embedding * (tiedHead ? 1 : 2);
  }

  private long qkvColumns() {
    return (heads + 2L * kvHeads) * headDim;
  }

  private long matricesPerLayer() {
    return hidden * (qkvColumns() + (long) heads * headDim + 3L * feedForward);
  }

  /**
   * Floating-point operations of one training step outside attention: one forward and two backward
   * products per matrix.
   *
   * @param rows rows that go through the layers
   * @param headRows rows whose next token is predicted
   * @return operations
   */
  public double linearFlops(long rows, long headRows) {
    return 6.0
        * ((double) rows * layers * matricesPerLayer() + (double) headRows * hidden * vocabulary);
  }

  /**
   * Floating-point operations of one training step inside attention: two products per pair forward,
   * five backward.
   *
   * @param pairs (query, key) pairs per head that the plan allows
   * @return operations
   */
  public double attentionFlops(long pairs) {
    return 14.0 * headDim * heads * layers * pairs;
  }
}
