// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

/** Limits of options that are numbers. */
public final class Numbers {
  private Numbers() {}

  /**
   * Refuses a number that is too small.
   *
   * @throws BadInputException naming the option and both numbers
   */
  public static void requireAtLeast(String option, int value, int least) {
    if (value < least) {
      throw new BadInputException("%s must be at least %d: %d".formatted(option, least, value));
    }
  }

  /** The multiples of a number that are nearest to a value which is none, as words. */
  public static String nearestMultiples(long value, long number) {
    long below = value / number * number;
    return below > 0 ? below + " or " + (below + number) : String.valueOf(number);
  }
}
