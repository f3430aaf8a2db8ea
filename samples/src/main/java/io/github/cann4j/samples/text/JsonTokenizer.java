// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.DeepJavaLibrary;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;

/**
 * A vocabulary in the form of Hugging Face's {@code tokenizer.json}. Names of special tokens in a
 * text become these tokens.
 */
public final class JsonTokenizer implements Tokenizer {
  private static final String FILE = "tokenizer.json";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String name;
  private final HuggingFaceTokenizer tokenizer;
  private final Map<String, Integer> addedTokens;
  private final JsonNode vocabulary;
  private final int vocabSize;
  private final int eodId;
  private final OptionalInt bosId;

  static {
    DeepJavaLibrary.stayOffline();
  }

  private JsonTokenizer(String name, JsonNode json, String eod, String bos) {
    this.name = name;
    vocabulary = json.at("/model/vocab");
    if (vocabulary.isEmpty()) {
      throw new BadInputException(name + " is no tokenizer: its model has no vocabulary");
    }
    tokenizer = load(name, json);
    addedTokens = addedTokens(json);
    // The library numbers those anew that leave a gap behind the model's.
    addedTokens.replaceAll(
        (token, id) -> {
          int[] found = encode(token);
          return found.length == 1 ? found[0] : id;
        });
    vocabSize = vocabSize(vocabulary, addedTokens);
    eodId = requireToken(eod, "end");
    bosId = bos == null ? OptionalInt.empty() : OptionalInt.of(requireToken(bos, "begin"));
  }

  /**
   * The small vocabulary that comes with the project.
   *
   * @param eod the special token that ends a document; null for {@code <|endoftext|>}
   * @throws BadInputException if it has no such token
   */
  public static JsonTokenizer shipped(String eod) {
    try (InputStream in =
        Objects.requireNonNull(JsonTokenizer.class.getResourceAsStream(FILE), FILE)) {
      return new JsonTokenizer(
          Tokenizers.SHIPPED, JSON.readTree(in), eod == null ? "<|endoftext|>" : eod, "<s>");
    } catch (IOException e) {
      throw new IllegalStateException("the shipped tokenizer cannot be read", e);
    }
  }

  /**
   * The vocabulary of a file, or of a directory with a {@code tokenizer.json}.
   *
   * @param eod the special token that ends a document; null for the {@code eos_token} that {@code
   *     tokenizer_config.json} or {@code special_tokens_map.json} beside the file name
   * @throws BadInputException if there is no such file, it is no tokenizer, or nothing says what
   *     ends a document
   */
  public static JsonTokenizer open(Path path, String eod) {
    Path file = Files.isDirectory(path) ? path.resolve(FILE) : path;
    if (!Files.isRegularFile(file)) {
      throw new BadInputException(
          path + (Files.isDirectory(path) ? " has no " + FILE : " does not exist"));
    }
    JsonNode json = read(file);
    String bos = fromConfig(file, "bos_token");
    String end = eod != null ? eod : fromConfig(file, "eos_token");
    if (end == null) {
      throw new BadInputException(
          "nothing beside %s names its eos_token; say with --eod-token which ends a document: %s"
              .formatted(file, addedTokens(json).keySet()));
    }
    return new JsonTokenizer(path.toString(), json, end, bos);
  }

  private static JsonNode read(Path file) {
    try {
      return JSON.readTree(Files.readAllBytes(file));
    } catch (JsonProcessingException e) {
      throw new BadInputException(file + " is not JSON: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new BadInputException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static String fromConfig(Path file, String key) {
    for (String name : new String[] {"tokenizer_config.json", "special_tokens_map.json"}) {
      Path config = file.resolveSibling(name);
      if (Files.exists(config)) {
        JsonNode token = read(config).path(key);
        String text = token.isObject() ? token.path("content").textValue() : token.textValue();
        if (text != null) {
          return text;
        }
      }
    }
    return null;
  }

  private static Map<String, Integer> addedTokens(JsonNode json) {
    Map<String, Integer> tokens = new LinkedHashMap<>();
    for (JsonNode token : json.path("added_tokens")) {
      tokens.put(token.path("content").asText(), token.path("id").asInt());
    }
    return tokens;
  }

  private static int vocabSize(JsonNode vocabulary, Map<String, Integer> added) {
    int size = vocabulary.isArray() ? vocabulary.size() : 0;
    if (vocabulary.isObject()) {
      for (JsonNode id : vocabulary) {
        size = Math.max(size, id.asInt() + 1);
      }
    }
    for (int id : added.values()) {
      size = Math.max(size, id + 1);
    }
    return size;
  }

  private static HuggingFaceTokenizer load(String name, JsonNode json) {
    // A file may ask for texts to be cut or padded; documents are neither.
    ((ObjectNode) json).putNull("truncation").putNull("padding");
    try (InputStream in = new ByteArrayInputStream(JSON.writeValueAsBytes(json))) {
      return HuggingFaceTokenizer.newInstance(
          in, Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false"));
    } catch (IOException | RuntimeException e) {
      throw new BadInputException(name + " is no tokenizer: " + e.getMessage(), e);
    }
  }

  private int requireToken(String token, String what) {
    return specialToken(token)
        .orElseThrow(
            () ->
                new BadInputException(
                    "'%s', which is to %s a document, is no token of %s; special tokens are %s"
                        .formatted(token, what, name, addedTokens.keySet())));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int vocabSize() {
    return vocabSize;
  }

  @Override
  public int eodId() {
    return eodId;
  }

  @Override
  public OptionalInt bosId() {
    return bosId;
  }

  @Override
  public OptionalInt specialToken(String text) {
    Integer added = addedTokens.get(text);
    if (added != null) {
      return OptionalInt.of(added);
    }
    JsonNode id = vocabulary.isObject() ? vocabulary.get(text) : null;
    return id == null ? OptionalInt.empty() : OptionalInt.of(id.asInt());
  }

  @Override
  public int[] encode(String text) {
    long[] ids = tokenizer.encode(text, false, false).getIds();
    int[] tokens = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      tokens[i] = (int) ids[i];
    }
    return tokens;
  }

  @Override
  public String decode(int... tokens) {
    long[] ids = new long[tokens.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = tokens[i];
    }
    return tokenizer.decode(ids, false);
  }
}
