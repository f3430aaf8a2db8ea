// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.bandwidth;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.samples.run.RankThreads;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Times collectives over a sweep of sizes as nccl-tests does: warm-up operations first, then a
 * number of them enqueued one after the other and timed together, then one whose result is checked.
 */
public final class BandwidthRun {
  /** Elements on their way between host and device. */
  private static final int BLOCK = 1 << 16;

  private final int ranks;
  private final int warmup;
  private final int iterations;

  public BandwidthRun(int ranks, int warmup, int iterations) {
    this.ranks = ranks;
    this.warmup = warmup;
    this.iterations = iterations;
  }

  /**
   * Runs one collective.
   *
   * @param sizes wanted sizes S in bytes
   * @param consumer gets each measurement as soon as it is there
   */
  public void run(Collective collective, List<Long> sizes, Consumer<Measurement> consumer)
      throws InterruptedException {
    List<Device> devices = IntStream.range(0, ranks).mapToObj(Device::open).toList();
    List<Communicator> world = Communicator.initAll(devices);
    List<Long> counts = new ArrayList<>();
    for (long size : sizes) {
      long count = collective.count(size / DataType.FLOAT.byteSize(), ranks);
      if (count > 0 && !counts.contains(count)) {
        counts.add(count);
      }
    }
    AtomicLong wrong = new AtomicLong();
    RankThreads.run(
        ranks,
        (rank, meeting) -> {
          try (Stream stream = devices.get(rank).createStream()) {
            for (long count : counts) {
              Sizes rows =
                  new Sizes(
                      count,
                      collective.sendElements(count, ranks),
                      collective.recvElements(count, ranks));
              double micros = measure(collective, rows, world.get(rank), stream, meeting, wrong);
              meeting.await();
              if (rank == 0) {
                long bytes = collective.totalElements(count, ranks) * DataType.FLOAT.byteSize();
                consumer.accept(
                    new Measurement(collective, ranks, bytes, count, micros, wrong.getAndSet(0)));
              }
              meeting.await();
            }
          }
        });
    // Not after a failure: closing would wait for ranks that hang.
    world.forEach(Communicator::close);
  }

  private record Sizes(long count, long send, long recv) {}

  private double measure(
      Collective collective,
      Sizes sizes,
      Communicator communicator,
      Stream stream,
      RankThreads.Meeting meeting,
      AtomicLong wrong)
      throws Exception {
    Device device = communicator.device();
    long element = DataType.FLOAT.byteSize();
    try (DeviceBuffer sendBuffer = device.allocate(sizes.send() * element);
        DeviceBuffer recvBuffer = device.allocate(sizes.recv() * element)) {
      Tensor send = Tensor.of(sendBuffer, DataType.FLOAT, sizes.send());
      Tensor recv = Tensor.of(recvBuffer, DataType.FLOAT, sizes.recv());
      fill(communicator.rank(), sizes.send(), sendBuffer);

      for (int i = 0; i < warmup; i++) {
        collective.enqueue(communicator, send, recv, stream);
      }
      RankThreads.await(stream);
      long begin = meeting.await();
      for (int i = 0; i < iterations; i++) {
        collective.enqueue(communicator, send, recv, stream);
      }
      RankThreads.await(stream);
      long end = meeting.await();

      recvBuffer.fillAsync(0, recvBuffer.byteSize(), (byte) 0xff, stream);
      collective.enqueue(communicator, send, recv, stream);
      RankThreads.await(stream);
      wrong.addAndGet(countWrong(collective, sizes, communicator, recvBuffer));
      return (end - begin) * 1e-3 / iterations;
    }
  }

  private static void fill(int rank, long elements, DeviceBuffer target) {
    for (long begin = 0; begin < elements; begin += BLOCK) {
      float[] values = new float[(int) Math.min(BLOCK, elements - begin)];
      for (int i = 0; i < values.length; i++) {
        values[i] = Collective.input(rank, begin + i);
      }
      target.copyFrom(begin * Float.BYTES, MemorySegment.ofArray(values));
    }
  }

  private static long countWrong(
      Collective collective, Sizes sizes, Communicator communicator, DeviceBuffer source) {
    long wrong = 0;
    for (long begin = 0; begin < sizes.recv(); begin += BLOCK) {
      float[] result = new float[(int) Math.min(BLOCK, sizes.recv() - begin)];
      source.copyTo(begin * Float.BYTES, MemorySegment.ofArray(result));
      for (int i = 0; i < result.length; i++) {
        float expected =
            collective.expected(communicator.rank(), communicator.size(), begin + i, sizes.count());
        if (result[i] != expected) {
          wrong++;
        }
      }
    }
    return wrong;
  }
}
