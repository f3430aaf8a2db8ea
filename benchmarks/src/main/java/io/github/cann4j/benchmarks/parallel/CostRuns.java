// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.parallel;

import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.HalfFloats;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.benchmarks.parallel.GlobalTensors.Part;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.samples.run.RankThreads;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * Runs all cases of a job on the same cores. They take turns, in an order that is turned round from
 * round to round, so that what changes on the machine meanwhile meets all of them.
 */
final class CostRuns {
  private static final List<Part> COMPARED = List.of(Part.OUT, Part.D_Q, Part.D_K, Part.D_V);
  private static final long COMPARED_AT_ONCE = 1 << 18;

  private final CostJob job;
  private final GlobalTensors global;
  private final List<CostResult> results;
  private final Map<Integer, List<Communicator>> worlds = new TreeMap<>();
  private List<MemorySegment> collected;
  private List<MemorySegment> expected;

  CostRuns(CostJob job) {
    this.job = job;
    global = new GlobalTensors(job.config(), job.sequence().length());
    results = job.cases().stream().map(CostResult::new).toList();
  }

  List<CostResult> run() throws InterruptedException {
    List<Device> devices = IntStream.range(0, job.mostRanks()).mapToObj(Device::open).toList();
    for (CostCase one : job.cases()) {
      if (one.ranks() > 1) {
        worlds.computeIfAbsent(
            one.ranks(), ranks -> Communicator.initAll(devices.subList(0, ranks)));
      }
    }
    RankThreads.run(job.mostRanks(), (rank, meeting) -> run(rank, devices.get(rank), meeting));
    worlds.values().forEach(world -> world.forEach(Communicator::close));
    return results;
  }

  private void run(int rank, Device device, RankThreads.Meeting meeting) throws Exception {
    RankCase[] own = new RankCase[job.cases().size()];
    long[] deviceBytes = new long[job.cases().size()];
    for (int i = 0; i < job.cases().size(); i++) {
      CostCase one = job.cases().get(i);
      long before = device.allocatedBytes();
      device.resetPeakAllocatedBytes();
      if (rank < one.ranks()) {
        Communicator world = one.ranks() == 1 ? null : worlds.get(one.ranks()).get(rank);
        own[i] = new RankCase(job.config(), one.plan(), device, world, global);
      }
      pass(i, rank, own, meeting, false);
      deviceBytes[i] = device.peakAllocatedBytes() - before;
      compare(i, rank, own, meeting);
    }
    long afterFirst = device.allocatedBytes();
    device.resetPeakAllocatedBytes();
    for (int round = 0; round < job.rounds(); round++) {
      for (int i = 0; i < own.length; i++) {
        pass(round % 2 == 1 ? i : own.length - 1 - i, rank, own, meeting, true);
      }
    }
    synchronized (this) {
      for (int i = 0; i < job.cases().size(); i++) {
        if (own[i] != null) {
          results.get(i).addMemory(deviceBytes[i], device.peakAllocatedBytes() - afterFirst);
        }
      }
    }
    meeting.await();
    for (RankCase one : own) {
      if (one != null) {
        one.close();
      }
    }
  }

  /** All ranks of a case start together; a pass ends when the last one is done. */
  private void pass(
      int index, int rank, RankCase[] own, RankThreads.Meeting meeting, boolean counts)
      throws Exception {
    RankCase mine = own[index];
    long sentBefore = mine == null ? 0 : mine.bytesSent();
    long begin = meeting.await();
    if (mine != null) {
      mine.forward();
    }
    long middle = meeting.await();
    if (mine != null) {
      mine.backward();
    }
    long end = meeting.await();
    if (!counts) {
      return;
    }
    synchronized (this) {
      if (rank == 0) {
        results.get(index).addRound((middle - begin) * 1e-9, (end - middle) * 1e-9);
      }
      if (mine != null) {
        results.get(index).addPass(rank, mine.heapBytes(), mine.bytesSent() - sentBefore);
      }
    }
  }

  /** All results of the case against those of the first one. */
  private void compare(int index, int rank, RankCase[] own, RankThreads.Meeting meeting)
      throws Exception {
    AttentionConfig config = job.config();
    if (rank == 0) {
      collected =
          COMPARED.stream()
              .map(p -> Arena.ofAuto().allocate(job.sequence().length() * p.bytesPerRow(config)))
              .toList();
    }
    meeting.await();
    if (own[index] != null) {
      for (int i = 0; i < COMPARED.size(); i++) {
        own[index].collect(COMPARED.get(i), collected.get(i));
      }
    }
    meeting.await();
    if (rank == 0) {
      if (expected == null) {
        expected = collected;
      }
      for (int i = 0; i < COMPARED.size(); i++) {
        results.get(index).addDifference(largestDifference(collected.get(i), expected.get(i)));
      }
      collected = null;
    }
  }

  private double largestDifference(MemorySegment found, MemorySegment wanted) {
    double largest = 0;
    for (long at = 0; at < found.byteSize(); at += COMPARED_AT_ONCE) {
      long bytes = Math.min(COMPARED_AT_ONCE, found.byteSize() - at);
      float[] a = HalfFloats.decode(job.config().dataType(), found.asSlice(at, bytes));
      float[] b = HalfFloats.decode(job.config().dataType(), wanted.asSlice(at, bytes));
      for (int i = 0; i < a.length; i++) {
        double difference = Math.abs((double) a[i] - b[i]);
        largest = difference > largest || Double.isNaN(difference) ? difference : largest;
      }
    }
    return largest;
  }
}
