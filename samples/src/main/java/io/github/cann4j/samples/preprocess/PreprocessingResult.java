// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.preprocess;

import io.github.cann4j.packing.PackingStatistics;
import java.nio.file.Path;
import java.util.Map;

/**
 * What came out.
 *
 * @param file the packed data
 * @param byteSize its bytes
 * @param tokenizer the tokenizer's name
 * @param vocabSize tokens of its vocabulary
 * @param skipped records that were left out when reading, by reason
 * @param statistics what the packer did
 */
public record PreprocessingResult(
    Path file,
    long byteSize,
    String tokenizer,
    int vocabSize,
    Map<String, Long> skipped,
    PackingStatistics statistics) {}
