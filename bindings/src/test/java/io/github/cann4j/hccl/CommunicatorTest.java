// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.support.Bench;
import io.github.cann4j.support.Ranks;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each transfer, with one rank per thread; values say who sent what to whom. */
@Tag("npu")
class CommunicatorTest {
  private static int value(int from, int to, int index) {
    return from * 1_000_000 + to * 10_000 + index;
  }

  private static Tensor block(Bench bench, int from, int to, int count) {
    return bench.ints(IntStream.range(0, count).map(i -> value(from, to, i)).toArray());
  }

  private static void assertBlock(int[] all, int at, int from, int to, int count) {
    int[] expected = IntStream.range(0, count).map(i -> value(from, to, i)).toArray();
    assertArrayEquals(expected, Arrays.copyOfRange(all, at, at + count), from + " to " + to);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 8})
  void knowsItsPlace(int size) {
    String[] names = new String[size];
    Ranks.run(
        size,
        (comm, bench) -> {
          assertEquals(size, comm.size());
          assertEquals(bench.device.id(), comm.rank());
          assertEquals(bench.device, comm.device());
          names[comm.rank()] = comm.name();
          comm.barrier(bench.stream);
        });
    assertFalse(names[0].isBlank());
    assertEquals(1, Arrays.stream(names).distinct().count(), Arrays.toString(names));
  }

  @Test
  void sendAndReceive() {
    Ranks.run(
        3,
        (comm, bench) -> {
          int rank = comm.rank();
          int next = (rank + 1) % 3;
          int previous = (rank + 2) % 3;
          Tensor got = bench.garbage(DataType.INT32, 100);
          if (rank == 0) {
            comm.send(block(bench, 0, 1, 100), next, bench.stream);
            comm.recv(got, previous, bench.stream);
          } else {
            comm.recv(got, previous, bench.stream);
            comm.send(block(bench, rank, next, 100), next, bench.stream);
          }
          assertBlock(bench.intsOf(got), 0, previous, rank, 100);
          assertEquals(400, comm.bytesSent());
        });
  }

  /** A ring where all send first would block with single calls. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void batchesExchangeWithAllAtOnce(int size) {
    Ranks.run(
        size,
        (comm, bench) -> {
          int rank = comm.rank();
          List<SendRecv> items = new ArrayList<>();
          List<Tensor> got = new ArrayList<>();
          for (int peer = 0; peer < size; peer++) {
            // Sizes differ by pair, and one is empty.
            int there = 10 * peer + rank;
            int here = 10 * rank + peer;
            got.add(bench.garbage(DataType.INT32, here));
            items.add(SendRecv.recv(got.get(peer), peer));
            items.add(
                SendRecv.send(
                    there == 0 ? bench.garbage(DataType.INT32, 0) : block(bench, rank, peer, there),
                    peer));
          }
          comm.batchSendRecv(items, bench.stream);
          long sent = 0;
          for (int peer = 0; peer < size; peer++) {
            assertBlock(bench.intsOf(got.get(peer)), 0, peer, rank, 10 * rank + peer);
            sent += peer == rank ? 0 : 4L * (10 * peer + rank);
          }
          assertEquals(sent, comm.bytesSent());
          comm.batchSendRecv(List.of(), bench.stream);
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void allToAllTransposesBlocks(int size) {
    Ranks.run(
        size,
        (comm, bench) -> {
          int rank = comm.rank();
          int count = 33;
          int[] values =
              IntStream.range(0, size * count)
                  .map(i -> value(rank, i / count, i % count))
                  .toArray();
          Tensor got = bench.garbage(DataType.INT32, size, count);
          comm.allToAll(bench.ints(values), got, bench.stream);
          for (int peer = 0; peer < size; peer++) {
            assertBlock(bench.intsOf(got), peer * count, peer, rank, count);
          }
          assertEquals(4L * count * (size - 1), comm.bytesSent());
        });
  }

  @Test
  void allToAllVHasItsOwnSizes() {
    int size = 3;
    Ranks.run(
        size,
        (comm, bench) -> {
          int rank = comm.rank();
          long[] sendCounts = new long[size];
          long[] sendAt = new long[size];
          long[] recvCounts = new long[size];
          long[] recvAt = new long[size];
          int[] values = new int[100];
          for (int peer = 0; peer < size; peer++) {
            sendCounts[peer] = rank == 2 && peer == 0 ? 0 : 2 * rank + peer + 1;
            recvCounts[peer] = peer == 2 && rank == 0 ? 0 : 2 * peer + rank + 1;
            // Gaps, and not in rank order.
            sendAt[peer] = 30L * (size - 1 - peer) + 1;
            recvAt[peer] = 20L * peer + 3;
            for (int i = 0; i < sendCounts[peer]; i++) {
              values[(int) sendAt[peer] + i] = value(rank, peer, i);
            }
          }
          Tensor got = bench.ints(new int[80]);
          comm.allToAllV(
              bench.ints(values), sendCounts, sendAt, got, recvCounts, recvAt, bench.stream);
          int[] all = bench.intsOf(got);
          int filled = 0;
          for (int peer = 0; peer < size; peer++) {
            assertBlock(all, (int) recvAt[peer], peer, rank, (int) recvCounts[peer]);
            filled += (int) recvCounts[peer];
          }
          // Value 0 is also what rank 0 gives itself first.
          long others = Arrays.stream(all).filter(one -> one != 0).count();
          assertEquals(filled - (rank == 0 ? 1 : 0), others, "nothing else was written");
          long sent = Arrays.stream(sendCounts).sum() - sendCounts[rank];
          assertEquals(4 * sent, comm.bytesSent());
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7})
  void allGatherKeepsRankOrder(int size) {
    Ranks.run(
        size,
        (comm, bench) -> {
          Tensor got = bench.garbage(DataType.INT32, size * 21L);
          comm.allGather(block(bench, comm.rank(), 9, 21), got, bench.stream);
          for (int peer = 0; peer < size; peer++) {
            assertBlock(bench.intsOf(got), peer * 21, peer, 9, 21);
          }
          assertEquals(84L * (size - 1), comm.bytesSent());
        });
  }

  @ParameterizedTest
  @EnumSource
  void allReduceCombines(ReduceOp op) {
    int size = 3;
    Ranks.run(
        size,
        (comm, bench) -> {
          Tensor own = bench.ints(comm.rank() + 2, -comm.rank(), 7);
          Tensor got = bench.garbage(DataType.INT32, 3);
          comm.allReduce(own, got, op, bench.stream);
          int[] expected =
              switch (op) {
                case SUM -> new int[] {9, -3, 21};
                case PROD -> new int[] {24, 0, 343};
                case MAX -> new int[] {4, 0, 7};
                case MIN -> new int[] {2, -2, 7};
              };
          assertArrayEquals(expected, bench.intsOf(got));
          assertEquals(2 * 12 * 2 / 3, comm.bytesSent());
          comm.allReduce(own, own, op, bench.stream);
          assertArrayEquals(expected, bench.intsOf(own), "in place");
        });
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT", "BF16", "FLOAT16"})
  void allReduceAddsFloats(DataType type) {
    CommunicatorOptions options = CommunicatorOptions.builder().deterministic(true).build();
    Ranks.run(
        4,
        options,
        (comm, bench) -> {
          Tensor own = bench.of(type, new float[] {comm.rank(), 0.5f, -8}, 3);
          comm.allReduce(own, own, ReduceOp.SUM, bench.stream);
          assertArrayEquals(new float[] {6, 2, -32}, bench.floats(own));
        });
  }

  @Test
  void optionsReachHccl() {
    CommunicatorOptions options =
        CommunicatorOptions.builder().name("the-ring").bufferSizeMb(4).build();
    Ranks.run(2, options, (comm, bench) -> assertEquals("the-ring", comm.name()));
    assertThrows(
        IllegalArgumentException.class,
        () -> CommunicatorOptions.builder().bufferSizeMb(0).build());
    CommunicatorOptions.builder().name("x".repeat(127)).build();
    assertThrows(
        IllegalArgumentException.class,
        () -> CommunicatorOptions.builder().name("é".repeat(64)).build());
  }

  @Test
  void partsOfACommunicatorAreCommunicators() {
    Ranks.run(
        4,
        (world, bench) -> {
          List<Integer> odd = List.of(3, 1);
          var part = world.split(odd, 7, CommunicatorOptions.defaults());
          assertEquals(odd.contains(world.rank()), part.isPresent());
          if (part.isPresent()) {
            try (Communicator pair = part.get()) {
              assertEquals(2, pair.size());
              assertEquals(odd.indexOf(world.rank()), pair.rank());
              Tensor sum = bench.ints(world.rank());
              pair.allReduce(sum, sum, ReduceOp.SUM, bench.stream);
              assertArrayEquals(new int[] {4}, bench.intsOf(sum));
              assertThrows(
                  UnsupportedOperationException.class,
                  () -> pair.split(List.of(0), 1, CommunicatorOptions.defaults()));
            }
          }
          assertThrows(
              IllegalArgumentException.class,
              () -> world.split(List.of(0, 4), 1, CommunicatorOptions.defaults()));
          assertThrows(
              IllegalArgumentException.class,
              () -> world.split(List.of(1, 1), 1, CommunicatorOptions.defaults()));
        });
  }

  @Test
  void initAllMakesAllRanks() {
    assumeTrue(Device.count() >= 3, () -> "3 devices needed, there are " + Device.count());
    List<Device> devices = List.of(Device.open(2), Device.open(0), Device.open(1));
    List<Communicator> all = Communicator.initAll(devices);
    Ranks.threads(
        3,
        rank -> {
          try (Bench bench = new Bench(devices.get(rank).id());
              Communicator comm = all.get(rank)) {
            assertEquals(rank, comm.rank());
            Tensor sum = bench.ints(1 << rank);
            comm.allReduce(sum, sum, ReduceOp.SUM, bench.stream);
            assertArrayEquals(new int[] {7}, bench.intsOf(sum));
          }
        });
    assertThrows(IllegalArgumentException.class, () -> Communicator.initAll(List.of()));
    assertThrows(
        IllegalArgumentException.class,
        () -> Communicator.initAll(List.of(devices.get(0), devices.get(0))));
  }

  @Test
  void aWrapperLeavesTheCommunicatorAlone() {
    Ranks.run(
        2,
        (owner, bench) -> {
          Communicator wrapper = Communicator.wrap(bench.device, owner.handle());
          assertEquals(owner.rank(), wrapper.rank());
          assertEquals(owner.name(), wrapper.name());
          wrapper.barrier(bench.stream);
          bench.stream.synchronize();
          wrapper.close();
          assertThrows(IllegalStateException.class, () -> wrapper.barrier(bench.stream));
          owner.barrier(bench.stream);
        });
  }
}
