// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads instruction data one record at a time, so that a file may be of any size: JSON objects one
 * after another (JSONL), or one array of objects.
 *
 * <p>The first record decides the form of the whole file:
 *
 * <ul>
 *   <li>Alpaca: {@code instruction} and {@code output}, optionally {@code input} (which follows the
 *       instruction in a new line), {@code history} (pairs of earlier prompts and responses) and
 *       {@code system};
 *   <li>ShareGPT: {@code conversations} of {@code from} and {@code value}, or {@code messages} of
 *       {@code role} and {@code content}, optionally {@code system} (a first message of that role
 *       goes before) and {@code tools}. Roles are {@code human} or {@code user}, {@code gpt} or
 *       {@code assistant}, {@code system}, {@code function_call} or {@code function}, and {@code
 *       observation} or {@code tool}.
 * </ul>
 *
 * Other fields are ignored; null is as good as a field that is not there. A record that is not of
 * the form is refused. One that is but has nothing to train is left out and counted, see {@link
 * Skip}, and told of at the end.
 *
 * <p>Not thread-safe.
 */
public final class ConversationReader implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ConversationReader.class);

  /** Why a record is left out. */
  public enum Skip {
    /** A prompt or a response of the record is blank. */
    BLANK,
    /** Prompts and responses do not alternate, or the last message is no response. */
    ROLE_ORDER
  }

  private final String name;
  private final JsonParser parser;
  private final Map<Skip, Long> skipped = new EnumMap<>(Skip.class);
  private RecordForm form;
  private boolean inArray;
  private boolean atEnd;
  private long records;
  private long line;

  private ConversationReader(String name, JsonParser parser) {
    this.name = name;
    this.parser = parser;
  }

  /**
   * Opens a file.
   *
   * @param file JSON or JSONL, in UTF-8
   * @return a reader, to be closed
   * @throws IllegalArgumentException if there is no such file
   * @throws IOException if it cannot be opened
   */
  public static ConversationReader open(Path file) throws IOException {
    try {
      return open(file.toString(), Files.newInputStream(file));
    } catch (NoSuchFileException e) {
      throw new IllegalArgumentException("there is no instruction data " + file, e);
    }
  }

  /**
   * Reads a stream.
   *
   * @param name what messages call it
   * @param in JSON or JSONL in UTF-8; the reader closes it
   * @return a reader, to be closed
   * @throws IOException if the stream fails
   */
  public static ConversationReader open(String name, InputStream in) throws IOException {
    Objects.requireNonNull(name, "name");
    JsonParser parser = JSON.std.createParser(Objects.requireNonNull(in, "in"));
    return new ConversationReader(name, parser.enable(JsonParser.Feature.AUTO_CLOSE_SOURCE));
  }

  /**
   * The next record that has something to train.
   *
   * @return the conversation, or nothing at the end
   * @throws IllegalArgumentException if the file is no JSON, is empty or holds a record of another
   *     form; with file, record, line and field
   * @throws IOException if reading fails
   */
  public Optional<Conversation> next() throws IOException {
    try {
      while (toNextRecord()) {
        Optional<Conversation> conversation = convert(JSON.std.mapFrom(parser));
        if (conversation.isPresent()) {
          return conversation;
        }
      }
      return Optional.empty();
    } catch (JacksonException e) {
      throw new IllegalArgumentException(
          "%s is not JSON: %s"
              .formatted(
                  e.getLocation() == null ? where() : where(e.getLocation().getLineNr()),
                  e.getOriginalMessage()),
          e);
    }
  }

  private Optional<Conversation> convert(Map<String, Object> fields) {
    FieldReader record = new FieldReader(where(), fields);
    if (form == null) {
      form = RecordForm.of(record);
    }
    RecordForm.Draft draft = form.read(record);
    Optional<Skip> skip = draft.skip();
    if (skip.isPresent()) {
      skipped.merge(skip.get(), 1L, Long::sum);
      LOG.debug("{} is left out: {}", where(), skip.get());
      return Optional.empty();
    }
    return Optional.of(draft.toConversation());
  }

  private boolean toNextRecord() throws IOException {
    if (atEnd) {
      return false;
    }
    // Counted first: what is wrong before the record begins is its fault.
    records++;
    JsonToken token = parser.nextToken();
    if (records == 1 && token == JsonToken.START_ARRAY) {
      inArray = true;
      token = parser.nextToken();
    }
    if (token == (inArray ? JsonToken.END_ARRAY : null)) {
      records--;
      end();
      return false;
    }
    line = parser.currentTokenLocation().getLineNr();
    if (token != JsonToken.START_OBJECT) {
      throw new IllegalArgumentException(
          "%s must be an object, but begins with %s".formatted(where(), parser.getText()));
    }
    return true;
  }

  private void end() throws IOException {
    atEnd = true;
    if (inArray && parser.nextToken() != null) {
      throw new IllegalArgumentException(
          "%s: something follows the array that ends in line %d: %s"
              .formatted(name, parser.currentTokenLocation().getLineNr(), parser.getText()));
    }
    if (records == 0) {
      throw new IllegalArgumentException(name + " holds no records");
    }
    if (!skipped.isEmpty()) {
      LOG.warn("{}: of {} records, left out are {}", name, records, skipped);
    }
  }

  /** {@return name of the file, number and line of the present record, for messages} */
  public String where() {
    return where(line);
  }

  private String where(long inLine) {
    return "%s: record %d (line %d)".formatted(name, records, inLine);
  }

  /** {@return records read so far, with those that were left out} */
  public long records() {
    return records;
  }

  /** {@return how many records have been left out so far, by reason; reasons without are absent} */
  public Map<Skip, Long> skipped() {
    return Map.copyOf(skipped);
  }

  @Override
  public void close() throws IOException {
    parser.close();
  }
}
