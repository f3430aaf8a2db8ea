// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.acl.Device;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.CommunicatorOptions;
import java.util.Optional;

/**
 * Where a rank computes.
 *
 * @param device of attention and sums
 * @param world all ranks, replica by replica, in each the context-parallel ranks in order; empty
 *     for one rank alone; stays the caller's
 * @param options of the communicators that are made from it, without a name
 * @param threads of the host for everything outside attention; 0 leaves it to the framework. Only
 *     the first trainer of a process can choose
 */
public record RankPlace(
    Device device, Optional<Communicator> world, CommunicatorOptions options, int threads) {
  /** One rank alone. */
  public static RankPlace alone(Device device) {
    return new RankPlace(device, Optional.empty(), CommunicatorOptions.defaults(), 0);
  }

  /** {@return this rank in the world} */
  public int rank() {
    return world.map(Communicator::rank).orElse(0);
  }

  /** {@return number of ranks in the world} */
  public int size() {
    return world.map(Communicator::size).orElse(1);
  }
}
