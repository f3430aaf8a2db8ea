// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.List;

/** Every document in zigzag order over all ranks. */
final class DocumentZigzag {
  private DocumentZigzag() {}

  /**
   * Chunks of each rank, ascending. Of a document's rows each rank gets its share, rounded so that
   * the sum over all documents so far is as even as can be; padding counts as a document.
   */
  static List<List<RowRange>> chunks(PackedSequence sequence, int ranks) {
    List<List<RowRange>> chunks = new ArrayList<>(ranks);
    for (int r = 0; r < ranks; r++) {
      chunks.add(new ArrayList<>());
    }
    for (int d = 0; d <= sequence.documentCount(); d++) {
      boolean padding = d == sequence.documentCount();
      long begin = padding ? sequence.validLength() : sequence.documentBegin(d);
      long end = padding ? sequence.length() : sequence.documentEnd(d);
      long row = begin;
      for (int r = 0; r < ranks; r++) {
        row = add(chunks.get(r), row, share(begin, end, r, ranks) / 2);
      }
      for (int r = ranks - 1; r >= 0; r--) {
        row = add(chunks.get(r), row, (share(begin, end, r, ranks) + 1) / 2);
      }
    }
    return chunks;
  }

  private static long add(List<RowRange> chunks, long begin, long rows) {
    if (rows > 0) {
      chunks.add(new RowRange(begin, begin + rows));
    }
    return begin + rows;
  }

  /** How many of the rows are the rank's if they are dealt out one by one. */
  private static long share(long begin, long end, int rank, int ranks) {
    return (end + ranks - 1 - rank) / ranks - (begin + ranks - 1 - rank) / ranks;
  }
}
