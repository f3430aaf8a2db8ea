// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import io.github.cann4j.benchmarks.report.Median;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;

/** Times of one implementation in one case, in seconds. */
final class Series {
  private final List<Double> forward = new ArrayList<>();
  private final List<Double> both = new ArrayList<>();

  void addForward(double seconds) {
    forward.add(seconds);
  }

  /** The backward pass that followed the last forward pass. */
  void addBackward(double seconds) {
    both.add(forward.getLast() + seconds);
  }

  /** Rate of the median forward pass, in GFLOP/s. */
  OptionalDouble forwardRate(AttentionShape shape) {
    return rate(forward, shape.forwardFlops());
  }

  /** Rate of the median of both passes together. */
  OptionalDouble bothRate(AttentionShape shape) {
    return rate(both, shape.forwardFlops() + shape.backwardFlops());
  }

  private static OptionalDouble rate(List<Double> seconds, double flops) {
    return seconds.isEmpty()
        ? OptionalDouble.empty()
        : OptionalDouble.of(flops / Median.of(seconds.stream().mapToDouble(v -> v)) * 1e-9);
  }
}
