// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import java.util.EnumMap;
import java.util.Map;

/** Adds up the time that a step spends in its parts, one at a time. */
final class StepClock {
  enum Part {
    MODEL,
    ATTENTION,
    COPIES,
    REDUCTION,
    OPTIMIZER
  }

  private final Map<Part, Long> nanos = new EnumMap<>(Part.class);
  private Part part = Part.MODEL;
  private long begun;
  private long started;

  /** Starts a step, in the model. */
  void start() {
    nanos.clear();
    part = Part.MODEL;
    started = System.nanoTime();
    begun = started;
  }

  /** Ends the present part and begins another. */
  void enter(Part next) {
    long now = System.nanoTime();
    nanos.merge(part, now - begun, Long::sum);
    begun = now;
    part = next;
  }

  /** Counts seconds of the present part, or of one before, to another. */
  void move(Part from, Part to, double seconds) {
    long moved = Math.round(seconds * 1e9);
    nanos.merge(from, -moved, Long::sum);
    nanos.merge(to, moved, Long::sum);
  }

  /** Ends the step. */
  StepTimes stop() {
    enter(Part.MODEL);
    return new StepTimes(
        seconds(Part.MODEL),
        seconds(Part.ATTENTION),
        seconds(Part.COPIES),
        seconds(Part.REDUCTION),
        seconds(Part.OPTIMIZER),
        (begun - started) * 1e-9);
  }

  private double seconds(Part which) {
    return nanos.getOrDefault(which, 0L) * 1e-9;
  }
}
