// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.cann4j.acl.Backend;
import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.support.Bench;
import io.github.cann4j.support.Ranks;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The collectives that give to or take from one rank, and those with blocks of unequal sizes. */
@Tag("npu")
class CollectivesTest {
  /** Element i of what a rank brings. */
  private static int element(int rank, int i) {
    return 1000 * (rank + 1) + i;
  }

  private static int[] elements(int rank, int from, int count) {
    return IntStream.range(from, from + count).map(i -> element(rank, i)).toArray();
  }

  private static Tensor own(Bench bench, int rank, int count) {
    return bench.ints(elements(rank, 0, count));
  }

  private static int[] reduced(ReduceOp op, int size, int from, int count) {
    return IntStream.range(from, from + count)
        .map(
            i -> {
              IntStream all = IntStream.range(0, size).map(rank -> element(rank, i));
              return switch (op) {
                case SUM -> all.sum();
                case PROD -> all.reduce(1, (a, b) -> a * b);
                case MAX -> all.max().orElseThrow();
                case MIN -> all.min().orElseThrow();
              };
            })
        .toArray();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 4})
  void oneGivesToAll(int size) {
    int root = size - 1;
    Ranks.run(
        size,
        (comm, bench) -> {
          int rank = comm.rank();
          Tensor tensor = rank == root ? own(bench, root, 21) : bench.garbage(DataType.INT32, 21);
          comm.broadcast(tensor, root, bench.stream);
          assertArrayEquals(elements(root, 0, 21), bench.intsOf(tensor));
          assertEquals(rank == root ? 84L * (size - 1) : 0, comm.bytesSent());

          Tensor part = bench.garbage(DataType.INT32, 5);
          comm.scatter(rank == root ? own(bench, root, 5 * size) : null, part, root, bench.stream);
          assertArrayEquals(elements(root, 5 * rank, 5), bench.intsOf(part));
        });
  }

  @ParameterizedTest
  @EnumSource(ReduceOp.class)
  void allGiveToOne(ReduceOp op) {
    int size = 3;
    Ranks.run(
        size,
        (comm, bench) -> {
          int rank = comm.rank();
          Tensor result = bench.garbage(DataType.INT32, 17);
          comm.reduce(own(bench, rank, 17), result, op, 1, bench.stream);
          if (rank == 1) {
            assertArrayEquals(reduced(op, size, 0, 17), bench.intsOf(result));
          }
          Tensor block = bench.garbage(DataType.INT32, 6);
          comm.reduceScatter(own(bench, rank, 6 * size), block, op, bench.stream);
          assertArrayEquals(reduced(op, size, 6 * rank, 6), bench.intsOf(block));
        });
  }

  @Test
  void blocksOfUnequalSizes() {
    int size = 3;
    long[] counts = {4, 0, 7};
    long[] displacements = {8, 0, 1};
    Ranks.run(
        size,
        (comm, bench) -> {
          int rank = comm.rank();
          int count = (int) counts[rank];
          Tensor all = bench.ints(new int[13]);
          Tensor part = count == 0 ? bench.garbage(DataType.INT32, 0) : own(bench, rank, count);
          comm.allGatherV(part, all, counts, displacements, bench.stream);
          int[] expected = new int[13];
          for (int peer = 0; peer < size; peer++) {
            for (int i = 0; i < counts[peer]; i++) {
              expected[(int) displacements[peer] + i] = element(peer, i);
            }
          }
          assertArrayEquals(expected, bench.intsOf(all));

          Tensor block = bench.garbage(DataType.INT32, count);
          comm.reduceScatterV(
              own(bench, rank, 13), counts, displacements, block, ReduceOp.SUM, bench.stream);
          if (count > 0) {
            assertArrayEquals(
                reduced(ReduceOp.SUM, size, (int) displacements[rank], count), bench.intsOf(block));
          }
        });
  }

  @Test
  void aMatrixOfCounts() {
    assumeTrue(Cann.toolkit().has("HcclAlltoAllVC"), "the toolkit has no HcclAlltoAllVC");
    int size = 3;
    long[][] counts = {{2, 0, 5}, {1, 3, 0}, {4, 1, 1}};
    Ranks.run(
        size,
        (comm, bench) -> {
          int rank = comm.rank();
          int sent = (int) Arrays.stream(counts[rank]).sum();
          int[] expected =
              IntStream.range(0, size)
                  .flatMap(
                      from -> {
                        int first = (int) Arrays.stream(counts[from], 0, rank).sum();
                        return Arrays.stream(elements(from, first, (int) counts[from][rank]));
                      })
                  .toArray();
          Tensor got = bench.garbage(DataType.INT32, expected.length);
          comm.allToAllVC(own(bench, rank, sent), counts, got, bench.stream);
          assertArrayEquals(expected, bench.intsOf(got));
        });
  }

  @Test
  void wrongSizesAreRefusedWithTheirValues() {
    Ranks.run(
        2,
        (comm, bench) -> {
          Tensor six = bench.ints(new int[6]);
          Tensor four = bench.ints(new int[4]);
          for (Runnable call :
              new Runnable[] {
                () -> comm.reduceScatter(six, four, ReduceOp.SUM, bench.stream),
                () -> comm.reduce(six, four, ReduceOp.SUM, 0, bench.stream),
                () -> comm.broadcast(six, 2, bench.stream),
                () ->
                    comm.allGatherV(four, six, new long[] {3, 3}, new long[] {0, 3}, bench.stream),
                () ->
                    comm.allToAllVC(
                        six, new long[][] {{3, 3}, {3}}, bench.ints(new int[6]), bench.stream)
              }) {
            String message = assertThrows(IllegalArgumentException.class, call::run).getMessage();
            assertTrue(message.matches("(?s).*\\d.*"), message);
          }
          assertThrows(
              UnsupportedOperationException.class,
              () ->
                  comm.reduceScatterV(
                      six,
                      new long[] {3, 3},
                      new long[] {0, 3},
                      bench.ints(new int[3]),
                      ReduceOp.PROD,
                      bench.stream));
          assertEquals(Optional.empty(), comm.asyncError());
          comm.barrier(bench.stream);
        });
  }

  /**
   * A process can do this once, and only on the CPU toolkit do all devices have a known address.
   */
  @Test
  void ranksOfATable(@TempDir Path directory) throws Exception {
    assumeTrue(Cann.toolkit().backend() == Backend.CPU, "the table is one for the CPU toolkit");
    Path table = directory.resolve("ranks.json");
    Files.writeString(
        table,
        """
        {
          "version": "1.0",
          "status": "completed",
          "server_count": "1",
          "server_list": [
            {
              "server_id": "server-0",
              "device": [
                {"device_id": "0", "device_ip": "192.0.2.1", "rank_id": "0"},
                {"device_id": "1", "device_ip": "192.0.2.2", "rank_id": "1"}
              ]
            }
          ]
        }
        """);
    Ranks.threads(
        2,
        rank -> {
          try (Bench bench = new Bench(rank);
              Communicator comm =
                  Communicator.create(
                      Device.open(rank), table, rank, CommunicatorOptions.defaults())) {
            assertEquals(2, comm.size());
            assertEquals(rank, comm.rank());
            Tensor sum = bench.garbage(DataType.INT32, 3);
            comm.allReduce(own(bench, rank, 3), sum, ReduceOp.SUM, bench.stream);
            assertArrayEquals(reduced(ReduceOp.SUM, 2, 0, 3), bench.intsOf(sum));
          }
        });
    assertThrows(
        IllegalArgumentException.class,
        () ->
            Communicator.create(
                Device.open(0), directory.resolve("none"), 0, CommunicatorOptions.defaults()));
  }
}
