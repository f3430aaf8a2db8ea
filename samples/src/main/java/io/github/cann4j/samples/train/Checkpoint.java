// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.model.DecoderConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * Saved states of a training: a directory per iteration, which appears complete or not at all, and
 * a file that names the last one.
 */
final class Checkpoint {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String LATEST = "latest_checkpointed_iteration.txt";
  private static final String WEIGHTS = "model.safetensors";
  private static final String OPTIMIZER = "optimizer.safetensors";
  private static final String SHAPE = "config.json";
  private static final String STATE = "state.json";
  private static final String TEMPORARY = ".saving-";

  private final Path root;
  private final TrainingConfig config;
  private final String data;
  private final SequencedMap<String, NDArray> weights;
  private final SequencedMap<String, NDArray> optimizer;

  /**
   * How far a training got.
   *
   * @param iteration steps done
   * @param consumedSequences packed sequences trained on, counted over all epochs
   * @param changes options that are not as they were
   */
  record Position(int iteration, long consumedSequences, List<String> changes) {}

  Checkpoint(
      Path root,
      TrainingConfig config,
      String data,
      SequencedMap<String, NDArray> weights,
      SequencedMap<String, NDArray> optimizer) {
    this.root = root;
    this.config = config;
    this.data = data;
    this.weights = weights;
    this.optimizer = optimizer;
  }

  Path directory(int iteration) {
    return root.resolve("iter_%07d".formatted(iteration));
  }

  void write(int iteration, long consumedSequences) {
    Path target = directory(iteration);
    Path temporary = root.resolve(TEMPORARY + "new");
    Path replaced = root.resolve(TEMPORARY + "old");
    try {
      Files.createDirectories(root);
      // A process that was killed has left them.
      delete(temporary);
      delete(replaced);
      Files.createDirectory(temporary);
      try {
        writeFiles(temporary, iteration, consumedSequences);
        if (Files.exists(target)) {
          Files.move(target, replaced, StandardCopyOption.ATOMIC_MOVE);
        }
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        delete(temporary);
      }
      Path latest = root.resolve(TEMPORARY + LATEST);
      Files.writeString(latest, iteration + "\n");
      force(latest);
      Files.move(latest, root.resolve(LATEST), StandardCopyOption.ATOMIC_MOVE);
      force(root);
      delete(replaced);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write the checkpoint " + target + ": " + e, e);
    }
  }

  private void writeFiles(Path directory, int iteration, long consumedSequences)
      throws IOException {
    Safetensors.write(directory.resolve(WEIGHTS), weights);
    Safetensors.write(directory.resolve(OPTIMIZER), optimizer);
    ObjectNode state = JSON.createObjectNode();
    state.put("iteration", iteration);
    state.put("consumed_sequences", consumedSequences);
    state.put("seed", config.seed());
    state.put("data", data);
    state.set("model", JSON.valueToTree(config.model()));
    state.set("training", training());
    for (String file : List.of(WEIGHTS, OPTIMIZER)) {
      state.withObject("/crc32c").put(file, checksum(directory.resolve(file)));
    }
    ObjectWriter pretty = JSON.writerWithDefaultPrettyPrinter();
    pretty.writeValue(directory.resolve(SHAPE).toFile(), huggingFace());
    pretty.writeValue(directory.resolve(STATE).toFile(), state);
    force(directory.resolve(SHAPE));
    force(directory.resolve(STATE));
    force(directory);
  }

