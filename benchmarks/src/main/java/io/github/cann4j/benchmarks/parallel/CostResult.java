// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.parallel;

import io.github.cann4j.benchmarks.report.Median;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** What was measured of one case. Not thread-safe. */
final class CostResult {
  private final CostCase measured;
  private final List<Double> forward = new ArrayList<>();
  private final List<Double> backward = new ArrayList<>();
  private long deviceBytes;
  private long grownBytes;
  private final Map<Integer, Long> heapBytes = new HashMap<>();
  private long sentBytes;
  private double largestDifference;

  CostResult(CostCase measured) {
    this.measured = measured;
  }

  void addRound(double forwardSeconds, double backwardSeconds) {
    forward.add(forwardSeconds);
    backward.add(backwardSeconds);
  }

  /** What a rank had on its device after the first round, and how much more after the last. */
  void addMemory(long device, long grown) {
    deviceBytes = Math.max(deviceBytes, device);
    grownBytes = Math.max(grownBytes, grown);
  }

  /** What a rank has allocated on the Java heap, and what it has sent, in one round. */
  void addPass(int rank, long heap, long sent) {
    heapBytes.merge(rank, heap, Math::min);
    sentBytes = Math.max(sentBytes, sent);
  }

  void addDifference(double difference) {
    largestDifference = Math.max(largestDifference, difference);
  }

  CostCase measured() {
    return measured;
  }

  double forwardSeconds() {
    return Median.of(forward.stream().mapToDouble(v -> v));
  }

  double backwardSeconds() {
    return Median.of(backward.stream().mapToDouble(v -> v));
  }

  double seconds() {
    return Median.of(IntStream.range(0, forward.size()).mapToDouble(this::total));
  }

  /** The median over rounds of this case's time divided by the other's in the same round. */
  double ratioTo(CostResult other) {
    return Median.of(
        IntStream.range(0, forward.size()).mapToDouble(i -> total(i) / other.total(i)));
  }

  private double total(int round) {
    return forward.get(round) + backward.get(round);
  }

  long deviceBytes() {
    return deviceBytes;
  }

  long grownBytes() {
    return grownBytes;
  }

  /**
   * Of the rank with most in the round in which it was least: code that is compiled meanwhile
   * allocates, too.
   */
  long heapBytes() {
    return heapBytes.values().stream().mapToLong(Long::longValue).max().orElse(0);
  }

  long sentBytes() {
    return sentBytes;
  }

  double largestDifference() {
    return largestDifference;
  }
}
