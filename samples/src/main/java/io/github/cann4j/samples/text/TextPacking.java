// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import io.github.cann4j.packing.OverlongDocuments;
import io.github.cann4j.packing.PackedTokens;
import io.github.cann4j.packing.SequencePacker;
import io.github.cann4j.samples.cli.BadInputException;
import java.util.ArrayList;
import java.util.List;

/**
 * Fills one sequence with the documents of a reader, in their order and repeated as needed; a
 * document that does not fit any more leaves padding, one that is longer than a sequence is split.
 */
public final class TextPacking {
  private final TextTokenizer tokenizer;
  private final SequencePacker packer;
  private PackedTokens packed;

  private TextPacking(TextTokenizer tokenizer, int sequenceLength, int eodId) {
    this.tokenizer = tokenizer;
    packer =
        SequencePacker.builder(sequenceLength, eodId)
            .vocabSize(tokenizer.vocabSize())
            .overlong(OverlongDocuments.SPLIT)
            .build(this::take);
  }

  /**
   * Packs one sequence.
   *
   * @param sequenceLength its rows
   * @param eodId the token that ends a document
   * @throws BadInputException if the EOD id is no token, or there is no text at all
   */
  public static PackedTokens pack(
      DocumentReader reader, TextTokenizer tokenizer, int sequenceLength, int eodId) {
    if (eodId < 0 || eodId >= tokenizer.vocabSize()) {
      throw new BadInputException(
          "--eod-id %d is outside the vocabulary of %s; ids are 0 to %d"
              .formatted(eodId, tokenizer.name(), tokenizer.vocabSize() - 1));
    }
    TextPacking packing = new TextPacking(tokenizer, sequenceLength, eodId);
    packing.fill(reader);
    return packing.packed;
  }

  private void fill(DocumentReader reader) {
    List<int[]> documents = new ArrayList<>();
    reader.read(
        document -> {
          int[] tokens = tokenizer.encode(document.text());
          documents.add(tokens);
          packer.add(tokens);
          return packed == null;
        });
    if (documents.isEmpty()) {
      throw new BadInputException("the data is empty: no document has any text");
    }
    for (int i = 0; packed == null; i++) {
      packer.add(documents.get(i % documents.size()));
    }
  }

  private void take(PackedTokens sequence) {
    if (packed == null) {
      packed = sequence;
    }
  }
}
