// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

/**
 * Spreads documents with few rows to send: one rank after the other gets the heaviest document that
 * is left, as a whole or else as much of its end as can be done beside the lightest rows, and then
 * whole documents, heavy ones while their work fits and light ones up to its number of rows.
 *
 * <p>Every rank with rows of a document needs it up to the last one. So a long document is best
 * split over few ranks, and those with its late rows, which are dense in work and need most, should
 * have as many of them as their work allows.
 */
final class HeaviestFirst {
  private final ShardProblem problem;
  private final ShardPool pool;
  private final ShardDraft draft;
  private final long limit;
  private final long averageLimit;

  // The rank being filled: rows and work so far, and its work as it should be.
  private int rank;
  private long room;
  private long done;
  private long target;
  private long least;
  private long most;
  // The document that it has the end of, or -1.
  private int cutDocument;

  private HeaviestFirst(ShardProblem problem, long tolerance) {
    this.problem = problem;
    pool = new ShardPool(problem);
    draft = new ShardDraft(problem);
    limit = problem.workPerRank() + tolerance;
    averageLimit = problem.workPerRank() + tolerance / 2;
  }

  /**
   * Spreads all rows.
   *
   * @param tolerance work that a rank may have above the mean
   */
  static ShardDraft spread(ShardProblem problem, long tolerance) {
    return new HeaviestFirst(problem, tolerance).run();
  }

  private ShardDraft run() {
    for (rank = 0; rank < problem.ranks() - 1; rank++) {
      room = problem.rowsPerRank();
      done = 0;
      target = pool.work() / (problem.ranks() - rank);
      most = Math.max(limit, target);
      // The mean of the ranks to come may rise, but by ever less.
      least = Math.min(target, 2 * target - averageLimit);
      cutDocument = -1;
      takeHeaviest();
      takeFitting();
      takeLight();
      takeCuts();
    }
    takeAll();
    draft.addPadding();
    return draft;
  }

  private void take(ShardPool.Piece piece) {
    take(piece, piece.from(), piece.to());
  }

  private void take(ShardPool.Piece piece, long from, long to) {
    long work = pool.take(piece, from, to);
    draft.add(rank, piece.document(), from, to, work);
    room -= to - from;
    done += work;
  }

  private void takeAll() {
    for (ShardPool.Piece piece = pool.at(0); piece != null; piece = pool.at(0)) {
      take(piece);
    }
    while (!pool.pieces().isEmpty()) {
      take(pool.pieces().getLast());
    }
  }

  private void takeHeaviest() {
    ShardPool.Piece heaviest = pool.at(0);
    for (ShardPool.Piece piece : pool.pieces()) {
      if (heaviest == null || piece.work() > heaviest.work()) {
        heaviest = piece;
      }
    }
    if (heaviest == null) {
      return;
    }
    if (fits(heaviest, most)) {
      take(heaviest);
      return;
    }
    long low = 1;
    long high = Math.min(room, heaviest.rows());
    while (low < high) {
      long middle = (low + high + 1) >>> 1;
      if (tailFits(heaviest, middle)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    cutDocument = heaviest.document();
    take(heaviest, heaviest.to() - low, heaviest.to());
  }

  private boolean tailFits(ShardPool.Piece piece, long rows) {
    long others = pool.lightest(room - rows);
    if (room <= piece.rows()) {
      // The rank can as well be filled up with the first rows of the same document.
      long head = problem.work(piece.document(), piece.from(), piece.from() + room - rows);
      others = Math.min(others, head);
    }
    return problem.work(piece.document(), piece.to() - rows, piece.to()) + others <= most;
  }

  /** Whether a piece fits beside the lightest rows. */
  private boolean fits(ShardPool.Piece piece, long limit) {
    long work = done + piece.work();
    return piece.rows() <= room
        && work <= limit
        && work + pool.lightest(room - piece.rows()) <= limit;
  }

  private void takeFitting() {
    int place = 0;
    while (room > 0) {
      ShardPool.Piece best = pool.at(place);
      boolean fits = best != null && fits(best, target);
      if (best != null && !fits) {
        best = pool.at(firstFitting(best.place() + 1));
        fits = best != null && fits(best, target);
      }
      place = best == null ? pool.places() : best.place();
      best = fits ? best : null;
      for (ShardPool.Piece piece : pool.pieces()) {
        if ((best == null || piece.work() >= best.work()) && fits(piece, target)) {
          best = piece;
        }
      }
      if (best == null) {
        return;
      }
      take(best);
    }
  }

  private int firstFitting(int from) {
    int low = from;
    int high = pool.places();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (fits(pool.whole(middle), target)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  private void takeLight() {
    while (room > 0) {
      ShardPool.Piece best = pool.before(pool.places());
      best = best != null && canHold(best) ? best : null;
      for (ShardPool.Piece piece : pool.pieces()) {
        if (canHold(piece) && (best == null || piece.density() < best.density())) {
          best = piece;
        }
      }
      if (best == null) {
        return;
      }
      take(best);
    }
  }

  private boolean canHold(ShardPool.Piece piece) {
    return piece.rows() <= room && done + piece.work() <= most;
  }

  /** Fills the rank to the last row. */
  private void takeCuts() {
    while (room > 0) {
      Cut best = done < least || !pool.hasPadding() ? bestCut() : null;
      if (best == null) {
        room -= pool.takePadding(room);
        if (room > 0) {
          best = bestCut();
        }
      }
      if (best != null) {
        take(best.piece, best.from, best.from + best.rows);
      }
    }
  }

  private Cut bestCut() {
    Cut best = null;
    for (ShardPool.Piece piece : pool.pieces()) {
      best = better(best, cut(piece));
    }
    // The lightest documents, and of heavier ones ever fewer.
    int step = 0;
    ShardPool.Piece piece = pool.before(pool.places());
    while (piece != null) {
      best = better(best, cut(piece));
      piece = pool.before(Math.max(0, piece.place() - step));
      step += step / 4 + 1;
    }
    return best;
  }

  /**
   * Rows of a piece for the rank.
   *
   * @param cost rows that more ranks than before need
   * @param excess work of the rank above its most
   * @param lack work of the rank below its least
   */
  private record Cut(
      ShardPool.Piece piece, long from, long rows, long cost, long excess, long lack) {}

  private static Cut better(Cut one, Cut other) {
    if (one == null) {
      return other;
    }
    int order = Long.compare(one.excess, other.excess);
    order = order != 0 ? order : Long.compare(other.rows, one.rows);
    order = order != 0 ? order : Long.compare(one.lack, other.lack);
    order = order != 0 ? order : Long.compare(one.cost, other.cost);
    return order <= 0 ? one : other;
  }

  /** The first rows of a piece that have work enough, or its end. */
  private Cut cut(ShardPool.Piece piece) {
    long rows = Math.min(room, piece.rows());
    long low = piece.from();
    long high = piece.to() - rows;
    while (low < high) {
      long middle = (low + high) >>> 1;
      if (done + problem.work(piece.document(), middle, middle + rows) >= least) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return better(cut(piece, low, rows), cut(piece, piece.to() - rows, rows));
  }

  private Cut cut(ShardPool.Piece piece, long from, long rows) {
    long to = from + rows;
    long work = done + problem.work(piece.document(), from, to);
    long cost = 0;
    if (piece.document() != cutDocument) {
      // This rank needs all before its last row; or if that was needed anyway, another one the
      // rest.
      cost = to < piece.to() ? to : from > piece.from() ? from : 0;
    }
    return new Cut(piece, from, rows, cost, Math.max(0, work - most), Math.max(0, least - work));
  }
}
