// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import io.github.cann4j.samples.cli.BadInputException;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Rank 0's side of the rendezvous: takes in ranks until all are there. */
final class RankGathering implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RankGathering.class);
  private static final Duration HELLO_PATIENCE = Duration.ofSeconds(5);
  private static final int SHOWN = 8;

  private final RankEnvironment environment;
  private final Duration timeout;
  private final ServerSocket server;
  private final BlockingQueue<RankWatch.Event> events = new LinkedBlockingQueue<>();
  private final List<Thread> readers = new CopyOnWriteArrayList<>();
  private final Set<Link> open = ConcurrentHashMap.newKeySet();
  private final Map<Integer, Link> ranks = new TreeMap<>();

  RankGathering(RankEnvironment environment, Duration timeout, ServerSocket server) {
    this.environment = environment;
    this.timeout = timeout;
    this.server = server;
  }

  /**
   * Waits for all ranks and lets them start.
   *
   * @param rootInfo makes what they get
   * @return what they got
   */
  byte[] gather(long deadline, Supplier<byte[]> rootInfo) {
    readers.add(Thread.ofVirtual().name("rank-acceptor").start(this::accept));
    while (ranks.size() < environment.worldSize() - 1) {
      long remaining = Math.max(0, deadline - System.nanoTime());
      RankWatch.Event event;
      try {
        event = events.poll(remaining, TimeUnit.NANOSECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw refuse("rank 0 was interrupted while it waited for the others");
      }
      switch (event) {
        case RankWatch.Came(Link link, Link.Hello hello) ->
            admit(link, hello, Duration.ofNanos(remaining));
        case RankWatch.Said(Link link, Frame frame) when ranks.containsValue(link) ->
            throw lose(
                frame instanceof Frame.Failed(String why)
                    ? LostRank.failed(link.rank(), environment.worldSize(), why)
                    : LostRank.gone(link.rank(), environment.worldSize()));
        case null -> throw refuse(missing());
        default -> {}
      }
    }
    byte[] info;
    try {
      info = rootInfo.get();
    } catch (RuntimeException e) {
      lose(LostRank.failed(0, environment.worldSize(), e.getMessage()));
      throw e;
    }
    ranks.values().forEach(link -> link.trySend(new Frame.Start(info)));
    return info;
  }

  /** Hands the connections over to a watch. */
  RankWatch watch(Duration lostAfter) {
    List<Link> links = List.copyOf(ranks.values());
    links.forEach(open::remove);
    return new RankWatch(environment, links, events, readers, lostAfter, timeout);
  }

  private void accept() {
    try {
      while (true) {
        Socket socket = server.accept();
        readers.add(Thread.ofVirtual().name("rank-reader").start(() -> receive(socket)));
      }
    } catch (IOException e) {
      // The server is closed: all are there, or never will be.
    }
  }

  private void receive(Socket socket) {
    Link link;
    Link.Hello hello;
    try {
      link = new Link(socket);
      open.add(link);
      link.setReadTimeout(HELLO_PATIENCE);
      hello = link.readHello();
      link.setReadTimeout(Duration.ZERO);
    } catch (IOException e) {
      LOG.warn(
          "{} connected to port {} and is no rank of this job: {}",
          socket.getRemoteSocketAddress(),
          server.getLocalPort(),
          e.getMessage() == null ? "it hung up" : e.getMessage());
      try {
        socket.close();
      } catch (IOException closing) {
        LOG.debug("closing it failed too", closing);
      }
      return;
    }
    events.add(new RankWatch.Came(link, hello));
    link.readAll((from, frame) -> events.add(new RankWatch.Said(from, frame)));
  }

  private void admit(Link link, Link.Hello hello, Duration remaining) {
    int size = environment.worldSize();
    String peer = link.peer();
    String complaint = null;
    if (hello.version() != Link.Hello.VERSION) {
      complaint =
          "a rank at %s speaks version %d of the ranks' protocol, rank 0 version %d; use the same"
                  .formatted(peer, hello.version(), Link.Hello.VERSION)
              + " build on all hosts";
    } else if (!hello.jobId().equals(environment.jobId())) {
      // Another job's rank is none of this one's business.
      LOG.warn("rank {} of job '{}' at {} came to this job", hello.rank(), hello.jobId(), peer);
      link.tryAnswer(
          new Frame.Refused(
              "rank %d of job '%s' came to job '%s'; give each job a MASTER_PORT of its own"
                  .formatted(hello.rank(), hello.jobId(), environment.jobId())));
      link.close();
      return;
    } else if (hello.worldSize() != size) {
      complaint =
          "rank %d at %s has a world size of %d, rank 0 one of %d; start all with the same"
              .formatted(hello.rank(), peer, hello.worldSize(), size);
    } else if (ranks.containsKey(hello.rank())) {
      complaint =
          "rank %d of %d came twice, from %s and %s; give each process a rank of its own"
              .formatted(hello.rank(), size, ranks.get(hello.rank()).peer(), peer);
    }
    if (complaint != null) {
      link.tryAnswer(new Frame.Refused(complaint));
      throw refuse(complaint);
    }
    link.setRank(hello.rank());
    ranks.put(hello.rank(), link);
    link.tryAnswer(new Frame.Accepted(remaining.toMillis()));
  }

  private BadInputException refuse(String message) {
    ranks.values().forEach(link -> link.trySend(new Frame.Refused(message)));
    return new BadInputException(message);
  }

  private LostRankException lose(LostRank lost) {
    ranks.values().forEach(link -> link.trySend(new Frame.Lost(lost)));
    return LostRankException.of(environment, lost);
  }

  private String missing() {
    List<Integer> missing =
        IntStream.range(1, environment.worldSize())
            .filter(rank -> !ranks.containsKey(rank))
            .boxed()
            .toList();
    return "rank%s %s%s of %d did not come to rank 0 at %s:%d within %d s; start all ranks, and look at their own messages"
        .formatted(
            missing.size() == 1 ? "" : "s",
            missing.stream().limit(SHOWN).map(String::valueOf).collect(Collectors.joining(", ")),
            missing.size() > SHOWN ? " and %d more".formatted(missing.size() - SHOWN) : "",
            environment.worldSize(),
            environment.masterAddress(),
            environment.masterPort(),
            timeout.toSeconds());
  }

  @Override
  public void close() {
    open.forEach(Link::close);
  }
}
