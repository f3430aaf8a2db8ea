// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.List;

/**
 * The rows of one ring rank by document: its chunks, cut where documents end. All pieces of a
 * document lie end to end in the rank's local order.
 *
 * @param documents on the rank, ascending
 */
record RankPieces(List<Document> documents) {

  /**
   * What a rank has of a document.
   *
   * @param index of the document
   * @param rows all of it, in the sequence
   * @param local the rank's rows of it, in local order
   * @param pieces the same in the sequence, ascending; they do not touch
   */
  record Document(int index, RowRange rows, RowRange local, List<RowRange> pieces) {
    /** Whether no other rank has rows of it. */
    boolean isWhole() {
      return local.length() == rows.length();
    }

    /** A piece in local order. */
    RowRange localPiece(int piece) {
      long begin = local.begin();
      for (int i = 0; i < piece; i++) {
        begin += pieces.get(i).length();
      }
      return new RowRange(begin, begin + pieces.get(piece).length());
    }
  }

  static RankPieces of(PackedSequence sequence, ShardLayout layout, int rank) {
    List<Document> documents = new ArrayList<>();
    List<RowRange> pieces = new ArrayList<>();
    int open = -1;
    long openBegin = 0;
    for (int c = 0; c < layout.chunks(rank); c++) {
      long begin = layout.chunkBegin(rank, c);
      long end = Math.min(layout.chunkEnd(rank, c), sequence.validLength());
      int document = begin < end ? sequence.documentOf(begin) : -1;
      for (long row = begin; row < end; document++) {
        long stop = Math.min(end, sequence.documentEnd(document));
        if (document != open) {
          close(documents, sequence, open, openBegin, pieces);
          open = document;
          openBegin = layout.localBegin(rank, c) + row - begin;
        }
        pieces.add(new RowRange(row, stop));
        row = stop;
      }
    }
    close(documents, sequence, open, openBegin, pieces);
    return new RankPieces(documents);
  }

  private static void close(
      List<Document> documents,
      PackedSequence sequence,
      int document,
      long localBegin,
      List<RowRange> pieces) {
    if (pieces.isEmpty()) {
      return;
    }
    long rows = 0;
    for (RowRange piece : pieces) {
      rows += piece.length();
    }
    documents.add(
        new Document(
            document,
            new RowRange(sequence.documentBegin(document), sequence.documentEnd(document)),
            new RowRange(localBegin, localBegin + rows),
            List.copyOf(pieces)));
    pieces.clear();
  }

  /** The documents of which other ranks have rows too. */
  List<Document> shared() {
    return documents.stream().filter(document -> !document.isWhole()).toList();
  }
}
