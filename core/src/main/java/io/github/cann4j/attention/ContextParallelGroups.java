// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.CommunicatorOptions;
import io.github.cann4j.plan.CpGrid;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The communicators of one rank of a context-parallel grid: its ring (ranks with the same Ulysses rank) and its Ulysses
 * group (ranks with the same ring rank). Used by the thread that computes; all HCCL calls of its device are to come from
 * that thread.
 *
 * <p>All attention objects on these groups make their transfers on one stream, which this object owns: HCCL wants the
 * operations of a communicator one after the other. A caller who also uses one of the communicators orders those
 * operations by events, or synchronizes between. Closed after the attention objects. Not thread-safe.
 */
public final class ContextParallelGroups implements AutoCloseable {
  private final Device device;
  private final CpGrid grid;
  private final int cpRank;
  private final Optional<Communicator> ring;
  private final Optional<Communicator> ulysses;
  private final List<Communicator> owned;
  private Stream exchange;
  private boolean closed;

  private ContextParallelGroups(
      Device device,
      CpGrid grid,
      int cpRank,
      Optional<Communicator> ring,
      Optional<Communicator> ulysses,
      List<Communicator> owned) {
    this.device = device;
    this.grid = grid;
    this.cpRank = cpRank;
    this.ring = ring;
    this.ulysses = ulysses;
    this.owned = owned;
  }

  /**
   * Makes the groups of a grid that spans a whole communicator, rank for rank. Collective and blocking: every rank calls
   * it with the same grid. Where the grid is a plain ring or plain Ulysses the communicator itself is used; a hybrid
   * makes two sub-communicators ({@code HcclCreateSubCommConfig}), which this object owns and closes.
   *
   * @param world a communicator from root info or cluster info, not a sub-communicator; stays the caller's
   * @param grid its size is that of {@code world}
   * @return the groups of this rank
   * @throws IllegalArgumentException if the sizes differ
   * @throws io.github.cann4j.hccl.HcclException if a sub-communicator cannot be made
   */
  public static ContextParallelGroups create(Communicator world, CpGrid grid) {
    return create(
        world,
        IntStream.range(0, world.size()).boxed().toList(),
        grid,
        0,
        CommunicatorOptions.defaults());
  }

  /**
   * Makes the groups of a grid over some ranks of a communicator, such as one of several data-parallel replicas.
   * Collective and blocking for these ranks.
   *
   * @param world a communicator from root info or cluster info, not a sub-communicator; stays the caller's
   * @param cpRanks ranks in {@code world} of the CP ranks 0, 1, …; contains the caller's
   * @param grid its size is that of {@code cpRanks}
   * @param groupIndex number of this grid among those made from {@code world} and not closed yet, from 0, also of those
   *     of other sizes; the same on the grid's ranks. Makes the sub-communicators' ids distinct
   * @param options of the sub-communicators, without a name since there may be two; each takes device memory of twice
   *     the buffer size (200 MB, or {@code HCCL_BUFFSIZE}, if none is given)
   * @return the groups of this rank
   * @throws IllegalArgumentException if sizes differ, the caller's rank is not in {@code cpRanks}, the index is
   *     negative, or the options have a name
   * @throws io.github.cann4j.hccl.HcclException if a sub-communicator cannot be made
   */
  public static ContextParallelGroups create(
      Communicator world,
      List<Integer> cpRanks,
      CpGrid grid,
      int groupIndex,
      CommunicatorOptions options) {
    int cpRank = cpRanks.indexOf(world.rank());
    if (cpRanks.size() != grid.size() || cpRank < 0) {
      throw new IllegalArgumentException(
          "%s needs %d ranks, one of them rank %d of the communicator, not %s"
              .formatted(grid, grid.size(), world.rank(), cpRanks));
    }
    if (groupIndex < 0) {
      throw new IllegalArgumentException("groupIndex must be at least 0, not " + groupIndex);
    }
    if (!options.name().isEmpty()) {
      throw new IllegalArgumentException(
          "the name '%s' cannot serve ring and Ulysses communicators both; leave it out"
              .formatted(options.name()));
    }
    int ringRank = grid.ringRank(cpRank);
    int ulyssesRank = grid.ulyssesRank(cpRank);
    boolean whole = cpRanks.equals(IntStream.range(0, world.size()).boxed().toList());
    if (whole && (grid.ringDegree() == 1 || grid.ulyssesDegree() == 1)) {
      return new ContextParallelGroups(
          world.device(),
          grid,
          cpRank,
          grid.ringDegree() > 1 ? Optional.of(world) : Optional.empty(),
          grid.ulyssesDegree() > 1 ? Optional.of(world) : Optional.empty(),
          List.of());
    }
    // By the world's size, so that grids of different sizes never share an id.
    long firstId = (long) groupIndex * 2 * world.size();
    Optional<Communicator> ring =
        grid.ringDegree() == 1
            ? Optional.empty()
            : world.split(
                IntStream.range(0, grid.ringDegree())
                    .mapToObj(r -> cpRanks.get(grid.cpRank(r, ulyssesRank)))
                    .toList(),
                firstId + ulyssesRank,
                options);
    Optional<Communicator> ulysses;
    try {
      ulysses =
          grid.ulyssesDegree() == 1
              ? Optional.empty()
              : world.split(
                  IntStream.range(0, grid.ulyssesDegree())
                      .mapToObj(u -> cpRanks.get(grid.cpRank(ringRank, u)))
                      .toList(),
                  firstId + grid.size() + ringRank,
                  options);
    } catch (RuntimeException e) {
      ring.ifPresent(Communicator::close);
      throw e;
    }
    return new ContextParallelGroups(
        world.device(),
        grid,
        cpRank,
        ring,
        ulysses,
        java.util.stream.Stream.of(ring, ulysses).flatMap(Optional::stream).toList());
  }

