// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cann4j.samples.cli.BadInputException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * Reads documents from files in order, until a consumer has enough.
 *
 * <p>A file whose name ends in {@code .jsonl} holds one JSON object per line, whose text field is a
 * document. Any other file is one document of UTF-8 text. A directory stands for the files below it
 * in the order of their names, hidden ones left out. Blank texts are no documents.
 */
public final class DocumentReader {
  private static final String SHIPPED = "/io/github/cann4j/samples/data/";
  private static final List<String> SHIPPED_FILES = List.of("documents.jsonl");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final List<Source> sources;
  private final String textField;

  private record Source(String name, Opener opener) {}

  @FunctionalInterface
  private interface Opener {
    InputStream open() throws IOException;
  }

  private DocumentReader(List<Source> sources, String textField) {
    this.sources = sources;
    this.textField = textField;
  }

  /** The documents that come with the project. */
  public static DocumentReader shipped() {
    List<Source> sources = new ArrayList<>();
    for (String name : SHIPPED_FILES) {
      sources.add(new Source(name, () -> DocumentReader.class.getResourceAsStream(SHIPPED + name)));
    }
    return new DocumentReader(sources, "text");
  }

  /**
   * Documents in files and directories.
   *
   * @param textField the field of a JSON object that holds its text
   * @throws BadInputException if a path is not there or there is no file at all
   */
  public static DocumentReader of(List<Path> paths, String textField) {
    List<Source> sources = new ArrayList<>();
    for (Path path : paths) {
      if (!Files.exists(path)) {
        throw new BadInputException("--data " + path + " does not exist");
      }
      for (Path file : filesBelow(path)) {
        sources.add(new Source(file.toString(), () -> Files.newInputStream(file)));
      }
    }
    if (sources.isEmpty()) {
      throw new BadInputException("--data " + paths + " holds no files");
    }
    return new DocumentReader(sources, textField);
  }

  private static List<Path> filesBelow(Path path) {
    if (!Files.isDirectory(path)) {
      return List.of(path);
    }
    try (Stream<Path> walk = Files.walk(path)) {
      return walk.filter(Files::isRegularFile)
          .filter(file -> !isHidden(path.relativize(file)))
          .sorted()
          .toList();
    } catch (IOException | UncheckedIOException e) {
      throw new BadInputException("--data " + path + " cannot be listed: " + e.getMessage(), e);
    }
  }

  private static boolean isHidden(Path relative) {
    for (Path part : relative) {
      if (part.toString().startsWith(".")) {
        return true;
      }
    }
    return false;
  }

  /**
   * Hands over documents until there are no more, or the consumer returns false.
   *
   * @throws BadInputException if a file is no UTF-8 text, a line no JSON object, or its text field
   *     missing
   */
  public void read(Predicate<TextDocument> consumer) {
    for (Source source : sources) {
      try {
        boolean more =
            source.name().endsWith(".jsonl")
                ? readLines(source, consumer)
                : readText(source, consumer);
        if (!more) {
          return;
        }
      } catch (CharacterCodingException e) {
        throw new BadInputException(source.name() + " is not UTF-8 text", e);
      } catch (IOException e) {
        throw new BadInputException(source.name() + " cannot be read: " + e.getMessage(), e);
      }
    }
  }

  private static boolean readText(Source source, Predicate<TextDocument> consumer)
      throws IOException {
    try (InputStream in = source.opener().open()) {
      String text =
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(in.readAllBytes())).toString();
      return text.isBlank() || consumer.test(new TextDocument(source.name(), text));
    }
  }

  private boolean readLines(Source source, Predicate<TextDocument> consumer) throws IOException {
    // A decoder that is handed over reports malformed bytes; a charset would replace them.
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(source.opener().open(), StandardCharsets.UTF_8.newDecoder()))) {
      int number = 0;
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        number++;
        if (line.isBlank()) {
          continue;
        }
        String where = source.name() + ":" + number;
        String text = textOf(line, where);
        if (!text.isBlank() && !consumer.test(new TextDocument(where, text))) {
          return false;
        }
      }
    }
    return true;
  }

  private String textOf(String line, String where) {
    JsonNode node;
    try {
      node = JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw new BadInputException(where + " is not JSON: " + e.getOriginalMessage(), e);
    }
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
