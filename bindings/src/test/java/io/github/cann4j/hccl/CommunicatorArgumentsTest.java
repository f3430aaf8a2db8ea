// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Gate;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.support.Bench;
import io.github.cann4j.support.Ranks;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** What a communicator refuses before anything is enqueued: rank 0 of 2, its peer stays idle. */
class CommunicatorArgumentsTest {
  private static Bench bench;
  private static List<Communicator> both;
  private static Communicator comm;

  @BeforeAll
  static void open() {
    bench = new Bench(0);
    both = Communicator.initAll(List.of(bench.device, Device.open(1)));
    comm = both.getFirst();
  }

  @AfterAll
  static void close() {
    bench.stream.synchronize();
    both.forEach(Communicator::close);
    bench.close();
  }

  private static Tensor ints(long... shape) {
    return bench.garbage(DataType.INT32, shape);
  }

  private static void refused(Executable call, String... words) {
    refused(IllegalArgumentException.class, call, words);
  }

  private static void refused(Class<? extends Exception> type, Executable call, String... words) {
    String message = assertThrows(type, call).getMessage();
    for (String word : words) {
      assertTrue(message.contains(word), "'" + word + "' is not in: " + message);
    }
  }

  @Test
  void peersMustExistAndBeOthers() {
    Tensor t = ints(4);
    refused(() -> comm.send(t, 2, bench.stream), "rank 2", "0 to 1");
    refused(() -> comm.recv(t, -1, bench.stream), "rank -1");
    refused(
        UnsupportedOperationException.class, () -> comm.send(t, 0, bench.stream), "batchSendRecv");
  }

  @Test
  void tensorsMustBeDenseAndHere() {
    Tensor gaps = ints(4, 4).slice(1, 0, 2);
    refused(() -> comm.send(gaps, 1, bench.stream), "not contiguous");
    refused(
        UnsupportedOperationException.class,
        () -> comm.send(bench.garbage(DataType.BOOL, 3), 1, bench.stream),
        "BOOL");
    try (Bench other = new Bench(5)) {
      Tensor remote = other.garbage(DataType.INT32, 4);
      refused(() -> comm.send(remote, 1, bench.stream), "device 5", "device 0");
      refused(() -> comm.send(ints(4), 1, other.stream), "device 5", "device 0");
      refused(() -> comm.barrier(other.stream), "device 5");
    }
  }

  @Test
  void collectivesMustFit() {
    refused(() -> comm.allToAll(ints(3), ints(3), bench.stream), "2 ranks");
    refused(() -> comm.allToAll(ints(4), ints(6), bench.stream), "INT32[4]", "INT32[6]");
    refused(
        () -> comm.allToAll(ints(4), bench.garbage(DataType.FLOAT, 4), bench.stream),
        "INT32",
        "FLOAT");
    Tensor whole = ints(8);
    refused(
        () -> comm.allToAll(whole.slice(0, 0, 4), whole.slice(0, 3, 7), bench.stream), "overlap");
    refused(() -> comm.allGather(ints(4), ints(7), bench.stream), "2 times");
    refused(() -> comm.allGather(whole.slice(0, 0, 4), whole, bench.stream), "overlap");
    refused(() -> comm.allReduce(ints(4), ints(5), ReduceOp.SUM, bench.stream), "same number");
    refused(
        () ->
            comm.allReduce(whole.slice(0, 0, 4), whole.slice(0, 1, 5), ReduceOp.SUM, bench.stream),
        "overlap");
    Tensor doubles = bench.garbage(DataType.DOUBLE, 2);
    refused(
        UnsupportedOperationException.class,
        () -> comm.allReduce(doubles, doubles, ReduceOp.SUM, bench.stream),
        "DOUBLE",
        "cast to FLOAT");
    Tensor bf16 = bench.garbage(DataType.BF16, 2);
    refused(
        UnsupportedOperationException.class,
        () -> comm.allReduce(bf16, bf16, ReduceOp.PROD, bench.stream),
        "PROD",
        "BF16");
  }

