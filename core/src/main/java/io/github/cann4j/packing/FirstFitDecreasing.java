// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.util.Arrays;

/**
 * Puts items into as few bins of one capacity as first-fit-decreasing finds, or as packing in order
 * needs if that is fewer. Time O(n log n), memory about 24 bytes per item.
 */
final class FirstFitDecreasing {
  private FirstFitDecreasing() {}

  /**
   * The items in each bin: a permutation of the items by bins, whose order is that of their first
   * items, and the places in it where a bin ends.
   */
  record Bins(int[] items, int[] ends) {}

  /** In the order of the items; full ones have their own bins and close no other. */
  static Bins packInOrder(int[] lengths, int capacity) {
    return group(nextFit(lengths, capacity));
  }

  static Bins pack(int[] lengths, int capacity) {
    int[] decreasing = firstFit(lengths, capacity);
    int[] inOrder = nextFit(lengths, capacity);
    return group(count(inOrder) < count(decreasing) ? inOrder : decreasing);
  }

  private static int count(int[] binOf) {
    return Arrays.stream(binOf).max().orElse(-1) + 1;
  }

  private static int[] nextFit(int[] lengths, int capacity) {
    int[] binOf = new int[lengths.length];
    int bins = 0;
    int current = -1;
    int used = capacity;
    for (int i = 0; i < lengths.length; i++) {
      if (lengths[i] == capacity) {
        binOf[i] = bins++;
        continue;
      }
      if (lengths[i] > capacity - used) {
        current = bins++;
        used = 0;
      }
      binOf[i] = current;
      used += lengths[i];
    }
    return binOf;
  }

  private static int[] firstFit(int[] lengths, int capacity) {
    int n = lengths.length;
    long[] order = new long[n];
    for (int i = 0; i < n; i++) {
      // Ascending by what is missing to a full bin; equal ones stay in order.
      order[i] = (long) (capacity - lengths[i]) << 32 | i;
    }
    Arrays.sort(order);
    // A tree of the most room in each range of bins; its leaves are the bins.
    int leaves = Integer.highestOneBit(Math.max(1, 2 * n - 1));
    int[] room = new int[2 * leaves];
    Arrays.fill(room, capacity);
    int[] binOf = new int[n];
    for (long entry : order) {
      int item = (int) entry;
      int node = 1;
      while (node < leaves) {
        node = room[2 * node] >= lengths[item] ? 2 * node : 2 * node + 1;
      }
      binOf[item] = node - leaves;
      room[node] -= lengths[item];
      for (int above = node / 2; above > 0; above /= 2) {
        room[above] = Math.max(room[2 * above], room[2 * above + 1]);
      }
    }
    return binOf;
  }

  private static Bins group(int[] binOf) {
    int[] newNumber = new int[count(binOf)];
    Arrays.fill(newNumber, -1);
    int[] ends = new int[newNumber.length];
    int bins = 0;
    for (int bin : binOf) {
      if (newNumber[bin] < 0) {
        newNumber[bin] = bins++;
      }
      ends[newNumber[bin]]++;
    }
    // Where each bin begins, which moves on to where it ends.
    int begin = 0;
    for (int bin = 0; bin < bins; bin++) {
      int size = ends[bin];
      ends[bin] = begin;
      begin += size;
    }
    int[] items = new int[binOf.length];
    for (int item = 0; item < binOf.length; item++) {
      items[ends[newNumber[binOf[item]]]++] = item;
    }
    return new Bins(items, ends);
  }
}
