// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.samples.cli.BadInputException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** The connections between ranks, which are threads, without a toolkit. */
class RendezvousTest {
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final byte[] ROOT_INFO = {1, 2, 3};

  private final int port = Jobs.freePort();

  private CompletableFuture<Rendezvous.Met> meet(RankEnvironment environment, Duration timeout) {
    return Jobs.start(() -> Rendezvous.meet(environment, timeout, LONG, () -> ROOT_INFO));
  }

  private CompletableFuture<Rendezvous.Met> meet(int rank, int size) {
    return meet(Jobs.environment(rank, size, port), LONG);
  }

  private List<RankWatch> meetAll(int size) throws Exception {
    List<CompletableFuture<Rendezvous.Met>> ranks = new ArrayList<>();
    for (int rank = 0; rank < size; rank++) {
      ranks.add(meet(rank, size));
    }
    return Jobs.awaitAll(ranks).stream().map(Rendezvous.Met::watch).toList();
  }

  /** Connects as soon as somebody listens. */
  private Socket connect() throws Exception {
    while (true) {
      Socket socket = null;
      try {
        socket = new Socket(InetAddress.getLoopbackAddress(), port);
        if (socket.getLocalPort() != port) {
          return socket;
        }
        socket.close();
      } catch (IOException e) {
        Thread.sleep(20);
      }
    }
  }

  private Link introduce(Link.Hello hello) throws Exception {
    Link link = new Link(connect());
    link.sendHello(hello);
    return link;
  }

  private static Link.Hello hello(int rank, int size) {
    return new Link.Hello(Link.Hello.VERSION, size, rank, "");
  }

  private static void closeAll(List<RankWatch> watches) throws Exception {
    List<CompletableFuture<Void>> closed = new ArrayList<>();
    for (RankWatch watch : watches) {
      closed.add(
          Jobs.start(
              () -> {
                watch.close();
                return null;
              }));
    }
    Jobs.awaitAll(closed);
  }

  @Test
  void rootInfoReachesAllAndNothingStaysBehind() throws Exception {
    List<CompletableFuture<Rendezvous.Met>> ranks = List.of(meet(2, 3), meet(1, 3), meet(0, 3));
    List<Rendezvous.Met> met = Jobs.awaitAll(ranks);
    met.forEach(one -> assertArrayEquals(ROOT_INFO, one.rootInfo()));
    closeAll(met.stream().map(Rendezvous.Met::watch).toList());
    met.forEach(one -> assertFalse(one.watch().loss().isDone()));
    met.forEach(one -> assertEquals(List.of(), one.watch().aliveThreads()));
  }

  @Test
  void strangersAreSentAwayAndTheJobGoesOn() throws Exception {
    CompletableFuture<Rendezvous.Met> first = meet(0, 2);
    for (String text : List.of("GET / HTTP/1.1\r\nHost: here\r\n\r\n", "x", "")) {
      try (Socket stranger = connect()) {
        stranger.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
        stranger.shutdownOutput();
        assertEquals(0, stranger.getInputStream().readAllBytes().length);
      } catch (IOException e) {
        assertTrue(e.getMessage().contains("reset"), e.toString());
      }
    }
    RankEnvironment alien =
        RankEnvironment.read(
                Map.of(
                    "RANK", "1",
                    "WORLD_SIZE", "2",
                    "MASTER_ADDR", "127.0.0.1",
                    "MASTER_PORT", String.valueOf(port),
                    "CANN4J_JOB_ID", "theirs"))
            .orElseThrow();
    Jobs.assertFailed(meet(alien, LONG), BadInputException.class, "'theirs'", "MASTER_PORT");
    closeAll(List.of(Jobs.await(meet(1, 2)).watch(), Jobs.await(first).watch()));
  }

