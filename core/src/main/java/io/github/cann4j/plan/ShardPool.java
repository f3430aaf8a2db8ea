// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.ArrayList;
import java.util.List;

/**
 * What no rank holds yet: whole documents in the order of falling work, what is left of cut ones,
 * and padding. Finding a document and summing up the lightest rows take logarithmic time.
 */
final class ShardPool {
  private final ShardProblem problem;
  private final int documents;
  // Binary indexed tree over the whole documents, the lightest first: rows and work of each node,
  // side by side because both are always wanted.
  private final long[] sums;
  // Links from a place to the nearest document that is here: at it or after it, and before it.
  private final int[] next;
  private final int[] previous;
  private final List<Piece> pieces = new ArrayList<>();
  private long work;
  private long padding;

  /**
   * Rows of one document.
   *
   * @param document its index
   * @param from first row, counted in the document
   * @param to row after the last
   * @param work allowed pairs of these rows
   * @param place in the order of falling work if this is a whole document, else -1
   */
  record Piece(int document, long from, long to, long work, int place) {
    long rows() {
      return to - from;
    }

    /** Mean work of a row. */
    long density() {
      return work / rows();
    }
  }

  ShardPool(ShardProblem problem) {
    this.problem = problem;
    documents = problem.documents();
    sums = new long[2 * (documents + 1)];
    next = new int[documents + 1];
    previous = new int[documents + 1];
    for (int i = 1; i <= documents; i++) {
      int document = problem.byWork(documents - i);
      sums[2 * i] += problem.rows(document);
      sums[2 * i + 1] += problem.work(document);
      int parent = i + (i & -i);
      if (parent <= documents) {
        sums[2 * parent] += sums[2 * i];
        sums[2 * parent + 1] += sums[2 * i + 1];
      }
      next[i] = i;
      previous[i] = i;
    }
    work = problem.totalWork();
    padding = problem.length() - problem.validLength();
  }

  long work() {
    return work;
  }

  int places() {
    return documents;
  }

  /** What is left of cut documents; changes with what is taken. */
  List<Piece> pieces() {
    return pieces;
  }

  /** Takes up to so many padding rows. */
  long takePadding(long rows) {
    long taken = Math.min(rows, padding);
    padding -= taken;
    return taken;
  }

  boolean hasPadding() {
    return padding > 0;
  }

  /** The document at a place, be it here or not. */
  Piece whole(int place) {
    int document = problem.byWork(place);
    return new Piece(document, 0, problem.rows(document), problem.work(document), place);
  }

  /** The whole document at a place or the first one after it, or null. */
  Piece at(int place) {
    int found = find(next, place);
    return found == documents ? null : whole(found);
  }

  /** The last whole document before a place, or null. */
  Piece before(int place) {
    int found = find(previous, place);
    return found == 0 ? null : whole(found - 1);
  }

  private static int find(int[] links, int place) {
    int root = place;
    while (links[root] != root) {
      root = links[root];
    }
    for (int i = place; links[i] != root; ) {
      int link = links[i];
      links[i] = root;
      i = link;
    }
    return root;
  }

  /** Removes rows {@code from .. to - 1} of a document; what else the piece has stays here. */
  long take(Piece piece, long from, long to) {
    if (piece.place >= 0) {
      next[piece.place] = piece.place + 1;
      previous[piece.place + 1] = piece.place;
      for (int i = documents - piece.place; i <= documents; i += i & -i) {
        sums[2 * i] -= piece.rows();
        sums[2 * i + 1] -= piece.work;
      }
    } else {
      pieces.remove(piece);
    }
    long taken = piece.work - keep(piece, piece.from, from) - keep(piece, to, piece.to);
    work -= taken;
    return taken;
  }

  private long keep(Piece piece, long from, long to) {
    if (from == to) {
      return 0;
    }
    long kept = problem.work(piece.document, from, to);
    pieces.add(new Piece(piece.document, from, to, kept, -1));
    return kept;
  }

  /** Work of so many of the lightest rows: padding, then light documents and pieces. */
  long lightest(long rows) {
    long left = rows - padding;
    if (left <= 0) {
      return 0;
    }
    long documentWork = lightDocuments(left);
    int place = documents - 1 - lightCount;
    Piece heaviest = place < 0 ? null : whole(place);
    long before = left;
    long sum = 0;
    for (Piece piece : pieces) {
      // Those that a rank would take as they are before it takes that document.
      if (piece.rows() <= problem.rowsPerRank()
          && (heaviest == null || piece.density() <= heaviest.density())) {
        long part = Math.min(left, piece.rows());
        sum += problem.work(piece.document, piece.from, piece.from + part);
        left -= part;
      }
    }
    return left == before ? documentWork : sum + lightDocuments(left);
  }

  // How many documents the last sum has as a whole.
  private int lightCount;

  private long lightDocuments(long rows) {
    long left = rows;
    long sum = 0;
    int i = 0;
    for (int bit = Integer.highestOneBit(documents); bit > 0; bit >>= 1) {
      if (i + bit <= documents && sums[2 * (i + bit)] <= left) {
        i += bit;
        left -= sums[2 * i];
        sum += sums[2 * i + 1];
      }
    }
    lightCount = i;
    if (left > 0 && i < documents) {
      return sum + problem.work(problem.byWork(documents - 1 - i), 0, left);
    }
    for (Piece piece : pieces) {
      long part = Math.min(left, piece.rows());
      sum += problem.work(piece.document, piece.from, piece.from + part);
      left -= part;
    }
    return sum;
  }
}