  @Test
  void partsMustLieWithinTheTensors() {
    long[] two = {2, 2};
    long[] at = {0, 2};
    refused(
        () -> comm.allToAllV(ints(4), new long[] {2}, at, ints(4), two, at, bench.stream),
        "2 ranks",
        "1 and 2");
    refused(
        () -> comm.allToAllV(ints(4), two, new long[] {0, 3}, ints(4), two, at, bench.stream),
        "send",
        "2 elements at 3");
    refused(
        () -> comm.allToAllV(ints(4), two, at, ints(4), new long[] {2, -1}, at, bench.stream),
        "recv",
        "-1");
    refused(
        () -> comm.allToAllV(ints(4), two, at, ints(4), new long[] {1, 2}, at, bench.stream),
        "to itself");
  }

  @Test
  void batchesKeepTheRules() {
    refused(
        () ->
            comm.batchSendRecv(
                List.of(SendRecv.send(ints(1), 1), SendRecv.send(ints(1), 1)), bench.stream),
        "items 0 and 1",
        "one block per peer");
    Tensor t = ints(8);
    refused(
        () ->
            comm.batchSendRecv(
                List.of(SendRecv.send(t.slice(0, 0, 4), 1), SendRecv.recv(t.slice(0, 3, 7), 1)),
                bench.stream),
        "overlap");
    refused(
        () -> comm.batchSendRecv(List.of(SendRecv.send(t, 0)), bench.stream),
        "to itself",
        "nothing");
    refused(() -> comm.batchSendRecv(List.of(SendRecv.recv(t, 3)), bench.stream), "rank 3");
    assertEquals(0, comm.bytesSent(), "nothing was counted");
  }

  @Test
  void ranksMustFitTheSize() {
    RootInfo root = RootInfo.create(bench.device);
    refused(() -> Communicator.create(bench.device, root, 2, 2), "rank 2, size 2");
    refused(() -> Communicator.create(bench.device, root, 0, 0), "size 0");
  }

  @Test
  void aBusyCommunicatorStaysOpen() {
    Device device = Device.open(2);
    try (Bench own = new Bench(2)) {
      Communicator alone = Communicator.initAll(List.of(device)).getFirst();
      Tensor t = own.garbage(DataType.INT32, 1);
      try (Gate gate = new Gate(device, own.stream)) {
        alone.allReduce(t, t, ReduceOp.SUM, own.stream);
        HcclException e = assertThrows(HcclException.class, alone::close);
        assertEquals("HCCL_E_AGAIN", e.codeName());
        assertEquals("HcclCommDestroy", e.function());
        assertEquals(0, e.rank());
        assertEquals(alone.name(), e.communicator());
        assertFalse(e.nativeMessage().isEmpty());
        assertTrue(e.getMessage().contains("rank 0 of 1"), e.getMessage());
        alone.barrier(own.stream);
        gate.open();
      }
      own.stream.synchronize();
      alone.close();
      alone.close();
      assertThrows(IllegalStateException.class, alone::handle);
      assertThrows(IllegalStateException.class, () -> alone.barrier(own.stream));
    }
  }

  @Test
  void rootInfoTravelsAsBytesAndFiles(@TempDir Path temp) throws Exception {
    RootInfo root = RootInfo.create(bench.device);
    Path file = temp.resolve("root");
    root.writeTo(file);
    try (Stream<Path> files = Files.list(temp)) {
      assertEquals(List.of(file), files.toList(), "nothing left beside it");
    }
    assertArrayEquals(root.toBytes(), RootInfo.readFrom(file).toBytes());
    assertEquals(root, RootInfo.ofBytes(root.toBytes()));
    assertFalse(root.equals(RootInfo.create(bench.device)), "each is new");
    assertEquals(4108, root.toBytes().length);
    refused(() -> RootInfo.ofBytes(new byte[10]), "4108", "10");
    Ranks.threads(
        2,
        rank -> {
          try (Bench one = new Bench(6 + rank);
              Communicator pair =
                  Communicator.create(one.device, RootInfo.readFrom(file), 2, rank)) {
            pair.barrier(one.stream);
            one.stream.synchronize();
          }
        });
  }

  @Test
  void virtualThreadsAreRefused() throws Exception {
    Tensor t = ints(4);
    Throwable[] thrown = new Throwable[2];
    Thread.ofVirtual()
        .start(
            () -> {
              thrown[0] =
                  assertThrows(IllegalStateException.class, () -> comm.send(t, 1, bench.stream));
              thrown[1] =
                  assertThrows(IllegalStateException.class, () -> RootInfo.create(bench.device));
            })
        .join();
    for (Throwable one : thrown) {
      assertTrue(one != null && one.getMessage().contains("platform thread"), "" + one);
    }
  }
}