  @Test
  void missingRanksAreNamedOnAllThatCame() throws Exception {
    List<CompletableFuture<Rendezvous.Met>> ranks = new ArrayList<>();
    ranks.add(meet(Jobs.environment(0, 5, port), Duration.ofSeconds(4)));
    for (int rank : List.of(1, 3)) {
      ranks.add(meet(rank, 5));
    }
    for (CompletableFuture<Rendezvous.Met> rank : ranks) {
      Jobs.assertFailed(rank, BadInputException.class, "ranks 2, 4 of 5", "within 4 s");
    }
  }

  @Test
  void aMissingRankZeroIsNamed() throws Exception {
    Jobs.assertFailed(
        meet(Jobs.environment(1, 2, port), Duration.ofMillis(300)),
        BadInputException.class,
        "rank 1 of 2",
        "127.0.0.1:" + port,
        "MASTER_ADDR");
  }

  @Test
  void aRankThatComesTwiceEndsTheJob() throws Exception {
    CompletableFuture<Rendezvous.Met> first = meet(0, 3);
    try (Link one = introduce(hello(1, 3))) {
      assertTrue(one.readAnswer() instanceof Frame.Accepted);
      CompletableFuture<Rendezvous.Met> again = meet(1, 3);
      Jobs.assertFailed(again, BadInputException.class, "rank 1 of 3 came twice");
      Jobs.assertFailed(first, BadInputException.class, "rank 1 of 3 came twice");
      assertTrue(one.read() instanceof Frame.Refused);
    }
  }

  @Test
  void anotherWorldSizeEndsTheJob() throws Exception {
    CompletableFuture<Rendezvous.Met> first = meet(0, 2);
    CompletableFuture<Rendezvous.Met> other = meet(1, 3);
    for (CompletableFuture<Rendezvous.Met> rank : List.of(first, other)) {
      Jobs.assertFailed(rank, BadInputException.class, "rank 1", "world size of 3", "of 2");
    }
  }

  @Test
  void anotherVersionEndsTheJob() throws Exception {
    CompletableFuture<Rendezvous.Met> first = meet(0, 2);
    try (Link other = introduce(new Link.Hello(99, 2, 1, ""))) {
      Jobs.assertFailed(first, BadInputException.class, "version 99", "version 1");
      assertTrue(other.readAnswer() instanceof Frame.Refused);
    }
  }

  @Test
  void aRankThatEndsBeforeAllAreThereIsNamed() throws Exception {
    CompletableFuture<Rendezvous.Met> first = meet(0, 4);
    try (Link second = introduce(hello(1, 4));
        Link third = introduce(hello(2, 4))) {
      assertTrue(second.readAnswer() instanceof Frame.Accepted);
      assertTrue(third.readAnswer() instanceof Frame.Accepted);
      third.close();
      Jobs.assertFailed(first, LostRankException.class, "rank 2 of 4 was lost");
      assertTrue(second.read() instanceof Frame.Lost(LostRank lost) && lost.rank() == 2);
    }
  }

  @Test
  void aPortThatAnotherHasIsNamed() throws Exception {
    try (ServerSocket other = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      Jobs.assertFailed(meet(0, 2), BadInputException.class, ":" + port, "MASTER_PORT");
      CompletableFuture<Rendezvous.Met> guest = meet(1, 2);
      try (Socket met = other.accept()) {
        met.getOutputStream().write("HTTP/1.1 400 Bad Request".getBytes(StandardCharsets.UTF_8));
      }
      Jobs.assertFailed(guest, BadInputException.class, "is not rank 0", "MASTER_PORT");
    }
  }

  @Test
  void aRankThatEndsWithoutGoodByeIsToldToAll() throws Exception {
    CompletableFuture<Rendezvous.Met> first = meet(0, 3);
    CompletableFuture<Rendezvous.Met> second = meet(1, 3);
    Link third = introduce(hello(2, 3));
    List<RankWatch> left = List.of(Jobs.await(first).watch(), Jobs.await(second).watch());
    third.close();
    for (RankWatch watch : left) {
      LostRank lost = Jobs.await(watch.loss());
      assertEquals(2, lost.rank());
      assertTrue(lost.message().contains("rank 2 of 3 was lost"), lost.message());
    }
    closeAll(left);
  }

