// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

/** One implementation of attention in a process of its own. Called by one thread. */
public interface AttentionRunner extends AutoCloseable {
  /** Its version, and what else may matter to its speed. */
  String description();

  /** Makes the inputs of one more case; see {@link AttentionInputs}. */
  Prepared prepare(AttentionShape shape);

  @Override
  default void close() {}

  /** Inputs and results of one case. */
  interface Prepared extends AutoCloseable {
    /** Computes the output, until it is there. */
    void forward();

    /** Computes the three gradients of the last forward pass, until they are there. */
    void backward();

    /** Values of the result at the places that {@link AttentionInputs#places} gives. */
    double[] sample(Result result);

    @Override
    void close();
  }

  /** What a run leaves behind. */
  enum Result {
    OUT,
    QUERY_GRADIENT,
    KEY_GRADIENT,
    VALUE_GRADIENT
  }
}
