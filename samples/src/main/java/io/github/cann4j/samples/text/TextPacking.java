// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.text;

import io.github.cann4j.packing.OverlongDocuments;
import io.github.cann4j.packing.PackedTokens;
import io.github.cann4j.packing.SequencePacker;
import io.github.cann4j.samples.cli.BadInputException;
import java.util.ArrayList;
import java.util.List;

/** Fills one sequence with the documents of a reader, from the first on, repeated as needed. */
public final class TextPacking {
  /** More open sequences leave less padding in the one that is taken, and reorder more. */
  private static final int OPEN_SEQUENCES = 4;

  private final TextTokenizer tokenizer;
  private final SequencePacker packer;
  private PackedTokens packed;

  private TextPacking(TextTokenizer tokenizer, int sequenceLength, int eodId) {
    this.tokenizer = tokenizer;
    packer =
        SequencePacker.builder(sequenceLength, eodId)
            .vocabSize(tokenizer.vocabularySize())
            .overlong(OverlongDocuments.SPLIT)
            .openSequences(OPEN_SEQUENCES)
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
    if (eodId < 0 || eodId >= tokenizer.vocabularySize()) {
      throw new BadInputException(
          "--eod-id %d is outside the vocabulary of %s; ids are 0 to %d"
              .formatted(eodId, tokenizer.name(), tokenizer.vocabularySize() - 1));
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
