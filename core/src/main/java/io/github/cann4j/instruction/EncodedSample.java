// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.instruction;

/**
 * A sample as tokens. The arrays are not copied.
 *
 * @param tokens ids; the last one is EOD
 * @param targets whether token {@code i} is to be predicted, from the tokens before it: true in
 *     responses and their end tokens, false in prompts
 */
public record EncodedSample(int[] tokens, boolean[] targets) {
  /**
   * Checks the lengths.
   *
   * @throws IllegalArgumentException if the arrays have different lengths or no elements
   */
  public EncodedSample {
    if (tokens.length != targets.length || tokens.length == 0) {
      throw new IllegalArgumentException(
          "a sample has as many targets as tokens and at least one, not %d and %d"
              .formatted(targets.length, tokens.length));
    }
  }

  /** {@return number of tokens} */
  public int length() {
    return tokens.length;
  }

  /** {@return number of tokens to be predicted} */
  public int targetCount() {
    int count = 0;
    for (boolean target : targets) {
      count += target ? 1 : 0;
    }
    return count;
  }
}
