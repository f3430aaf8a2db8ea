// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.worker;

import io.github.cann4j.benchmarks.attention.AttentionShape;

/**
 * What a worker is told to do; a line of JSON on its standard input.
 *
 * @param number the case, counted from 0 in the order of preparation
 * @param shape of a PREPARE, else null
 */
public record Request(Action action, int number, AttentionShape shape) {
  /** The kinds of requests. */
  public enum Action {
    /** Answers with a text. */
    DESCRIBE,
    /** Makes the inputs of one more case. */
    PREPARE,
    /** A forward pass of a case; answers with its time. */
    FORWARD,
    /** A backward pass. */
    BACKWARD,
    /** Some values of the output. */
    SAMPLE_OUT,
    /** Some values of the output and, after a backward pass, of the gradients. */
    SAMPLE_ALL,
    /** Frees all cases; counting starts at 0 again. */
    CLEAR
  }
}
