// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.benchmarks.attention.AttentionRunner.Result;
import io.github.cann4j.benchmarks.worker.WorkerException;
import java.util.Arrays;
import java.util.List;

/** Whether two implementations compute the same: one that does not is no peer. */
final class Agreement {
  private Agreement() {}

  /**
   * Compares values of results.
   *
   * @throws WorkerException if some differ by more than their type explains
   */
  static void require(
      String peer, AttentionShape shape, List<double[]> own, List<double[]> others) {
    for (int r = 0; r < own.size(); r++) {
      double[] expected = own.get(r);
      double largest = Arrays.stream(expected).map(Math::abs).max().orElse(0);
      for (int i = 0; i < expected.length; i++) {
        double difference = Math.abs(expected[i] - others.get(r)[i]);
        if (!(difference <= tolerance(shape.type()) * largest)) {
          throw new WorkerException(
              "%s computes something else in %s, %s, S %d: %s at %s is %g, cann4j's %g"
                  .formatted(
                      peer,
                      shape.typeName(),
                      shape.headSizes(),
                      shape.length(),
                      Result.values()[r],
                      AttentionInputs.places(shape, Result.values()[r])[i],
                      others.get(r)[i],
                      expected[i]));
        }
      }
    }
  }

  private static double tolerance(DataType type) {
    return switch (type) {
      case FLOAT -> 1e-4;
      case FLOAT16 -> 1e-2;
      default -> 3e-2;
    };
  }
}
