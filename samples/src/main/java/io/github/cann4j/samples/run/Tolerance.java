// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.acl.DataType;

/**
 * When two numbers count as equal: {@code |error| <= absolute + relative * |expected|}.
 *
 * @param absolute the part that does not depend on the number
 * @param relative the part that grows with it
 */
public record Tolerance(double absolute, double relative) {
  /** The tolerance of a data type, for the output or for gradients. */
  public static Tolerance of(DataType type, boolean gradient) {
    return switch (type) {
      case FLOAT -> new Tolerance(gradient ? 1e-4 : 2e-5, 1e-5);
      case BF16 -> new Tolerance(2.5e-2, 0x1p-7);
      case FLOAT16 -> new Tolerance(5e-3, 0x1p-10);
      default -> throw new IllegalArgumentException("no tolerance is known for " + type);
    };
  }

  /** The error in units of what is allowed: up to 1 is equal. */
  double ratio(double actual, double expected) {
    double error = Math.abs(actual - expected);
    return Double.isNaN(error)
        ? Double.POSITIVE_INFINITY
        : error / (absolute + relative * Math.abs(expected));
  }
}
