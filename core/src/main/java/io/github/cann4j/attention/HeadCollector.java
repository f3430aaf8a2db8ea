// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Takes heads that come back from the ranks of a Ulysses group into a tensor with all heads. What
 * several ranks contribute to one head is summed in fp32, in the order of exchanges and ranks.
 */
final class HeadCollector {
  private static final int NOWHERE = -1;

  private final Recording recording;
  private final Tensor local;
  private final Tensor sums;
  private final int[] placeInSums;
  private final boolean[] begun;

  /** For a tensor with the query heads, of which each comes from one rank. */
  static HeadCollector ofQueries(Recording recording, Tensor local) {
    return new HeadCollector(recording, "", local, new boolean[Math.toIntExact(local.size(2))]);
  }

  /**
   * For a tensor with the kv heads.
   *
   * @param recording of the program
   * @param name of the buffer for sums
   * @param local {@code [B, L, N, d]}, contiguous; complete after {@link #finish}
   * @param split of the heads
   */
  static HeadCollector ofKeys(Recording recording, String name, Tensor local, HeadSplit split) {
    boolean[] shared = new boolean[Math.toIntExact(local.size(2))];
    for (int head = 0; head < shared.length; head++) {
      shared[head] = split.isShared(head);
    }
    return new HeadCollector(recording, name, local, shared);
  }

  private HeadCollector(Recording recording, String name, Tensor local, boolean[] shared) {
    this.recording = recording;
    this.local = local;
    placeInSums = new int[shared.length];
    begun = new boolean[shared.length];
    int places = 0;
    for (int head = 0; head < shared.length; head++) {
      placeInSums[head] = shared[head] ? places++ : NOWHERE;
    }
    if (local.dataType() == DataType.FLOAT) {
      sums = local;
      Arrays.setAll(placeInSums, head -> shared[head] ? head : NOWHERE);
    } else {
      sums =
          places == 0
              ? null
              : recording.scratch(
                  name, DataType.FLOAT, local.size(0), local.size(1), places, local.size(3));
    }
  }

  /** {@return the tensor with all heads} */
  Tensor target() {
    return local;
  }

  /**
   * Records taking in blocks {@code [B, L, n, d]}, one after the other, of the ranks that have
   * heads in the share.
   */
  void take(HeadSplit.Share share, Tensor blocks) {
    long offset = 0;
    for (HeadBlocks group : HeadBlocks.of(share.first(), share.count())) {
      Tensor received = group.dense(blocks, offset, local);
      offset += received.elements();
      if (IntStream.range(0, group.blocks()).noneMatch(i -> isSummed(group.first(i)))) {
        recording.copy(group.in(local), received);
        continue;
      }
      for (int i = 0; i < group.blocks(); i++) {
        take(group.single(i), received.slice(0, i, i + 1));
      }
    }
  }

  private void take(HeadBlocks range, Tensor received) {
    if (!isSummed(range.first())) {
      recording.copy(range.in(local), received);
      return;
    }
    for (int i = 0; i < range.heads(); i++) {
      int place = placeInSums[range.first() + i];
      Tensor sum = HeadBlocks.range(place, place + 1).in(sums);
      Tensor part = received.slice(3, i, i + 1);
      if (begun[place]) {
        recording.add(sum, part);
      } else {
        recording.copy(sum, part);
        begun[place] = true;
      }
    }
  }

  private boolean isSummed(int head) {
    return placeInSums[head] != NOWHERE;
  }

  /** Records that all has come. */
  void finish() {
    if (sums == null || sums == local) {
      return;
    }
    int end;
    for (int head = 0; head < placeInSums.length; head = end) {
      end = head + 1;
      if (isSummed(head)) {
        while (end < placeInSums.length && isSummed(end)) {
          end++;
        }
        int place = placeInSums[head];
        recording.copy(
            HeadBlocks.range(head, end).in(local),
            HeadBlocks.range(place, place + end - head).in(sums));
      }
    }
  }
}
