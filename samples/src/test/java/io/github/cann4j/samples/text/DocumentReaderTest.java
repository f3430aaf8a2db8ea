// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.samples.cli.BadInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DocumentReaderTest {
  @TempDir private Path directory;

  private static List<TextDocument> all(DocumentReader reader) {
    List<TextDocument> documents = new ArrayList<>();
    reader.read(documents::add);
    return documents;
  }

  private List<String> texts(String textField, Path... paths) {
    return all(new DocumentReader(InputFile.of("--data", List.of(paths)), textField)).stream()
        .map(TextDocument::text)
        .toList();
  }

  @Test
  void shippedDocumentsHaveALongTail() {
    TextTokenizer tokenizer = new TextTokenizer();
    List<Integer> lengths =
        all(DocumentReader.shipped()).stream()
            .map(document -> tokenizer.encode(document.text()).length)
            .sorted()
            .toList();
    assertTrue(lengths.size() >= 60, () -> lengths.size() + " documents");
    assertTrue(lengths.getFirst() < 20, lengths::toString);
    assertTrue(lengths.getLast() > 2500, lengths::toString);
    int median = lengths.get(lengths.size() / 2);
    int sum = lengths.stream().mapToInt(Integer::intValue).sum();
    assertTrue(sum > 15_000, () -> sum + " tokens");
    assertTrue(sum / lengths.size() > median, () -> "mean not above the median " + median);
  }

  @Test
  void directoriesAreReadInTheOrderOfNamesWithoutHiddenFiles() throws Exception {
    Files.writeString(directory.resolve("b.md"), "second");
    Files.writeString(directory.resolve("a.txt"), "first");
    Files.createDirectories(directory.resolve("c"));
    Files.writeString(directory.resolve("c/d.jsonl"), "{\"text\":\"third\"}\n\n{\"text\":\"4 ü\"}");
    Files.writeString(directory.resolve(".hidden"), "no");
    Files.createDirectories(directory.resolve(".git"));
    Files.writeString(directory.resolve(".git/e"), "no");
    assertEquals(List.of("first", "second", "third", "4 ü"), texts("text", directory));
  }

  @Test
  void blankTextsAreNoDocuments() throws Exception {
    Path blank = Files.writeString(directory.resolve("a.txt"), " \n");
    Path lines =
        Files.writeString(directory.resolve("b.jsonl"), "{\"text\":\"\"}\n{\"text\":\"x\"}\n");
    assertEquals(List.of("x"), texts("text", blank, lines));
  }

  @Test
  void stopsWhenTheConsumerHasEnough() throws Exception {
    Path lines =
        Files.writeString(directory.resolve("a.jsonl"), "{\"text\":\"x\"}\nthis is never read");
    List<TextDocument> documents = new ArrayList<>();
    new DocumentReader(InputFile.of("--data", List.of(lines)), "text")
        .read(
            document -> {
              documents.add(document);
              return false;
            });
    assertEquals(List.of(new TextDocument(lines + ":1", "x")), documents);
  }

  @Test
  void malformedBytesAreRefusedWithTheirFile() throws Exception {
    for (String name : new String[] {"a.txt", "a.jsonl"}) {
      Path file = Files.write(directory.resolve(name), new byte[] {'"', (byte) 0xc3, '(', '"'});
      BadInputException e = assertThrows(BadInputException.class, () -> texts("text", file));
      assertEquals(file + " is not UTF-8 text", e.getMessage());
    }
  }

  @Test
  void wrongLinesAreRefusedWithTheirNumber() throws Exception {
    Path file = Files.writeString(directory.resolve("a.jsonl"), "{\"text\":\"x\"}\n{oops\n");
    BadInputException e = assertThrows(BadInputException.class, () -> texts("text", file));
    assertTrue(e.getMessage().startsWith(file + ":2 is not JSON"), e::getMessage);

    Path array = Files.writeString(directory.resolve("b.jsonl"), "[1]\n");
    e = assertThrows(BadInputException.class, () -> texts("text", array));
    assertTrue(e.getMessage().contains("no JSON object"), e::getMessage);

    Path number = Files.writeString(directory.resolve("c.jsonl"), "{\"text\":7}\n");
    e = assertThrows(BadInputException.class, () -> texts("text", number));
    assertTrue(e.getMessage().contains("no text field 'text'"), e::getMessage);
  }

  @Test
  void jsonIsAnArrayOfObjects() throws Exception {
    Path file = directory.resolve("a.json");
    Files.writeString(file, "[{\"text\": \"one\"},\n {\"text\": \" \"}, {\"text\": \"two\"}]");
    assertEquals(List.of("one", "two"), texts("text", file));
    Files.writeString(file, "[{\"text\": \"one\"}, {\"body\": \"two\"}]");
    BadInputException e = assertThrows(BadInputException.class, () -> texts("text", file));
    assertTrue(e.getMessage().contains("a.json: record 2"), e::getMessage);
    Files.writeString(file, "[{\"text\": \"one\"}, {");
    e = assertThrows(BadInputException.class, () -> texts("text", file));
    assertTrue(e.getMessage().contains("a.json is not JSON"), e::getMessage);
  }
}
