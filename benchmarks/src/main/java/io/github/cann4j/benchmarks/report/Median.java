// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.report;

import java.util.stream.DoubleStream;

/** The middle one of several values, or the mean of the two in the middle. */
public final class Median {
  private Median() {}

  public static double of(DoubleStream values) {
    double[] sorted = values.sorted().toArray();
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
}
