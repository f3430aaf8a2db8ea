// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.acl.Device;
import io.github.cann4j.attention.ContextParallelGroups;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.samples.cli.Progress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;

/**
 * Runs a job: one device first if results are to be compared, then each algorithm on all ranks.
 *
 * <p>Device memory and communicators are closed on success only: after a failure a rank may still
 * hang in the toolkit, and closing would wait for it.
 */
public final class AttentionRuns {
  /** The name of the run that the others are compared with. */
  public static final String ONE_DEVICE = "one device";

  private final LongSequenceJob job;
  private final Progress progress;
  private final AttentionInputs inputs;
  private long referenceRows;

  public AttentionRuns(LongSequenceJob job, Progress progress) {
    this.job = job;
    this.progress = progress;
    inputs = new AttentionInputs(job.config(), job.packed(), job.resetPositions(), job.seed());
  }

  /**
   * Runs everything.
   *
   * @return one device, if results are compared, then the algorithms in their order
   * @throws RankFailedException if a rank failed
   */
  public List<RunResult> run() throws InterruptedException {
    List<RunResult> results = new ArrayList<>();
    List<Device> devices = IntStream.range(0, job.ranks()).mapToObj(Device::open).toList();
    RankTensors oneDevice = null;
    RankCheck check = null;
    if (job.verify()) {
      TimedRun run = new TimedRun(job, ONE_DEVICE, job.oneDevice(), inputs, progress);
      oneDevice = runOneDevice(run, devices.getFirst());
      oneDevice.closeInputs();
      progress.say("reference");
      ReferenceRows reference =
          new ReferenceRows(inputs, job.config(), job.sequence(), job.ranks());
      referenceRows = reference.rows();
      check =
          new RankCheck(
              inputs, reference, oneDevice, job.config().dataType(), job.sequence().validLength());
      run.check(check, oneDevice, 0);
      results.add(run.result());
    }
    List<Communicator> world = Communicator.initAll(devices);
    for (LongSequenceJob.Algorithm algorithm : job.algorithms()) {
      results.add(runAlgorithm(algorithm, devices, world, check));
    }
    world.forEach(Communicator::close);
    if (oneDevice != null) {
      oneDevice.close();
    }
    return results;
  }

  /** Rows that were compared with the double-precision reference. */
  public long referenceRows() {
    return referenceRows;
  }

  private static RankTensors runOneDevice(TimedRun run, Device device) throws InterruptedException {
    AtomicReference<RankTensors> tensors = new AtomicReference<>();
    RankThreads.run(
        1,
        (rank, meeting) -> {
          try (ContextParallelGroups groups = ContextParallelGroups.single(device)) {
            tensors.set(run.run(device, groups, meeting));
          }
        });
    return tensors.get();
  }

  private RunResult runAlgorithm(
      LongSequenceJob.Algorithm algorithm,
      List<Device> devices,
      List<Communicator> world,
      RankCheck check)
      throws InterruptedException {
    TimedRun run = new TimedRun(job, algorithm.name(), algorithm.plan(), inputs, progress);
    RankThreads.run(
        devices.size(),
        (rank, meeting) -> {
          try (ContextParallelGroups groups =
              ContextParallelGroups.create(world.get(rank), algorithm.plan().grid())) {
            RankTensors tensors = run.run(devices.get(rank), groups, meeting);
            if (check != null) {
              run.check(check, tensors, rank);
            }
            tensors.close();
          }
        });
    return run.result();
  }
}