  @Test
  void theLossOfRankZeroIsSeenByAll() throws Exception {
    List<Link> links = new ArrayList<>();
    List<CompletableFuture<Rendezvous.Met>> others = List.of(meet(1, 3), meet(2, 3));
    try (ServerSocket server = new ServerSocket(port, 2, InetAddress.getLoopbackAddress())) {
      for (int i = 0; i < 2; i++) {
        Link link = new Link(server.accept());
        link.readHello();
        link.tryAnswer(new Frame.Start(ROOT_INFO));
        links.add(link);
      }
    }
    List<Rendezvous.Met> met = Jobs.awaitAll(others);
    links.forEach(Link::close);
    for (Rendezvous.Met one : met) {
      assertEquals(0, Jobs.await(one.watch().loss()).rank());
      one.watch().close();
    }
  }

  @Test
  void aSilentRankIsLost() throws Exception {
    CompletableFuture<Rendezvous.Met> first =
        Jobs.start(
            () ->
                Rendezvous.meet(
                    Jobs.environment(0, 2, port), LONG, Duration.ofSeconds(3), () -> ROOT_INFO));
    try (Link silent = introduce(hello(1, 2))) {
      RankWatch watch = Jobs.await(first).watch();
      assertTrue(silent.readAnswer() instanceof Frame.Accepted);
      assertTrue(silent.read() instanceof Frame.Start);
      assertTrue(silent.read() instanceof Frame.Heartbeat);
      LostRank lost = Jobs.await(watch.loss());
      assertTrue(lost.message().contains("nothing was heard of it for 3 s"), lost.message());
      watch.close();
    }
  }

  @Test
  void aFailureThatIsALossesConsequenceIsNotTold() throws Exception {
    List<CompletableFuture<Rendezvous.Met>> ranks = List.of(meet(0, 3), meet(1, 3));
    Link third = introduce(hello(2, 3));
    List<RankWatch> left = Jobs.awaitAll(ranks).stream().map(Rendezvous.Met::watch).toList();
    CompletableFuture<Optional<LostRank>> failure =
        Jobs.start(() -> left.get(1).fail("a collective operation failed"));
    third.close();
    assertEquals(2, Jobs.await(failure).orElseThrow().rank());
    assertEquals(2, Jobs.await(left.get(0).loss()).rank());
    closeAll(left);
  }

  @Test
  void aFailureOfRankZeroIsToldToAll() throws Exception {
    List<RankWatch> watches = meetAll(3);
    assertEquals(Optional.empty(), watches.get(0).fail("disk full"));
    for (RankWatch watch : watches.subList(1, 3)) {
      assertEquals(
          new LostRank(0, LostRank.How.FAILED, "rank 0 of 3 failed: disk full"),
          Jobs.await(watch.loss()));
    }
    closeAll(watches);
    assertFalse(watches.get(0).loss().isDone());
  }

  @Test
  void rankZeroSpeaksForAllThatFailAlike() throws Exception {
    List<RankWatch> watches = meetAll(3);
    List<CompletableFuture<Optional<LostRank>>> failures =
        watches.stream().map(watch -> Jobs.start(() -> watch.fail("same"))).toList();
    LostRank first = new LostRank(0, LostRank.How.FAILED, "rank 0 of 3 failed: same");
    assertEquals(
        List.of(Optional.empty(), Optional.of(first), Optional.of(first)), Jobs.awaitAll(failures));
    closeAll(watches);
  }

  @Test
  void rankZeroWaitsForTheOthersGoodBye() throws Exception {
    List<RankWatch> watches = meetAll(2);
    CompletableFuture<Void> closed =
        Jobs.start(
            () -> {
              watches.get(0).close();
              return null;
            });
    assertEquals(Optional.empty(), watches.get(1).fail("at the very end"));
    assertEquals(1, Jobs.await(watches.get(0).loss()).rank());
    Jobs.await(closed);
    watches.get(1).close();
  }
}
