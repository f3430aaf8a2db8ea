// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.bandwidth;

/**
 * One size of one collective.
 *
 * @param collective the operation
 * @param ranks how many took part
 * @param bytes S, see {@link Collective}
 * @param count elements in the column {@code count}
 * @param micros mean time of one operation in microseconds
 * @param wrong elements with a wrong value, over all ranks
 */
public record Measurement(
    Collective collective, int ranks, long bytes, long count, double micros, long wrong) {

  /** S / time in 10^9 bytes per second. */
  public double algorithmBandwidth() {
    return bytes / micros * 1e-3;
  }

  /** Comparable between numbers of ranks, in 10^9 bytes per second. */
  public double busBandwidth() {
    return algorithmBandwidth() * collective.busFactor(ranks);
  }
}
