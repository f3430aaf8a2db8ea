// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.samples.cli.BadInputException;

/**
 * Constants of AdamW (Loshchilov and Hutter, arXiv 1711.05101).
 *
 * @param beta1 decay of the mean of gradients
 * @param beta2 decay of the mean of their squares
 * @param epsilon added to the root of the latter
 * @param weightDecay decoupled from the gradient; not of norms and biases
 * @param clipGradient largest norm of all gradients together; 0 for no limit
 */
public record AdamSettings(
    double beta1, double beta2, double epsilon, double weightDecay, double clipGradient) {
  /** Checks the values; see the parameters. */
  public AdamSettings {
    if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) {
      throw new BadInputException(
          "--adam-beta1 and --adam-beta2 must be at least 0 and below 1, not %s and %s"
              .formatted(beta1, beta2));
    }
    if (!(epsilon > 0)) {
      throw new BadInputException("--adam-eps must be above 0, not " + epsilon);
    }
    if (!(weightDecay >= 0)) {
      throw new BadInputException("--weight-decay must be at least 0, not " + weightDecay);
    }
    if (!(clipGradient >= 0)) {
      throw new BadInputException(
          "--clip-grad must be at least 0, and 0 for no limit, not " + clipGradient);
    }
  }

  /** The usual ones for language models. */
  public static AdamSettings defaults() {
    return new AdamSettings(0.9, 0.95, 1e-8, 0.1, 1.0);
  }
}
