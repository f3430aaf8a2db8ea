// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.attention.ContextParallelAttention;
import io.github.cann4j.attention.ContextParallelGroups;
import io.github.cann4j.attention.PreparedAttention;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.samples.cli.Progress;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** One algorithm on all its ranks: each rank calls {@link #run} on its own thread. */
final class TimedRun {
  private final LongSequenceJob job;
  private final String name;
  private final ContextParallelPlan plan;
  private final AttentionInputs inputs;
  private final Progress progress;
  private final Map<OutputPart, PartCheck> checks = new EnumMap<>(OutputPart.class);
  private long forwardNanos;
  private long backwardNanos;
  private long peakBytes;
  private long sentBytes;

  TimedRun(
      LongSequenceJob job,
      String name,
      ContextParallelPlan plan,
      AttentionInputs inputs,
      Progress progress) {
    this.job = job;
    this.name = name;
    this.plan = plan;
    this.inputs = inputs;
    this.progress = progress;
  }

  /**
   * Runs one rank: makes its tensors, repeats forward and backward, and measures.
   *
   * @return the tensors with the results; the caller closes them
   */
  RankTensors run(Device device, ContextParallelGroups groups, RankThreads.Meeting meeting)
      throws Exception {
    boolean first = groups.cpRank() == 0;
    if (first) {
      progress.say(name + ": inputs");
    }
    long allocatedBefore = device.allocatedBytes();
    device.resetPeakAllocatedBytes();
    List<RowRange> shard = plan.shard(groups.cpRank());
    RankTensors tensors = new RankTensors(device, job.config(), inputs, shard);
    try (Stream stream = device.createStream();
        ContextParallelAttention attention =
            ContextParallelAttention.create(job.config(), groups, stream);
        PreparedAttention prepared = prepare(attention, tensors)) {
      if (first) {
        progress.step();
        progress.say(name + ": forward and backward");
      }
      for (int i = -job.warmup(); i < 0; i++) {
        pass(prepared, stream, meeting, first, false);
      }
      long sentBefore = groups.bytesSent();
      for (int i = 0; i < job.iterations(); i++) {
        pass(prepared, stream, meeting, first, true);
      }
      record(
          device.peakAllocatedBytes() - allocatedBefore,
          (groups.bytesSent() - sentBefore) / job.iterations());
    }
    return tensors;
  }

  private PreparedAttention prepare(ContextParallelAttention attention, RankTensors tensors) {
    return attention.prepare(
        plan,
        tensors.input(Part.QUERY),
        tensors.input(Part.KEY),
        tensors.input(Part.VALUE),
        tensors.output(OutputPart.OUT),
        tensors.input(Part.OUT_GRADIENT),
        tensors.output(OutputPart.QUERY_GRADIENT),
        tensors.output(OutputPart.KEY_GRADIENT),
        tensors.output(OutputPart.VALUE_GRADIENT));
  }

  /** All ranks start together; a pass ends when the last one is done. */
  private void pass(
      PreparedAttention prepared,
      Stream stream,
      RankThreads.Meeting meeting,
      boolean first,
      boolean timed)
      throws Exception {
    long begin = meeting.await();
    prepared.forward();
    RankThreads.await(stream);
    long middle = meeting.await();
    if (first) {
      progress.step();
    }
    prepared.backward();
    RankThreads.await(stream);
    long end = meeting.await();
    if (first) {
      progress.step();
    }
    if (first && timed) {
      forwardNanos += middle - begin;
      backwardNanos += end - middle;
    }
  }

  private synchronized void record(long peak, long sent) {
    peakBytes = Math.max(peakBytes, peak);
    sentBytes = Math.max(sentBytes, sent);
  }

  /** Compares the results of a rank, on its thread. */
  void check(RankCheck check, RankTensors tensors, int rank) {
    if (rank == 0) {
      progress.say(name + ": check");
    }
    for (OutputPart part : OutputPart.values()) {
      PartCheck found = check.compare(part, tensors, plan.shard(rank));
      synchronized (this) {
        checks.merge(
            part,
            found,
            (all, one) -> {
              all.add(one);
              return all;
            });
      }
    }
    if (rank == 0) {
      progress.step();
    }
  }

  /** What was measured, after all ranks have ended. */
  synchronized RunResult result() {
    double forward = forwardNanos * 1e-6 / job.iterations();
    double backward = backwardNanos * 1e-6 / job.iterations();
    double flops = job.forwardFlops() + job.backwardFlops();
    return new RunResult(
        name,
        plan.grid().size(),
        forward,
        backward,
        flops / (forward + backward) * 1e-9,
        peakBytes,
        sentBytes,
        new ArrayList<>(checks.values()));
  }
}
