// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.bandwidth;

import io.github.cann4j.samples.cli.BadInputException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes from a smallest to a largest one, each a factor larger than the one before. */
public final class SizeSweep {
  private static final Pattern SIZE = Pattern.compile("(\\d{1,15})([KMG]?)B?");

  private SizeSweep() {}

  /**
   * Reads a size such as {@code 8}, {@code 64K}, {@code 4M} or {@code 1G}, in powers of 1024.
   *
   * @param option what it was given with
   */
  public static long parse(String option, String text) {
    Matcher matcher = SIZE.matcher(text.toUpperCase(Locale.ROOT));
    if (!matcher.matches()) {
      throw new BadInputException(
          "%s '%s' is no size; write bytes, or a number with K, M or G".formatted(option, text));
    }
    int shift =
        switch (matcher.group(2)) {
          case "K" -> 10;
          case "M" -> 20;
          case "G" -> 30;
          default -> 0;
        };
    long number = Long.parseLong(matcher.group(1));
    if (number > Long.MAX_VALUE >> shift) {
      throw new BadInputException("%s '%s' is too large".formatted(option, text));
    }
    return number << shift;
  }

  /** The sizes in bytes. */
  public static List<Long> of(long smallest, long largest, int factor) {
    if (smallest < 1 || largest < smallest) {
      throw new BadInputException(
          "sizes must satisfy 1 <= --minbytes <= --maxbytes, not %d and %d"
              .formatted(smallest, largest));
    }
    if (factor < 2) {
      throw new BadInputException("--stepfactor must be at least 2: " + factor);
    }
    List<Long> sizes = new ArrayList<>();
    for (long size = smallest; size <= largest; size *= factor) {
      sizes.add(size);
      if (size > largest / factor) {
        break;
      }
    }
    return sizes;
  }
}
