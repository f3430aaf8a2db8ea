// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.sharding;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/** Lengths of documents as in training data, and such as are hard to spread. */
public enum Lengths {
  /** Mu 6.5, sigma 1.3, at most 131,072. */
  LOG_NORMAL("log-normal") {
    @Override
    long next(long rows, boolean first, Random random) {
      return Math.clamp(Math.round(Math.exp(6.5 + 1.3 * random.nextGaussian())), 1, 131_072);
    }
  },
  /** Half of all rows in one document, the others of 1 to 1,000. */
  GIANT("one giant") {
    @Override
    long next(long rows, boolean first, Random random) {
      return first ? rows / 2 : 1 + random.nextLong(1000);
    }
  },
  EQUAL("3,000 rows each") {
    @Override
    long next(long rows, boolean first, Random random) {
      return 3000;
    }
  },
  TWELVE("12 equal") {
    @Override
    long next(long rows, boolean first, Random random) {
      return rows / 12;
    }
  },
  SINGLE("one document") {
    @Override
    long next(long rows, boolean first, Random random) {
      return rows;
    }
  };

  private final String title;

  Lengths(String title) {
    this.title = title;
  }

  abstract long next(long rows, boolean first, Random random);

  String title() {
    return title;
  }

  /** Documents in random order, the last one cut where the sequence is full. */
  public PackedSequence draw(long rows, long seed) {
    Random random = new Random(seed);
    List<Long> lengths = new ArrayList<>();
    for (long sum = 0; sum < rows; sum += lengths.getLast()) {
      lengths.add(Math.min(rows - sum, next(rows, lengths.isEmpty(), random)));
    }
    Collections.shuffle(lengths, random);
    return PackedSequence.ofLengths(lengths.stream().mapToLong(Long::longValue).toArray(), rows);
  }
}
