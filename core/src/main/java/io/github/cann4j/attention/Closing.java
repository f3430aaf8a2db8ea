// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

/** Gives back several resources although giving back one of them fails. */
final class Closing {
  private Closing() {}

  /** Takes all steps in order; the first failure is thrown in the end, the others are added to it. */
  static void inOrder(Runnable... steps) {
    RuntimeException failure = null;
    for (Runnable step : steps) {
      try {
        step.run();
      } catch (RuntimeException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
