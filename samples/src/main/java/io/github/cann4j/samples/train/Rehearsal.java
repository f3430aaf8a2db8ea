// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.acl.Device;
import io.github.cann4j.attention.ContextParallelGroups;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.samples.run.RankThreads;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** What a training would do, without doing it. */
public final class Rehearsal {
  private final TrainingConfig config;

  public Rehearsal(TrainingConfig config) {
    this.config = config;
  }

  /** Plans of all micro batches of the first step, those of all replicas. */
  public List<ContextParallelPlan> firstStep(PackedDataset data) {
    DataOrder order = new DataOrder(data.sequences(), config.seed());
    int micro = config.microBatchSize();
    return IntStream.range(0, config.globalBatchSize() / micro)
        .mapToObj(
            batch ->
                LongStream.range((long) batch * micro, (batch + 1L) * micro)
                    .map(order::at)
                    .toArray())
        .map(sequences -> MicroBatch.read(data, sequences, config.documents()))
        .map(batch -> RankRows.plan(batch, config.parallelism()))
        .toList();
  }

  /**
   * Device memory of a plan's ranks, without the kernels' workspace. Prepares two layers on a
   * device for each rank and adds as many times what the second took as there are more.
   *
   * @return bytes of each context-parallel rank
   */
  public long[] deviceBytes(ContextParallelPlan plan) throws InterruptedException {
    long[] one = deviceBytes(plan, 1);
    if (config.model().layers() == 1) {
      return one;
    }
    long[] two = deviceBytes(plan, 2);
    return IntStream.range(0, one.length)
        .mapToLong(rank -> one[rank] + (config.model().layers() - 1) * (two[rank] - one[rank]))
        .toArray();
  }

  private long[] deviceBytes(ContextParallelPlan plan, int layers) throws InterruptedException {
    int ranks = plan.grid().size();
    List<Device> devices = IntStream.range(0, ranks).mapToObj(Device::open).toList();
    long[] before = devices.stream().mapToLong(Device::allocatedBytes).toArray();
    List<Communicator> world = Communicator.initAll(devices);
    long[] bytes = new long[ranks];
    RankThreads.run(
        ranks,
        (rank, meeting) -> {
          Device device = devices.get(rank);
          Communicator own = world.get(rank);
          try (ExitGate gate = new ExitGate();
              ContextParallelGroups groups = ContextParallelGroups.create(own, plan.grid());
              AttentionBridge attention =
                  new AttentionBridge(config.attention(), layers, groups, new StepClock(), gate);
              WorldSums sums =
                  new WorldSums(device, Optional.of(own), config.model().parameters(), gate)) {
            attention.begin(plan);
            bytes[rank] = device.allocatedBytes() - before[rank];
          }
        });
    world.forEach(Communicator::close);
    return bytes;
  }
}
