// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.model.DecoderConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A trained model in a directory as Hugging Face's tools write it: {@code config.json}, and the
 * weights in {@code model.safetensors} or in the files that {@code model.safetensors.index.json}
 * names. Architectures are those that {@link io.github.cann4j.samples.model.Decoder} computes.
 */
public final class PretrainedModel {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String WEIGHTS = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";
  private static final List<String> TYPES = List.of("llama", "mistral", "qwen2");

  private final Path directory;
  private final DecoderConfig config;

  private PretrainedModel(Path directory, DecoderConfig config) {
    this.directory = directory;
    this.config = config;
  }

  /**
   * Reads the shape of a model.
   *
   * @throws BadInputException if there is none, or its architecture is another
   */
  public static PretrainedModel open(Path directory) {
    Path file = directory.resolve("config.json");
    JsonNode shape;
    try {
      if (!Files.isRegularFile(file)) {
        throw new BadInputException(directory + " holds no model: it has no config.json");
      }
      shape = JSON.readTree(file.toFile());
    } catch (IOException e) {
      throw new BadInputException(file + " cannot be read: " + e.getMessage(), e);
    }
    String type = shape.path("model_type").asText("missing");
    require(file, TYPES.contains(type), "model_type", type, String.join(", ", TYPES));
    String activation = shape.path("hidden_act").asText("silu");
    require(file, activation.equals("silu"), "hidden_act", activation, "silu");
    requireUnset(file, shape, "rope_scaling");
    requireUnset(file, shape, "attention_bias");
    requireUnset(file, shape, "mlp_bias");
    boolean qwen = type.equals("qwen2");
    if (!qwen || shape.path("use_sliding_window").asBoolean()) {
      requireUnset(file, shape, "sliding_window");
    }
    int hidden = number(file, shape, "hidden_size");
    int heads = number(file, shape, "num_attention_heads");
    return new PretrainedModel(
        directory,
        new DecoderConfig(
            shape.path("_name_or_path").asText(type),
            number(file, shape, "num_hidden_layers"),
            hidden,
            heads,
            shape.path("num_key_value_heads").asInt(heads),
            shape.path("head_dim").asInt(hidden / heads),
            number(file, shape, "intermediate_size"),
            number(file, shape, "vocab_size"),
            shape.path("rope_theta").asDouble(1e4),
            shape.path("rms_norm_eps").asDouble(1e-6),
            shape.path("tie_word_embeddings").asBoolean(),
            qwen));
  }

  private static int number(Path file, JsonNode shape, String name) {
    JsonNode value = shape.path(name);
    require(file, value.isInt() && value.asInt() > 0, name, value.asText("missing"), "at least 1");
    return value.asInt();
  }

  private static void requireUnset(Path file, JsonNode shape, String name) {
    JsonNode value = shape.path(name);
    boolean unset =
        value.isMissingNode() || value.isNull() || value.isBoolean() && !value.asBoolean();
    require(file, unset, name, value.toString(), "null or false");
  }

  private static void require(
      Path file, boolean right, String name, String found, String expected) {
    if (!right) {
      throw new BadInputException(
          "%s has %s %s, which the decoder does not compute; it must be %s"
              .formatted(file, name, found, expected));
    }
  }

  /** The shape, with the vocabulary that the model was trained with. */
  public DecoderConfig config() {
    return config;
  }

  /** Fills weights by their names. */
  void read(Map<String, NDArray> weights) {
    Map<Path, Map<String, NDArray>> files = new LinkedHashMap<>();
    try {
      Path index = directory.resolve(INDEX);
      if (Files.exists(index)) {
        JsonNode names = JSON.readTree(index.toFile()).path("weight_map");
        weights.forEach(
            (name, weight) -> {
              if (!names.has(name)) {
                throw new BadInputException("%s has no %s".formatted(index, name));
              }
              files
                  .computeIfAbsent(
                      directory.resolve(names.path(name).asText()), key -> new LinkedHashMap<>())
                  .put(name, weight);
            });
      } else {
        files.put(directory.resolve(WEIGHTS), weights);
      }
      for (Map.Entry<Path, Map<String, NDArray>> file : files.entrySet()) {
        Safetensors.read(file.getKey(), file.getValue());
      }
    } catch (IOException e) {
      throw new BadInputException(
          "the weights in %s cannot be read: %s".formatted(directory, e), e);
    }
  }
}
