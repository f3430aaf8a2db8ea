// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.samples.cli.BadInputException;

/**
 * What the documents of a packed sequence mean for training.
 *
 * @param resetPositionIds whether position ids restart at 0 in each document
 * @param resetAttentionMask whether tokens attend inside their document only, and predict no token
 *     of the next one
 * @param neatPack whether documents are the samples that were packed instead of what EOD tokens end
 * @param eodMaskLoss whether rows that hold an EOD token predict nothing, wherever they are
 */
public record DocumentRules(
    boolean resetPositionIds, boolean resetAttentionMask, boolean neatPack, boolean eodMaskLoss) {
  /** Refuses contradictions. */
  public DocumentRules {
    if (neatPack && !resetAttentionMask) {
      throw new BadInputException(
          "--neat-pack separates samples, which --no-reset-attention-mask joins; leave one of them"
              + " out");
    }
  }

  /** Documents end at EOD tokens; positions and attention are reset there. */
  public static DocumentRules reset() {
    return new DocumentRules(true, true, false, false);
  }
}
