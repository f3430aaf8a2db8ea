// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import java.util.SplittableRandom;

/**
 * In which order the packed sequences are trained on: each epoch all of them, shuffled by seed and
 * epoch alone, so that neither the number of ranks nor a pause changes it.
 */
final class DataOrder {
  private final int sequences;
  private final long seed;
  private int[] order;
  private long epoch = -1;

  DataOrder(long sequences, long seed) {
    this.sequences = Math.toIntExact(sequences);
    this.seed = seed;
  }

  /** {@return the sequence at a position, counted over all epochs} */
  int at(long position) {
    if (epoch(position) != epoch) {
      epoch = epoch(position);
      order = shuffled();
    }
    return order[(int) (position % sequences)];
  }

  /** {@return the epoch that a position is in, from 0} */
  long epoch(long position) {
    return position / sequences;
  }

  private int[] shuffled() {
    SplittableRandom random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + epoch);
    int[] shuffled = new int[sequences];
    for (int i = 0; i < sequences; i++) {
      int j = random.nextInt(i + 1);
      shuffled[i] = shuffled[j];
      shuffled[j] = i;
    }
    return shuffled;
  }
}
