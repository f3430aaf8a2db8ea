// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Counts what a packer does, see {@link PackingStatistics}. */
final class PackingCounts {
  private final int sequenceLength;
  long documents;
  long emptyDocuments;
  long targetlessDocuments;
  long splitDocuments;
  long truncatedDocuments;
  long truncatedTokens;
  long droppedDocuments;
  long droppedTokens;
  private long sequences;
  private long tokens;
  private long targetTokens;
  private long paddingRows;
  private long inOrderSequences;
  private int inOrderRoom;

  PackingCounts(int sequenceLength) {
    this.sequenceLength = sequenceLength;
  }

  /** A whole sequence, which leaves the present one of packing in order open. */
  void placedWhole() {
    inOrderSequences++;
  }

  void placed(int length) {
    if (length > inOrderRoom) {
      inOrderSequences++;
      inOrderRoom = sequenceLength;
    }
    inOrderRoom -= length;
  }

  void finished() {
    inOrderRoom = 0;
  }

  void handedOut(PackedTokens packed) {
    long valid = packed.sequence().validLength();
    sequences++;
    tokens += valid;
    paddingRows += sequenceLength - valid;
    MemorySegment targets = packed.targetSegment();
    for (long row = 0; row < valid; row++) {
      targetTokens += targets.get(ValueLayout.JAVA_BYTE, row);
    }
  }

  PackingStatistics toStatistics() {
    return new PackingStatistics(
        documents,
        emptyDocuments,
        targetlessDocuments,
        splitDocuments,
        truncatedDocuments,
        truncatedTokens,
        droppedDocuments,
        droppedTokens,
        sequences,
        tokens,
        targetTokens,
        paddingRows,
        inOrderSequences);
  }
}
