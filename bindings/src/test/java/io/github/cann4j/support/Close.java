// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.support;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import io.github.cann4j.acl.DataType;

/** The project's tolerances: |error| ≤ atol + rtol·|expected|. */
public final class Close {
  private Close() {}

  /** Checks results of a forward operator. */
  public static void forward(DataType type, double[] expected, float[] actual, String what) {
    switch (type) {
      case FLOAT -> check(2e-5, 1e-5, expected, actual, what);
      case FLOAT16 -> check(5e-3, 0x1p-10, expected, actual, what);
      default -> check(2.5e-2, 0x1p-7, expected, actual, what);
    }
  }

  /** Checks gradients. */
  public static void gradient(DataType type, double[] expected, float[] actual, String what) {
    if (type == DataType.FLOAT) {
      check(1e-4, 1e-5, expected, actual, what);
    } else {
      forward(type, expected, actual, what);
    }
  }

  /** Checks with given tolerances; NaN never passes. */
  public static void check(
      double atol, double rtol, double[] expected, float[] actual, String what) {
    assertEquals(expected.length, actual.length, what);
    for (int i = 0; i < actual.length; i++) {
      double error = Math.abs(actual[i] - expected[i]);
      if (!(error <= atol + rtol * Math.abs(expected[i]))) {
        fail("%s[%d] is %s, expected %s".formatted(what, i, actual[i], expected[i]));
      }
    }
  }
}
