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
}
