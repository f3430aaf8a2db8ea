// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** Finds the ring rank that holds a row of the sequence. */
final class ChunkOwners {
  private final long[] begins;
  private final long[] ends;
  private final int[] owners;

  private record Chunk(int owner, long begin, long end) {}

  ChunkOwners(ShardLayout layout) {
    List<Chunk> chunks = new ArrayList<>();
    for (int r = 0; r < layout.ranks(); r++) {
      for (int c = 0; c < layout.chunks(r); c++) {
        chunks.add(new Chunk(r, layout.chunkBegin(r, c), layout.chunkEnd(r, c)));
      }
    }
    chunks.sort(Comparator.comparingLong(Chunk::begin));
    begins = chunks.stream().mapToLong(Chunk::begin).toArray();
    ends = chunks.stream().mapToLong(Chunk::end).toArray();
    owners = chunks.stream().mapToInt(Chunk::owner).toArray();
  }

  int owner(long row) {
    return owners[chunk(row)];
  }

  /** The row after the chunk that has a row. */
  long chunkEnd(long row) {
    return ends[chunk(row)];
  }

  private int chunk(long row) {
    int found = Arrays.binarySearch(begins, row);
    return found >= 0 ? found : -found - 2;
  }
}
