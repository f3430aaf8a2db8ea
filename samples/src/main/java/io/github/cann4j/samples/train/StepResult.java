// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

/**
 * What one training step did, the same on every rank but for the times.
 *
 * @param iteration steps done since the beginning of training, this one included
 * @param loss mean loss of the predicted tokens of the global batch, before the update
 * @param tokens tokens of the global batch, without padding
 * @param predictedTokens tokens that count in the loss
 * @param gradientNorm of all parameters together, before clipping
 * @param learningRate of the update
 * @param epoch passes over the data that were begun before the step ended, from 0
 * @param linearFlops floating-point operations outside attention, of all ranks together
 * @param attentionFlops floating-point operations inside attention, of all ranks together
 * @param times of this rank
 */
public record StepResult(
    int iteration,
    double loss,
    long tokens,
    long predictedTokens,
    double gradientNorm,
    double learningRate,
    long epoch,
    double linearFlops,
    double attentionFlops,
    StepTimes times) {}
