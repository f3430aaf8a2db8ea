// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class TextTokenizerTest {
  private final TextTokenizer tokenizer = new TextTokenizer();

  @Test
  void shippedTextsSurviveTheRoundTrip() {
    DocumentReader.shipped()
        .read(
            document -> {
              assertEquals(document.text(), tokenizer.decode(tokenizer.encode(document.text())));
              return true;
            });
  }

  @Test
  void anyUnicodeSurvivesTheRoundTrip() {
    String text = "naïve 昇腾 🚀\u0000\r\n\t  spaces";
    assertEquals(text, tokenizer.decode(tokenizer.encode(text)));
  }

  @Test
  void idsAreInTheVocabulary() {
    int[] tokens = tokenizer.encode("All tokens are ordinary ones.");
    assertTrue(Arrays.stream(tokens).allMatch(t -> t >= 0 && t < tokenizer.eodId()));
    assertTrue(tokenizer.eodId() < tokenizer.vocabSize());
  }

  @Test
  void theNameOfASpecialTokenIsOrdinaryText() {
    int[] tokens = tokenizer.encode("<|endoftext|>");
    assertTrue(tokens.length > 1);
    assertTrue(Arrays.stream(tokens).noneMatch(t -> t == tokenizer.eodId()));
    assertEquals("<|endoftext|>", tokenizer.decode(tokenizer.eodId()));
  }
}
