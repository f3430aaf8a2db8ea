// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Derives who attends to whom from documents and layout.
 *
 * <p>The document of a chunk's first row is the only one that the chunk can share with earlier
 * chunks, so each query chunk yields at most one rectangle per key owner, and that owner's rows of
 * it, being rows of one document, are one local range. Time per pair of ranks is chunks times the
 * logarithm of chunks, whatever the number of rows or documents.
 */
final class StepPlanner {
  private final PackedSequence sequence;
  private final ShardLayout layout;
  private final ExchangePattern pattern;
  private final int maxSequencesPerCall;
  private final long maxPairsPerCall;
  // Per rank and chunk: where the document of the chunk's first row begins, and where it or the
  // chunk ends. Chunks of padding have none and are marked by an end of 0.
  private final long[][] headDocumentBegin;
  private final long[][] headEnd;

  StepPlanner(
      PackedSequence sequence,
      ShardLayout layout,
      ExchangePattern pattern,
      int maxSequencesPerCall,
      long maxPairsPerCall) {
    this.sequence = sequence;
    this.layout = layout;
    this.pattern = pattern;
    this.maxSequencesPerCall = maxSequencesPerCall;
    this.maxPairsPerCall = maxPairsPerCall;
    headDocumentBegin = new long[layout.ranks()][];
    headEnd = new long[layout.ranks()][];
    for (int r = 0; r < layout.ranks(); r++) {
      int chunks = layout.chunks(r);
      headDocumentBegin[r] = new long[chunks];
      headEnd[r] = new long[chunks];
      for (int c = 0; c < chunks; c++) {
        int document = sequence.documentOf(layout.chunkBegin(r, c));
        if (document >= 0) {
          headDocumentBegin[r][c] = sequence.documentBegin(document);
          headEnd[r][c] = Math.min(layout.chunkEnd(r, c), sequence.documentEnd(document));
        }
      }
    }
  }

  List<AttentionStep> steps(int rank) {
    int ranks = layout.ranks();
    List<AttentionStep> steps = new ArrayList<>(ranks);
    steps.add(
        new AttentionStep(
            0,
            rank,
            localCalls(rank),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty()));
    RingHulls hulls = pattern == ExchangePattern.RING ? new RingHulls(rank) : null;
    for (int i = 1; i < ranks; i++) {
      steps.add(hulls == null ? directStep(rank, i) : hulls.step(i));
    }
    return List.copyOf(steps);
  }

  private AttentionStep directStep(int rank, int i) {
    int owner = wrap(rank - i);
    int receiver = wrap(rank + i);
    RowRange in = needed(rank, owner);
    RowRange out = needed(receiver, rank);
    return new AttentionStep(
        i,
        owner,
        hopCalls(rank, owner),
        transfer(receiver, rank, out),
        transfer(owner, owner, in),
        transfer(owner, owner, in),
        transfer(receiver, rank, out));
  }

  /**
   * Rows that travel around a ring. The rows of an owner visit owner-1, owner-2, ..., owner+1; what
   * enters a rank is the hull of what it and the ranks after it need, what leaves it as gradient
   * the hull of what it and the ranks before it needed.
   */
  private final class RingHulls {
    private final int rank;

    RingHulls(int rank) {
      this.rank = rank;
    }

    AttentionStep step(int i) {
      int owner = wrap(rank + i);
      int previous = wrap(rank - 1);
      int next = wrap(rank + 1);
      int sentOwner = wrap(owner - 1);
      int homeward = wrap(owner + 1);
      return new AttentionStep(
          i,
          owner,
          hopCalls(rank, owner),
          transfer(previous, sentOwner, neededFrom(sentOwner, i)),
          transfer(next, owner, neededFrom(owner, i)),
          transfer(previous, owner, neededUntil(owner, i)),
          transfer(next, homeward, neededUntil(homeward, i)));
    }

    /** What the ranks that hold the owner's rows in step i or later need of them. */
    private RowRange neededFrom(int owner, int step) {
      RowRange hull = RowRange.EMPTY;
      for (int s = step; s < layout.ranks(); s++) {
        hull = hull.hull(needed(wrap(owner - s), owner));
      }
      return hull;
    }

    /** What the ranks that hold the owner's rows in step 1 to i need of them. */
    private RowRange neededUntil(int owner, int step) {
      RowRange hull = RowRange.EMPTY;
      for (int s = 1; s <= step; s++) {
        hull = hull.hull(needed(wrap(owner - s), owner));
      }
      return hull;
    }
  }

  private int wrap(int rank) {
    return Math.floorMod(rank, layout.ranks());
  }

  private static Optional<Transfer> transfer(int peer, int owner, RowRange rows) {
    return rows.isEmpty() ? Optional.empty() : Optional.of(new Transfer(peer, owner, rows));
  }

  private List<AttentionCall> localCalls(int rank) {
    CallSplitter calls = new CallSplitter(maxSequencesPerCall, maxPairsPerCall);
    int open = -1;
    for (int c = 0; c < layout.chunks(rank); c++) {
      long begin = layout.chunkBegin(rank, c);
      long end = Math.min(layout.chunkEnd(rank, c), sequence.validLength());
      if (begin >= end) {
        break;
      }
      int document = sequence.documentOf(begin);
      // A document that began in an earlier chunk of this rank is already there as a whole.
      for (int d = document == open ? document + 1 : document;
          d < sequence.documentCount() && sequence.documentBegin(d) < end;
          d++) {
        calls.addCausal(layout.local(rank, sequence.documentBegin(d), sequence.documentEnd(d)));
        open = d;
      }
    }
    return calls.finish();
  }

  private List<AttentionCall> hopCalls(int rank, int owner) {
    CallSplitter calls = new CallSplitter(maxSequencesPerCall, maxPairsPerCall);
    RowRange q = RowRange.EMPTY;
    RowRange kv = RowRange.EMPTY;
    for (int c = 0; c < layout.chunks(rank); c++) {
      RowRange keys = neededByChunk(rank, c, owner);
      if (keys.isEmpty()) {
        continue;
      }
      long begin = layout.localBegin(rank, c);
      RowRange queries = new RowRange(begin, begin + headEnd[rank][c] - layout.chunkBegin(rank, c));
      if (keys.equals(kv) && q.end() == queries.begin()) {
        q = q.hull(queries);
        continue;
      }
      if (!q.isEmpty()) {
        calls.addDense(q, kv);
      }
      q = queries;
      kv = keys;
    }
    if (!q.isEmpty()) {
      calls.addDense(q, kv);
    }
    return calls.finish();
  }

  /** Hull of the owner's local rows that a rank's queries attend to; exact for one rectangle. */
  private RowRange needed(int rank, int owner) {
    RowRange hull = RowRange.EMPTY;
    for (int c = 0; c < layout.chunks(rank); c++) {
      hull = hull.hull(neededByChunk(rank, c, owner));
    }
    return hull;
  }

  private RowRange neededByChunk(int rank, int chunk, int owner) {
    long begin = layout.chunkBegin(rank, chunk);
    return headEnd[rank][chunk] > begin && headDocumentBegin[rank][chunk] < begin
        ? layout.local(owner, headDocumentBegin[rank][chunk], begin)
        : RowRange.EMPTY;
  }
}
