// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.preprocess;

import io.github.cann4j.packing.OverlongDocuments;
import io.github.cann4j.packing.PackingStrategy;
import io.github.cann4j.samples.text.InputFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What to make packed sequences of, and how.
 *
 * @param inputs files with instruction data or documents
 * @param instructions how conversations become tokens; nothing if the files hold documents
 * @param textField the field of a JSON object that holds its document
 * @param tokenizer a name or a path, see {@link io.github.cann4j.samples.text.Tokenizers}
 * @param eodToken the special token that ends a document; nothing for the tokenizer's own
 * @param seqLength rows of a sequence
 * @param strategy how samples are placed
 * @param overlong what happens to samples that are longer than a sequence
 * @param shuffleSeed seed of a random order of the samples; nothing to keep theirs
 */
public record PreprocessingJob(
    List<InputFile> inputs,
    Optional<Instructions> instructions,
    String textField,
    String tokenizer,
    Optional<String> eodToken,
    int seqLength,
    PackingStrategy strategy,
    OverlongDocuments overlong,
    OptionalLong shuffleSeed) {

  /**
   * A chat template.
   *
   * @param promptType its name
   * @param file the file with it; nothing for one that comes with the project
   */
  public record Instructions(String promptType, Optional<Path> file) {}
}
