// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

/**
 * Where a step's time went on one rank, in seconds. Waiting for slower ranks counts to the part
 * that waits.
 *
 * @param model everything outside attention, forward and backward
 * @param attention attention, forward and backward, with its transfers between ranks
 * @param copies between the framework's memory and the device
 * @param reduction sums over ranks
 * @param optimizer the update
 * @param total the whole step
 */
public record StepTimes(
    double model,
    double attention,
    double copies,
    double reduction,
    double optimizer,
    double total) {}
