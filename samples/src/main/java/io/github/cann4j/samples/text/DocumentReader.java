// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cann4j.samples.cli.BadInputException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * Reads documents from files in order, until a consumer has enough.
 *
 * <p>A file whose name ends in {@code .jsonl} holds one JSON object per line, whose text field is a
 * document; one that ends in {@code .json} an array of such objects. Any other file is one document
 * of UTF-8 text. Blank texts are no documents.
 */
public final class DocumentReader {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final List<InputFile> files;
  private final String textField;

  /**
   * Documents in files.
   *
   * @param textField the field of a JSON object that holds its text
   */
  public DocumentReader(List<InputFile> files, String textField) {
    this.files = files;
    this.textField = textField;
  }

  /** The documents that come with the project. */
  public static DocumentReader shipped() {
    return new DocumentReader(List.of(InputFile.shipped("documents.jsonl")), "text");
  }

  /**
   * Hands over documents until there are no more, or the consumer returns false.
   *
   * @throws BadInputException if a file is no UTF-8 text, a line no JSON object, or its text field
   *     missing
   */
  public void read(Predicate<TextDocument> consumer) {
    for (InputFile source : files) {
      try {
        if (!read(source, consumer)) {
          return;
        }
      } catch (CharacterCodingException e) {
        throw new BadInputException(source.name() + " is not UTF-8 text", e);
      } catch (IOException e) {
        throw new BadInputException(source.name() + " cannot be read: " + e.getMessage(), e);
      }
    }
  }

  private boolean read(InputFile source, Predicate<TextDocument> consumer) throws IOException {
    if (source.name().endsWith(".jsonl")) {
      return readLines(source, consumer);
    }
    return source.name().endsWith(".json")
        ? readRecords(source, consumer)
        : readText(source, consumer);
  }

  private boolean readRecords(InputFile source, Predicate<TextDocument> consumer)
      throws IOException {
    try (MappingIterator<JsonNode> records =
        JSON.readerFor(JsonNode.class).readValues(source.open())) {
      for (int number = 1; records.hasNextValue(); number++) {
        String where = source.name() + ": record " + number;
        String text = textOf(records.nextValue(), where);
        if (!text.isBlank() && !consumer.test(new TextDocument(where, text))) {
          return false;
        }
      }
      return true;
    } catch (JsonProcessingException e) {
      throw new BadInputException(source.name() + " is not JSON: " + e.getOriginalMessage(), e);
    }
  }

  private static boolean readText(InputFile source, Predicate<TextDocument> consumer)
      throws IOException {
    try (InputStream in = source.open()) {
      String text =
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(in.readAllBytes())).toString();
      return text.isBlank() || consumer.test(new TextDocument(source.name(), text));
    }
  }

  private boolean readLines(InputFile source, Predicate<TextDocument> consumer) throws IOException {
    // A decoder that is handed over reports malformed bytes; a charset would replace them.
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(source.open(), StandardCharsets.UTF_8.newDecoder()))) {
      int number = 0;
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        number++;
        if (line.isBlank()) {
          continue;
        }
        String where = source.name() + ":" + number;
        String text = textOf(parse(line, where), where);
        if (!text.isBlank() && !consumer.test(new TextDocument(where, text))) {
          return false;
        }
      }
    }
    return true;
  }

  private static JsonNode parse(String line, String where) {
    try {
      return JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw new BadInputException(where + " is not JSON: " + e.getOriginalMessage(), e);
    }
  }

  private String textOf(JsonNode node, String where) {
    JsonNode text = node.get(textField);
    if (text == null || !text.isTextual()) {
      throw new BadInputException(
          where
              + " has no text field '"
              + textField
              + "'"
              + (node.isObject() ? "; its fields are " + fieldNames(node) : " (no JSON object)"));
    }
    return text.textValue();
  }

  private static List<String> fieldNames(JsonNode node) {
    List<String> names = new ArrayList<>();
    node.fieldNames().forEachRemaining(names::add);
    return names;
  }
}
