// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Equal ranges of heads at equal distances, which one strided copy moves.
 *
 * @param blocks number of ranges
 * @param first head of the first range
 * @param heads of each range
 * @param step from one range to the next, in heads
 */
record HeadBlocks(int blocks, int first, int heads, int step) {

  /** The fewest groups of non-empty ranges, in their order. */
  static List<HeadBlocks> of(int[] first, int[] count) {
    List<HeadBlocks> groups = new ArrayList<>();
    for (int i = 0; i < first.length; i++) {
      if (count[i] == 0) {
        continue;
      }
      HeadBlocks last = groups.isEmpty() ? null : groups.getLast();
      if (last != null && last.isContinuedBy(first[i], count[i])) {
        groups.removeLast();
        groups.add(
            new HeadBlocks(
                last.blocks + 1, last.first, last.heads, first[i] - last.first(last.blocks - 1)));
      } else {
        groups.add(range(first[i], first[i] + count[i]));
      }
    }
    return groups;
  }

  /** One range. */
  static HeadBlocks range(int begin, int end) {
    return new HeadBlocks(1, begin, end - begin, 0);
  }

  /** First head of range {@code i}. */
  int first(int i) {
    return first + i * step;
  }

  /** Range {@code i} alone. */
  HeadBlocks single(int i) {
    return range(first(i), first(i) + heads);
  }

  private boolean isContinuedBy(int next, int count) {
    int distance = next - first(blocks - 1);
    return count == heads && distance >= 0 && (blocks == 1 || distance == step);
  }

  /** The ranges in {@code [B, L, N, d]}, contiguous, as {@code [blocks, B, L, heads, d]}. */
  Tensor in(Tensor all) {
    long dim = all.size(3);
    long row = all.size(2) * dim;
    return Tensor.strided(
        all.buffer(),
        all.byteOffset() + first * dim * all.dataType().byteSize(),
        all.dataType(),
        new long[] {blocks, all.size(0), all.size(1), heads, dim},
        new long[] {step * dim, all.size(1) * row, row, dim, 1});
  }

  /**
   * The part of a flat buffer that holds the ranges one after the other, with rows as in {@code
   * like}.
   */
  Tensor dense(Tensor flat, long offset, Tensor like) {
    long elements = blocks * like.size(0) * like.size(1) * heads * like.size(3);
    return flat.slice(0, offset, offset + elements)
        .reshape(blocks, like.size(0), like.size(1), heads, like.size(3));
  }
}
