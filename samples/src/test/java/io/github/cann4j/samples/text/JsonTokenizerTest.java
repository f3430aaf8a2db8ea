// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.samples.cli.BadInputException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTokenizerTest {
  private static final JsonTokenizer SHIPPED = JsonTokenizer.shipped(null);

  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "The quick brown fox.",
        "  two  spaces\tand\r\nlines\n\n\n",
        "don't  I'll",
        "größer ≠ 0, 长序列训练, 日本語, 한국어, العربية, עברית",
        "😀👩‍👩‍👧‍👦 e\u0301 \u200b\ufeff\u0000\u0001 \ufffd",
        "<|im_start|>user\nhi<|im_end|>\n<s>[INST] x [/INST]</s><|endoftext|>",
        "x = y[0] + 3.14159e-10; // }}}"
      })
  void textComesBack(String text) {
    assertEquals(text, SHIPPED.decode(SHIPPED.encode(text)));
  }

  @Test
  void anyUnicodeComesBack() {
    long seed = Long.getLong("cann4j.test.seed", System.nanoTime());
    System.out.println("JsonTokenizerTest: -Dcann4j.test.seed=" + seed);
    Random random = new Random(seed);
    StringBuilder every = new StringBuilder();
    for (int c = 0; c <= Character.MAX_CODE_POINT; c += 1 + random.nextInt(40)) {
      if (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE) {
        every.appendCodePoint(c);
      }
    }
    String text = every.toString();
    int[] tokens = SHIPPED.encode(text);
    assertEquals(text, SHIPPED.decode(tokens));
    for (int token : tokens) {
      assertTrue(token >= 0 && token < SHIPPED.vocabSize());
    }
  }

  @Test
  void longTextIsNotCut() {
    String text = "A word and another one. ".repeat(20_000);
    assertEquals(text, SHIPPED.decode(SHIPPED.encode(text)));
  }

  @Test
  void shippedVocabularyIsSmallAndFits() {
    assertEquals(4096, SHIPPED.vocabSize());
    assertEquals("cann4j", SHIPPED.name());
    String text = "Attention over long sequences is divided over several devices.";
    int tokens = SHIPPED.encode(text).length;
    assertTrue(tokens * 3 < text.length(), () -> tokens + " tokens");
  }

  @Test
  void specialTokensAreOneToken() {
    for (String name : new String[] {"<|im_start|>", "<|im_end|>", "</s>", "[INST]", "<think>"}) {
      int id = SHIPPED.specialToken(name).orElseThrow();
      assertArrayEquals(new int[] {id}, SHIPPED.encode(name));
      assertEquals(name, SHIPPED.decode(id));
    }
    assertEquals(SHIPPED.specialToken("<|endoftext|>").orElseThrow(), SHIPPED.eodId());
    assertEquals(SHIPPED.specialToken("<s>"), SHIPPED.bosId());
    assertEquals(OptionalInt.empty(), SHIPPED.specialToken("<|no such token|>"));
    assertEquals(SHIPPED.specialToken("</s>").orElseThrow(), JsonTokenizer.shipped("</s>").eodId());
  }

  @Test
  void opensFilesAndDirectoriesAndFindsWhatEndsADocument() throws IOException {
    Path file = directory.resolve("tokenizer.json");
    try (InputStream in = JsonTokenizer.class.getResourceAsStream("tokenizer.json")) {
      Files.copy(in, file);
    }
    assertRefused(directory, null, "eos_token", "--eod-token", "<|im_end|>");
    assertEquals(
        SHIPPED.specialToken("<|im_end|>").orElseThrow(),
        JsonTokenizer.open(file, "<|im_end|>").eodId());
    assertRefused(file, "<|nothing|>", "<|nothing|>", "<|im_end|>");

    Files.writeString(
        directory.resolve("special_tokens_map.json"),
        "{\"bos_token\": \"<s>\", \"eos_token\": {\"content\": \"</s>\"}}");
    JsonTokenizer tokenizer = JsonTokenizer.open(directory, null);
    assertEquals(SHIPPED.specialToken("</s>").orElseThrow(), tokenizer.eodId());
    assertEquals(SHIPPED.bosId(), tokenizer.bosId());
    assertArrayEquals(SHIPPED.encode("some text"), tokenizer.encode("some text"));

    Files.writeString(
        directory.resolve("tokenizer_config.json"),
        "{\"bos_token\": null, \"eos_token\": \"<|im_end|>\"}");
    assertEquals(
        SHIPPED.specialToken("<|im_end|>").orElseThrow(),
        JsonTokenizer.open(directory, null).eodId());
    Files.writeString(directory.resolve("tokenizer_config.json"), "{\"eos_token\": \"<eos>\"}");
    assertRefused(directory, null, "'<eos>'");
    Files.writeString(directory.resolve("tokenizer_config.json"), "{");
    assertRefused(directory, null, "tokenizer_config.json is not JSON");
  }

  @Test
  void opensOtherKindsOfModels() throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("unigram.json"),
            """
            {"version": "1.0",
             "added_tokens": [{"id": 7, "content": "</s>", "special": true, "single_word": false,
               "lstrip": false, "rstrip": false, "normalized": false}],
             "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581",
               "prepend_scheme": "always", "split": true},
             "decoder": {"type": "Metaspace", "replacement": "\u2581",
               "prepend_scheme": "always", "split": true},
             "model": {"type": "Unigram", "unk_id": 0, "vocab":
               [["<unk>", 0.0], ["\u2581a", -1.0], ["\u2581b", -1.5], ["c", -2.0]]}}
            """);
    JsonTokenizer tokenizer = JsonTokenizer.open(file, "</s>");
    // The number that the library gives it, not that of the file, which leaves a gap.
    assertEquals(5, tokenizer.vocabSize());
    assertEquals(4, tokenizer.eodId());
    assertArrayEquals(new int[] {1, 2, 3, 4}, tokenizer.encode("a bc</s>"));
    assertEquals("a bc", tokenizer.decode(1, 2, 3));
  }

  @Test
  void truncationOfTheFileIsIgnored() throws IOException {
    Path file = directory.resolve("cut.json");
    try (InputStream in = JsonTokenizer.class.getResourceAsStream("tokenizer.json")) {
      String json = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      String cut =
          json.replace(
              "\"truncation\": null",
              "\"truncation\": {\"direction\": \"Right\", \"max_length\": 4,"
                  + " \"strategy\": \"LongestFirst\", \"stride\": 0}");
      assertTrue(cut.length() > json.length());
      Files.writeString(file, cut);
    }
    JsonTokenizer tokenizer = JsonTokenizer.open(file, "</s>");
    assertEquals(
        "one two three four five six",
        tokenizer.decode(tokenizer.encode("one two three four five six")));
  }

  @Test
  void refusesWhatIsNoTokenizer() throws IOException {
    assertRefused(directory.resolve("missing"), null, "missing does not exist");
    assertRefused(directory, null, "has no tokenizer.json");
    Path file = Files.writeString(directory.resolve("tokenizer.json"), "text");
    assertRefused(file, null, "tokenizer.json is not JSON");
    Files.writeString(file, "{\"a\": 1}");
    assertRefused(file, "</s>", "no vocabulary");
    Files.writeString(file, "[]");
    assertRefused(file, "</s>", "no vocabulary");
    Files.writeString(file, "{\"model\": {\"type\": \"none\", \"vocab\": {\"</s>\": 0}}}");
    assertRefused(file, "</s>", "is no tokenizer");
  }

  private static void assertRefused(Path path, String eod, String... words) {
    BadInputException e =
        assertThrows(BadInputException.class, () -> JsonTokenizer.open(path, eod));
    for (String word : words) {
      assertTrue(e.getMessage().contains(word), e.getMessage());
    }
  }

  @Test
  void tokenizersHaveNames() {
    assertEquals("cann4j", Tokenizers.open("cann4j", null).name());
    for (String name : TextTokenizer.names()) {
      Tokenizer tokenizer = Tokenizers.open(name, null);
      assertEquals(name, tokenizer.name());
      assertEquals(OptionalInt.of(tokenizer.eodId()), tokenizer.specialToken("<|endoftext|>"));
      assertTrue(tokenizer.eodId() < tokenizer.vocabSize());
      assertEquals("一 text", tokenizer.decode(tokenizer.encode("一 text")));
    }
    BadInputException e =
        assertThrows(BadInputException.class, () -> Tokenizers.open("gpt-9", null));
    assertTrue(e.getMessage().contains("gpt-9") && e.getMessage().contains("cl100k_base"));
    e = assertThrows(BadInputException.class, () -> Tokenizers.open("cl100k_base", "</s>"));
    assertTrue(e.getMessage().contains("</s>") && e.getMessage().contains("<|endofprompt|>"));
  }
}
