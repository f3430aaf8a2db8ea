// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.training.tracker.LinearTracker;
import ai.djl.training.tracker.Tracker;
import ai.djl.training.tracker.WarmUpTracker;
import io.github.cann4j.samples.cli.BadInputException;

/**
 * The learning rate over the steps of a training.
 *
 * @param style its form after the warm-up
 * @param peak rate at the end of the warm-up
 * @param minimum rate at the last step; equals {@code peak} for a constant one or is not used
 * @param warmUpSteps steps in which the rate grows from 0
 * @param decaySteps steps, warm-up included, after which the minimum is reached
 */
public record LearningRateSchedule(
    Style style, double peak, double minimum, int warmUpSteps, int decaySteps) {
  /** Forms of a schedule, under the names that {@code --lr-decay-style} gives them. */
  public enum Style {
    CONSTANT,
    LINEAR,
    COSINE
  }

  /** Checks the values; see the parameters. */
  public LearningRateSchedule {
    if (!(peak > 0) || !(minimum >= 0) || minimum > peak) {
      throw new BadInputException(
          "--lr must be above 0 and --min-lr between 0 and it, not %s and %s"
              .formatted(peak, minimum));
    }
    if (warmUpSteps < 0 || decaySteps < 1 || warmUpSteps >= decaySteps) {
      throw new BadInputException(
          "the warm-up of %d steps must be shorter than the %d steps until the learning rate has decayed; use at most %d"
              .formatted(warmUpSteps, decaySteps, Math.max(0, decaySteps - 1)));
    }
  }

  /** The schedule as DJL has it: its value of 0 is the rate of the first step. */
  public Tracker tracker() {
    int steps = decaySteps - warmUpSteps;
    Tracker main =
        switch (style) {
          case CONSTANT -> Tracker.fixed((float) peak);
          case LINEAR ->
              LinearTracker.builder()
                  .setBaseValue((float) peak)
                  .optSlope((float) ((minimum - peak) / steps))
                  .optMaxUpdates(steps)
                  .build();
          case COSINE ->
              Tracker.cosine()
                  .setBaseValue((float) peak)
                  .optFinalValue((float) minimum)
                  .setMaxUpdates(steps)
                  .build();
        };
    if (warmUpSteps == 0) {
      return main;
    }
    return WarmUpTracker.builder()
        .setMainTracker(main)
        .optWarmUpSteps(warmUpSteps)
        .optWarmUpBeginValue((float) (peak / warmUpSteps))
        .build();
  }
}
