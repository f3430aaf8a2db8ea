// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * Which rows of a sequence each ring rank holds: per rank a list of chunks, ascending, and the
 * chunks laid end to end are its local memory order. Because chunks ascend, the local rows of any
 * range of global rows, so of any document, are one local range, and padding is a suffix.
 */
final class ShardLayout {
  private final long[][] begins;
  private final long[][] ends;
  private final long[][] localBegins;

  private ShardLayout(long[][] begins, long[][] ends, long[][] localBegins) {
    this.begins = begins;
    this.ends = ends;
    this.localBegins = localBegins;
  }

  static ShardLayout of(
      Sharding sharding,
      PackedSequence sequence,
      AttentionMask mask,
      AllowedPairs pairs,
      int ringDegree) {
    long length = sequence.length();
    return of(
        switch (sharding) {
          case CONTIGUOUS -> perRank(ringDegree, r -> List.of(chunk(r, ringDegree, length)));
          case ZIGZAG ->
              perRank(
                  ringDegree,
                  r ->
                      List.of(
                          chunk(r, 2 * ringDegree, length),
                          chunk(2 * ringDegree - 1 - r, 2 * ringDegree, length)));
          case ZIGZAG_PER_DOCUMENT -> DocumentZigzag.chunks(sequence, ringDegree);
          case BALANCED -> BalancedSharding.chunks(sequence, mask, pairs, ringDegree);
        });
  }

  private static List<List<RowRange>> perRank(int ranks, IntFunction<List<RowRange>> chunks) {
    return IntStream.range(0, ranks).mapToObj(chunks).toList();
  }

  /** Any layout; the chunks of a rank ascend, chunks that touch are joined, empty ones dropped. */
  static ShardLayout of(List<List<RowRange>> chunksPerRank) {
    int ranks = chunksPerRank.size();
    long[][] begins = new long[ranks][];
    long[][] ends = new long[ranks][];
    long[][] localBegins = new long[ranks][];
    for (int r = 0; r < ranks; r++) {
      List<RowRange> chunks = joined(chunksPerRank.get(r));
      begins[r] = chunks.stream().mapToLong(RowRange::begin).toArray();
      ends[r] = chunks.stream().mapToLong(RowRange::end).toArray();
      localBegins[r] = new long[chunks.size() + 1];
      for (int c = 0; c < chunks.size(); c++) {
        localBegins[r][c + 1] = localBegins[r][c] + chunks.get(c).length();
      }
    }
    return new ShardLayout(begins, ends, localBegins);
  }

  private static RowRange chunk(int i, int count, long length) {
    return new RowRange(i * length / count, (i + 1) * length / count);
  }

  private static List<RowRange> joined(List<RowRange> chunks) {
    List<RowRange> joined = new ArrayList<>(chunks.size());
    for (RowRange chunk : chunks) {
      if (chunk.isEmpty()) {
        continue;
      }
      if (!joined.isEmpty() && joined.getLast().end() > chunk.begin()) {
        throw new IllegalArgumentException("chunks of a rank must ascend: " + chunks);
      }
      if (!joined.isEmpty() && joined.getLast().end() == chunk.begin()) {
        joined.set(joined.size() - 1, joined.getLast().hull(chunk));
      } else {
        joined.add(chunk);
      }
    }
    return joined;
  }

  int ranks() {
    return begins.length;
  }

  int chunks(int rank) {
    return begins[rank].length;
  }

  long chunkBegin(int rank, int chunk) {
    return begins[rank][chunk];
  }

  long chunkEnd(int rank, int chunk) {
    return ends[rank][chunk];
  }

  long localBegin(int rank, int chunk) {
    return localBegins[rank][chunk];
  }

  long rows(int rank) {
    return localBegins[rank][begins[rank].length];
  }

  /** Number of rows of a rank before a global row. */
  long rowsBefore(int rank, long globalRow) {
    int found = Arrays.binarySearch(begins[rank], globalRow);
    if (found >= 0) {
      return localBegins[rank][found];
    }
    int chunk = -found - 2;
    return chunk < 0
        ? 0
        : localBegins[rank][chunk] + Math.min(globalRow, ends[rank][chunk]) - begins[rank][chunk];
  }

  /** Where a rank holds those of the global rows {@code begin .. end - 1} that it holds. */
  RowRange local(int rank, long begin, long end) {
    long from = rowsBefore(rank, begin);
    long to = rowsBefore(rank, end);
    return from < to ? new RowRange(from, to) : RowRange.EMPTY;
  }

  /** The global rows of a range of local rows, in local order. */
  List<RowRange> global(int rank, RowRange local) {
    List<RowRange> rows = new ArrayList<>();
    for (int c = 0; c < begins[rank].length; c++) {
      long from = Math.max(local.begin(), localBegins[rank][c]);
      long to = Math.min(local.end(), localBegins[rank][c + 1]);
      if (from < to) {
        rows.add(new RowRange(from, to).shift(begins[rank][c] - localBegins[rank][c]));
      }
    }
    return rows;
  }
}
