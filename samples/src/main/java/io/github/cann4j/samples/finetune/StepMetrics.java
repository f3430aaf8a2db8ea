// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

/**
 * What one training step showed; a line of the metrics file.
 *
 * @param iteration number of the step, from 1
 * @param loss mean loss of the trained tokens of the global batch
 * @param gradNorm norm of all gradients before clipping
 * @param learningRate learning rate of this step
 * @param tokens tokens of the global batch, padding left out
 * @param trainedTokens tokens that the loss counts
 * @param stepMillis time of the step
 * @param tokensPerSecond tokens of the global batch per second
 * @param teraflopsPerRank 10¹² floating-point operations per second and rank, forward and backward
 * @param deviceMebibytes device memory of this rank
 */
public record StepMetrics(
    long iteration,
    double loss,
    double gradNorm,
    double learningRate,
    long tokens,
    long trainedTokens,
    double stepMillis,
    double tokensPerSecond,
    double teraflopsPerRank,
    double deviceMebibytes) {}