  private static void force(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path)) {
      channel.force(true);
    }
  }

  /** What changes the losses of further steps, but may be changed between them. */
  private ObjectNode training() {
    ObjectNode training = JSON.createObjectNode();
    training.put("globalBatchSize", config.globalBatchSize());
    for (Object part : List.of(config.documents(), config.optimizer(), config.learningRate())) {
      training.setAll((ObjectNode) JSON.valueToTree(part));
    }
    if (config.learningRate().style() == LearningRateSchedule.Style.CONSTANT) {
      training.remove(List.of("minimum", "decaySteps"));
    }
    return training;
  }

  private static void delete(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(directory);
  }

  /** The shape as Hugging Face's tools read it beside the weights. */
  private ObjectNode huggingFace() {
    DecoderConfig model = config.model();
    ObjectNode shape = JSON.createObjectNode();
    String type = model.qkvBias() ? "Qwen2" : "Llama";
    shape.putArray("architectures").add(type + "ForCausalLM");
    return shape
        .put("model_type", type.toLowerCase(Locale.ROOT))
        .put("num_hidden_layers", model.layers())
        .put("hidden_size", model.hidden())
        .put("num_attention_heads", model.heads())
        .put("num_key_value_heads", model.kvHeads())
        .put("head_dim", model.headDim())
        .put("intermediate_size", model.feedForward())
        .put("vocab_size", model.vocabulary())
        .put("rope_theta", model.ropeTheta())
        .put("rms_norm_eps", model.normEpsilon())
        .put("tie_word_embeddings", model.tiedHead())
        .put("hidden_act", "silu")
        .put("torch_dtype", "float32");
  }

  private static long checksum(Path file) throws IOException {
    CRC32C sum = new CRC32C();
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
      while (channel.read(buffer) >= 0) {
        sum.update(buffer.flip());
        buffer.clear();
      }
    }
    return sum.getValue();
  }

  /** Fills weights and optimizer from the last checkpoint. */
  Position read() {
    Path latest = root.resolve(LATEST);
    if (!Files.isRegularFile(latest)) {
      throw new BadInputException(
          "there is no checkpoint in %s: it has no %s".formatted(root, LATEST));
    }
    Path directory = root;
    try {
      directory = directory(Integer.parseInt(Files.readString(latest).strip()));
      JsonNode state = JSON.readTree(directory.resolve(STATE).toFile());
      requireSame(directory, state);
      for (String file : List.of(WEIGHTS, OPTIMIZER)) {
        if (checksum(directory.resolve(file)) != state.path("crc32c").path(file).asLong(-1)) {
          throw new BadInputException(
              "%s is damaged: its checksum differs from that in %s"
                  .formatted(directory.resolve(file), STATE));
        }
      }
      Safetensors.read(directory.resolve(WEIGHTS), weights);
      Safetensors.read(directory.resolve(OPTIMIZER), optimizer);
      return new Position(
          state.required("iteration").intValue(),
          state.required("consumed_sequences").longValue(),
          changes(state.path("training")));
    } catch (IOException | IllegalArgumentException e) {
      throw new BadInputException(
          "the checkpoint %s is damaged: %s".formatted(directory, e.getMessage()), e);
    }
  }

  private void requireSame(Path directory, JsonNode state) {
    JsonNode asked = JSON.valueToTree(config.model());
    for (Map.Entry<String, JsonNode> field : asked.properties()) {
      JsonNode saved = state.path("model").path(field.getKey());
      if (!saved.asText().equals(field.getValue().asText())) {
        throw new BadInputException(
            "the checkpoint %s has a model with %s %s, asked for is %s; use the same model"
                .formatted(
                    directory, field.getKey(), saved.asText("missing"), field.getValue().asText()));
      }
    }
    requireSame(directory, "data", state, data);
    requireSame(directory, "seed", state, String.valueOf(config.seed()));
  }

  private List<String> changes(JsonNode saved) {
    List<String> changes = new ArrayList<>();
    for (Map.Entry<String, JsonNode> field : training().properties()) {
      String before = saved.path(field.getKey()).asText("missing");
      String now = field.getValue().asText();
      if (!before.equals(now)) {
        changes.add("%s from %s to %s".formatted(field.getKey(), before, now));
      }
    }
    return changes;
  }

  private static void requireSame(Path directory, String name, JsonNode state, String asked) {
    String saved = state.path(name).asText("missing");
    if (!saved.equals(asked)) {
      throw new BadInputException(
          "the checkpoint %s was made with %s %s, asked for is %s; use the same %s"
              .formatted(directory, name, saved, asked, name));
    }
  }
}