  /**
   * Uses communicators that exist, for example because they were made from a sub-communicator's members, which CANN
   * cannot split again. They stay the caller's.
   *
   * @param device of this rank
   * @param grid the grid
   * @param cpRank this rank's place in it
   * @param ring ranks in ring order; empty exactly if the ring degree is 1
   * @param ulysses ranks in Ulysses order; empty exactly if the Ulysses degree is 1
   * @return the groups
   * @throws IllegalArgumentException if a communicator's size, rank or device does not fit
   */
  public static ContextParallelGroups of(
      Device device,
      CpGrid grid,
      int cpRank,
      Optional<Communicator> ring,
      Optional<Communicator> ulysses) {
    requireFitting("ring", device, ring, grid.ringDegree(), grid.ringRank(cpRank));
    requireFitting("Ulysses", device, ulysses, grid.ulyssesDegree(), grid.ulyssesRank(cpRank));
    return new ContextParallelGroups(device, grid, cpRank, ring, ulysses, List.of());
  }

  /**
   * The group of one rank alone, which computes everything itself.
   *
   * @param device of the rank
   * @return the group
   */
  public static ContextParallelGroups single(Device device) {
    return new ContextParallelGroups(
        device, new CpGrid(1, 1), 0, Optional.empty(), Optional.empty(), List.of());
  }

  private static void requireFitting(
      String name, Device device, Optional<Communicator> communicator, int degree, int rank) {
    boolean fits =
        communicator
            .map(c -> c.size() == degree && c.rank() == rank && c.device().id() == device.id())
            .orElse(degree == 1);
    if (!fits) {
      throw new IllegalArgumentException(
          "the %s communicator must be rank %d of %d on device %d, not %s"
              .formatted(
                  name,
                  rank,
                  degree,
                  device.id(),
                  communicator
                      .map(
                          c ->
                              "rank %d of %d on device %d"
                                  .formatted(c.rank(), c.size(), c.device().id()))
                      .orElse("absent")));
    }
  }

  /** {@return the device of this rank} */
  public Device device() {
    return device;
  }

  /** {@return the grid} */
  public CpGrid grid() {
    return grid;
  }

  /** {@return this rank's place in the grid} */
  public int cpRank() {
    return cpRank;
  }

  /** {@return this rank's place in its ring} */
  public int ringRank() {
    return grid.ringRank(cpRank);
  }

  /** {@return this rank's place in its Ulysses group} */
  public int ulyssesRank() {
    return grid.ulyssesRank(cpRank);
  }

  /** {@return the ring's communicator, empty for a ring degree of 1} */
  public Optional<Communicator> ring() {
    return ring;
  }

  /** {@return the Ulysses group's communicator, empty for a Ulysses degree of 1} */
  public Optional<Communicator> ulysses() {
    return ulysses;
  }

  /** {@return payload bytes this rank has sent to others through these communicators since they were made} */
  public long bytesSent() {
    return ring.map(Communicator::bytesSent).orElse(0L)
        + ulysses.map(Communicator::bytesSent).orElse(0L);
  }

  /** The stream of all transfers. */
  Stream exchange() {
    requireOpen();
    if (exchange == null) {
      exchange = device.createStream();
    }
    return exchange;
  }

  /** Throws unless transfers can be submitted. */
  void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the context-parallel groups are closed");
    }
    ring.ifPresent(Communicator::handle);
    ulysses.ifPresent(Communicator::handle);
  }

  /**
   * Waits for the transfers and closes what this object made: their stream, and the communicators that are not the
   * caller's. Collective, like their creation. Idempotent.
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    Closing.inOrder(
        () -> Optional.ofNullable(exchange).ifPresent(Stream::close),
        () -> Closing.inOrder(owned.stream().<Runnable>map(c -> c::close).toArray(Runnable[]::new)));
  }
}
