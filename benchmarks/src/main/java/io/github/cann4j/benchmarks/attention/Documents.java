// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.DoubleStream;

/** Lengths of packed documents: as texts have them, many short ones and few long ones. */
final class Documents {
  private static final long MEAN = 512;
  private static final double SIGMA = 0.8;

  private Documents() {}

  /** Log-normal lengths of 512 rows in the mean, the same ones every time. */
  static List<Long> random(long rows) {
    int count = Math.toIntExact(rows / MEAN);
    RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(4);
    double[] ends =
        DoubleStream.generate(() -> Math.exp(SIGMA * random.nextGaussian())).limit(count).toArray();
    Arrays.parallelPrefix(ends, Double::sum);
    List<Long> lengths = new ArrayList<>();
    long begin = 0;
    for (double end : ends) {
      long scaled = Math.round(end / ends[count - 1] * rows);
      lengths.add(scaled - begin);
      begin = scaled;
    }
    return lengths;
  }
}
