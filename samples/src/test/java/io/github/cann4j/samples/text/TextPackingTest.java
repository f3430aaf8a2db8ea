// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.PackedTokens;
import io.github.cann4j.samples.cli.BadInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextPackingTest {
  @TempDir private Path directory;

  private final TextTokenizer tokenizer = new TextTokenizer();

  private PackedTokens pack(int length, int eodId, String... texts) throws Exception {
    for (int i = 0; i < texts.length; i++) {
      Files.writeString(directory.resolve(i + ".txt"), texts[i]);
    }
    return TextPacking.pack(
        new DocumentReader(InputFile.of("--data", List.of(directory)), "text"),
        tokenizer,
        length,
        eodId);
  }

  @Test
  void documentsEndWithEodAndRepeat() throws Exception {
    PackedTokens packed = pack(10, tokenizer.eodId(), "one two three four");
    assertEquals(PackedSequence.ofLengths(5, 5), packed.sequence());
    assertEquals(tokenizer.eodId(), packed.tokens()[4]);
    assertArrayEquals(
        Arrays.copyOf(packed.tokens(), 5), Arrays.copyOfRange(packed.tokens(), 5, 10));
  }

  @Test
  void whatIsLeftIsPadding() throws Exception {
    PackedTokens packed = pack(13, tokenizer.eodId(), "one two three four");
    assertEquals(10, packed.sequence().validLength());
    assertEquals(13, packed.sequence().length());
  }

  @Test
  void documentsAreFoundByTheirEod() throws Exception {
    PackedTokens packed = pack(500, tokenizer.eodId(), "a b c", "d", "e f g h i j k");
    assertEquals(
        PackedSequence.fromEod(packed.tokens(), packed.sequence().validLength(), tokenizer.eodId()),
        packed.sequence());
  }

  @Test
  void aTextLongerThanTheSequenceFillsIt() throws Exception {
    PackedTokens packed = pack(4, tokenizer.eodId(), "one two three four five six");
    assertEquals(4, packed.sequence().validLength());
    assertEquals("one two three four", tokenizer.decode(packed.tokens()));
  }

  @Test
  void eodOutsideTheVocabularyIsRefused() {
    for (int id : new int[] {-1, tokenizer.vocabSize()}) {
      BadInputException e = assertThrows(BadInputException.class, () -> pack(8, id, "one"));
      assertTrue(e.getMessage().contains("--eod-id " + id), e::getMessage);
    }
  }
}
