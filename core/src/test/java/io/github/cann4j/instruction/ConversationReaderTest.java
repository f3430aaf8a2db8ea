// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.instruction.ConversationReader.Skip;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConversationReaderTest {
  private static ConversationReader open(String json) throws IOException {
    return ConversationReader.open(
        "data.json", new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)));
  }

  private static List<Conversation> readAll(String json) {
    try (ConversationReader reader = open(json)) {
      return readAll(reader);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static List<Conversation> readAll(ConversationReader reader) throws IOException {
    List<Conversation> all = new ArrayList<>();
    for (Optional<Conversation> next = reader.next(); next.isPresent(); next = reader.next()) {
      all.add(next.get());
    }
    return all;
  }

  private static Conversation conversation(String system, Object... rolesAndTexts) {
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < rolesAndTexts.length; i += 2) {
      messages.add(new Message((Role) rolesAndTexts[i], (String) rolesAndTexts[i + 1]));
    }
    return new Conversation(Optional.ofNullable(system), messages);
  }

  @Test
  void readsAlpaca() {
    String json =
        """
        {"instruction": "Add", "input": "1 2", "output": "3", "text": "ignored", "id": 7}
        {"instruction": "Sing", "input": "", "output": "La", "system": "Be loud", "history": []}

        {"instruction": "And now?", "input": null, "output": "Ü",
         "history": [["Hi", "Yes?"], ["Who?", "Me"]], "system": null}
        """;
    List<Conversation> expected =
        List.of(
            Conversation.of("Add\n1 2", "3"),
            conversation("Be loud", Role.USER, "Sing", Role.ASSISTANT, "La"),
            conversation(
                null,
                Role.USER,
                "Hi",
                Role.ASSISTANT,
                "Yes?",
                Role.USER,
                "Who?",
                Role.ASSISTANT,
                "Me",
                Role.USER,
                "And now?",
                Role.ASSISTANT,
                "Ü"));
    assertEquals(expected, readAll(json));
    String array = "\ufeff[" + json.strip().replaceAll("\n+(?=\\{)", ",") + "]";
    assertEquals(expected, readAll(array), "an array reads like lines");
  }

  @Test
  void readsShareGpt() {
    assertEquals(
        List.of(
            new Conversation(
                Optional.of("Be brief"),
                conversation(
                        null,
                        Role.USER,
                        "Rain?",
                        Role.FUNCTION_CALL,
                        "{}",
                        Role.OBSERVATION,
                        "no",
                        Role.ASSISTANT,
                        "No.")
                    .messages(),
                Optional.of("[{\"name\": \"f\", \"parameters\": {}}]")),
            conversation("Inner", Role.USER, "a", Role.ASSISTANT, "b")),
        readAll(
            """
            {"conversations": [{"from": "human", "value": "Rain?"},
              {"from": "function_call", "value": "{}"}, {"from": "observation", "value": "no"},
              {"from": "gpt", "value": "No."}], "system": "Be brief",
              "tools": [{"name":"f","parameters":{}}]}
            {"conversations": [{"from": "system", "value": "Inner"},
              {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "system": "Outer", "tools": "[]"}
            """));
  }

  @Test
  void readsMessagesOfRoleAndContent() {
    assertEquals(
        List.of(
            conversation("S", Role.USER, "a", Role.ASSISTANT, "b"),
            conversation(
                null,
                Role.USER,
                "a",
                Role.FUNCTION_CALL,
                "f",
                Role.OBSERVATION,
                "t",
                Role.ASSISTANT,
                "b")),
        readAll(
            """
            [{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "a"},
               {"role": "assistant", "content": "b"}]},
             {"messages": [{"role": "user", "content": "a"}, {"role": "function", "content": "f"},
               {"role": "tool", "content": "t"}, {"role": "assistant", "content": "b"}]}]\
            """));
  }

  @Test
  void recordsWithNothingToTrainAreCounted() throws IOException {
    String json =
        """
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": " "}]}
        {"conversations": [{"from": "gpt", "value": "b"}, {"from": "human", "value": "a"}]}
        {"conversations": [{"from": "human", "value": "a"}]}
        {"conversations": []}
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
        {"conversations": [{"from": "human", "value": null}, {"from": "gpt", "value": "b"}]}
        """;
    try (ConversationReader reader = open(json)) {
      assertEquals(Optional.of(Conversation.of("a", "b")), reader.next());
      assertEquals("data.json: record 5 (line 5)", reader.where());
      assertEquals(Map.of(Skip.BLANK, 1L, Skip.ROLE_ORDER, 3L), reader.skipped());
      assertEquals(Optional.empty(), reader.next());
      assertEquals(Optional.empty(), reader.next());
      assertEquals(Map.of(Skip.BLANK, 2L, Skip.ROLE_ORDER, 3L), reader.skipped());
      assertEquals(6, reader.records());
    }
    assertEquals(List.of(), readAll("{\"instruction\": \"\", \"input\": \"\", \"output\": \"x\"}"));
    assertEquals(List.of(), readAll("{\"instruction\": \"a\", \"output\": null}"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      value = {
        "7| record 1 (line 1) must be an object",
        "[[]]| record 1 (line 1) must be an object",
        "[]| holds no records",
        "{\"question\": 1, \"answer\": 2}| neither of the Alpaca form & [question, answer]",
        "{\"instruction\": \"a\"}| record 1 (line 1) has no field 'output' & [instruction]",
        "{\"instruction\": 5, \"output\": \"b\"}| field 'instruction' must be a text, not 5",
        "{\"instruction\": \"a\", \"output\": [\"b\"]}| 'output' must be a text, not a list of 1",
        "{\"instruction\": \"a\", \"output\": \"b\", \"history\": \"h\"}| 'history' must be a list",
        "{\"instruction\": \"a\", \"output\": \"b\", \"history\": [[\"h\"]]}| 'history[0]' must be",
        "{\"instruction\": \"a\", \"output\": \"b\"} {\"instruction\": \"c\"}| record 2 (line 1)",
        "{\"instruction\": \"a\", \"output\": \"b\"} {\"messages\": []}| record 2 & 'instruction'",
        "{\"conversations\": 1}| 'conversations' must be a list, not 1",
        "{\"conversations\": [\"a\"]}| 'conversations[0]' must be an object",
        "{\"conversations\": [{\"from\": \"bot\", \"value\": \"x\"}]}| conversations[0]: field"
            + " 'from'| \"bot\"",
        "{\"messages\": [{\"role\": \"user\", \"value\": \"x\"}]}| no field 'content' & [role,"
            + " value]",
        "{\"messages\": [{\"role\": \"user\", \"content\": [1]}]}| messages[0]: field 'content'",
        "{\"instruction\": \"a\", \"output\": \"b\", \"output\": \"c\"}| not JSON & output",
        "[{\"instruction\": \"a\", \"output\": \"b\"}] x| not JSON",
        "[{\"instruction\": \"a\", \"output\": \"b\"}] [1]| follows the array",
        "[{\"instruction\": \"a\", \"output\": \"b\"}| record 2 (line 1) is not JSON",
        "{\"instruction\": \"a\", \"out| record 1 (line 1) is not JSON",
      })
  void whatIsNotOfTheFormIsRefused(String json, String expected) {
    String message = assertThrows(IllegalArgumentException.class, () -> readAll(json)).getMessage();
    assertTrue(message.startsWith("data.json"), message);
    for (String part : expected.split(" & ")) {
      assertTrue(message.contains(part), message);
    }
  }

  @Test
  void brokenLinesAndBytesAreNamed() {
    String good = "{\"instruction\": \"a\", \"output\": \"b\"}\n";
    String message =
        assertThrows(IllegalArgumentException.class, () -> readAll(good + good + "{\"inst: 1}\n"))
            .getMessage();
    assertTrue(message.contains("record 3 (line 3)"), message);
    byte[] bytes =
        (good + "{\"instruction\": \"a\", \"output\": \"?\"}").getBytes(StandardCharsets.UTF_8);
    bytes[bytes.length - 3] = (byte) 0xff;
    message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    readAll(ConversationReader.open("data.json", new ByteArrayInputStream(bytes))))
            .getMessage();
    assertTrue(message.contains("record 2 (line 2)") && message.contains("UTF-8"), message);
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> readAll(""))
            .getMessage()
            .contains("no records"));
  }

  @Test
  void aFileIsOpenedAndAMissingOneNamed(@TempDir Path directory) throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("own.jsonl"), "{\"instruction\": \"a\", \"output\": \"b\"}");
    try (ConversationReader reader = ConversationReader.open(file)) {
      assertEquals(List.of(Conversation.of("a", "b")), readAll(reader));
    }
    Path missing = directory.resolve("missing.jsonl");
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> ConversationReader.open(missing))
            .getMessage()
            .contains("missing.jsonl"));
  }

  /** Repeats a record without ever holding the whole, and counts what was taken of it. */
  private static final class Repeated extends InputStream {
    private final byte[] record;
    private final long size;
    private long taken;

    Repeated(byte[] record, long count) {
      this.record = record;
      size = record.length * count;
    }

    @Override
    public int read() {
      return taken == size ? -1 : record[(int) (taken++ % record.length)] & 0xff;
    }

    @Override
    public int read(byte[] target, int offset, int length) {
      if (taken == size) {
        return -1;
      }
      int begin = (int) (taken % record.length);
      int count = Math.min(length, record.length - begin);
      System.arraycopy(record, begin, target, offset, count);
      taken += count;
      return count;
    }
  }

  @Test
  void readsAheadNoMoreThanABuffer() throws IOException {
    byte[] record =
        ("{\"instruction\": \""
                + "q".repeat(900)
                + "\", \"output\": \""
                + "r".repeat(900)
                + "\"}\n")
            .getBytes(StandardCharsets.UTF_8);
    long count = 5_000;
    Repeated stream = new Repeated(record, count);
    try (ConversationReader reader = ConversationReader.open("big.jsonl", stream)) {
      long most = 0;
      while (reader.next().isPresent()) {
        most = Math.max(most, stream.taken - reader.records() * record.length);
      }
      assertEquals(count, reader.records());
      assertEquals(count * record.length, stream.taken);
      assertTrue(most <= 16_384, "read " + most + " bytes ahead");
    }
  }
}
