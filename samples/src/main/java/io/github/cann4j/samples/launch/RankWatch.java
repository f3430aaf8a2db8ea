// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches the other ranks over the connections of the rendezvous: rank 0 all of them, the others
 * rank 0, which tells them of the rest. One thread does it, so that what happens first is settled.
 */
final class RankWatch {
  // A rank that fails waits so long for word of another whose loss would be the reason. Where all
  // fail alike, rank 0 speaks for them.
  private static final Duration CAUSE_PATIENCE = Duration.ofMillis(1_500);
  private static final Duration CAUSE_PATIENCE_OF_FIRST = Duration.ofMillis(1_000);

  private static final Logger LOG = LoggerFactory.getLogger(RankWatch.class);
  private static final Duration GOOD_BYE_PATIENCE = Duration.ofSeconds(5);
  private static final int HEARTBEATS_UNTIL_LOST = 6;

  /** What the watching thread is to deal with. */
  sealed interface Event {}

  /** A peer said something; the frame is null when its connection has ended. */
  record Said(Link link, Frame frame) implements Event {}

  /** A rank came, perhaps too late. */
  record Came(Link link, Link.Hello hello) implements Event {}

  private record Fail(String why, CompletableFuture<Optional<LostRank>> result) implements Event {}

  private record Close(CompletableFuture<Void> done) implements Event {}

  private final int rank;
  private final int size;
  private final Map<Integer, Link> links = new TreeMap<>();
  private final BlockingQueue<Event> events;
  private final List<Thread> threads;
  private final Duration lostAfter;
  private final Duration closePatience;
  private final CompletableFuture<LostRank> loss = new CompletableFuture<>();

  // Of the watching thread.
  private boolean settled;
  private boolean over;
  private Fail failing;
  private long failAt;
  private Close closing;
  private long closeBy;
  private long nextHeartbeat;
  private long awakeSince = System.nanoTime();

  /**
   * A watch over connections that threads read from.
   *
   * @param events where the reading threads put what comes
   * @param readers the reading threads
   * @param patience how long the end of this rank waits for that of the others
   */
  RankWatch(
      RankEnvironment environment,
      List<Link> links,
      BlockingQueue<Event> events,
      List<Thread> readers,
      Duration lostAfter,
      Duration patience) {
    this.rank = environment.rank();
    this.size = environment.worldSize();
    links.forEach(link -> this.links.put(link.rank(), link));
    this.events = events;
    this.threads = new ArrayList<>(readers);
    this.lostAfter = lostAfter;
    this.closePatience = rank == 0 ? patience : GOOD_BYE_PATIENCE;
    threads.add(Thread.ofPlatform().daemon().name("rank-watch").start(this::watch));
  }

  /** Completes when a rank is lost; never if this one fails or all end well. */
  CompletableFuture<LostRank> loss() {
    return loss;
  }

  /** Tells the others that this rank cannot go on; returns the loss that is the reason, if any. */
  Optional<LostRank> fail(String why) {
    CompletableFuture<Optional<LostRank>> result = new CompletableFuture<>();
    events.add(new Fail(why, result));
    try {
      return result.get(CAUSE_PATIENCE.plus(GOOD_BYE_PATIENCE).toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException e) {
      return Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }

  /** Says good-bye; rank 0 waits until the others have. Leaves no thread and no socket. */
  void close() {
    CompletableFuture<Void> done = new CompletableFuture<>();
    events.add(new Close(done));
    try {
      done.get(closePatience.plus(GOOD_BYE_PATIENCE).toMillis(), TimeUnit.MILLISECONDS);
      for (Thread thread : threads) {
        thread.join(GOOD_BYE_PATIENCE);
      }
    } catch (ExecutionException | TimeoutException e) {
      throw new IllegalStateException("the connections between the ranks did not end", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  List<String> aliveThreads() {
    return threads.stream().filter(Thread::isAlive).map(Thread::getName).toList();
  }

  private void watch() {
    long heartbeat = lostAfter.toNanos() / HEARTBEATS_UNTIL_LOST;
    nextHeartbeat = System.nanoTime() + heartbeat;
    while (!over) {
      Event event;
      try {
        event = events.poll(nanosToWait(), TimeUnit.NANOSECONDS);
      } catch (InterruptedException e) {
        continue;
      }
      switch (event) {
        case null -> {}
        case Said(Link link, Frame frame) -> handle(link, frame);
        case Came(Link link, Link.Hello hello) -> {
          link.tryAnswer(
              new Frame.Refused(
                  "rank %d came when all %d ranks of the job were there; each rank starts once"
                      .formatted(hello.rank(), size)));
          link.close();
        }
        case Fail fail -> {
          if (settled) {
            fail.result().complete(Optional.ofNullable(loss.getNow(null)));
          } else {
            failing = fail;
            failAt =
                System.nanoTime()
                    + (rank == 0 ? CAUSE_PATIENCE_OF_FIRST : CAUSE_PATIENCE).toNanos();
          }
        }
        case Close close -> {
          closing = close;
          closeBy = System.nanoTime() + closePatience.toNanos();
          if (rank != 0) {
            links.values().forEach(link -> link.trySend(new Frame.GoodBye()));
          }
        }
      }
      long now = System.nanoTime();
      if (now - nextHeartbeat >= 0) {
        if (now - nextHeartbeat > heartbeat) {
          // This process was stopped for a while, perhaps all were.
          awakeSince = now;
        }
        nextHeartbeat = now + heartbeat;
        links.values().forEach(link -> link.trySend(new Frame.Heartbeat()));
        findSilent(now);
      }
      if (failing != null && !settled && now - failAt >= 0) {
        announceFailure();
      }
      if (closing != null && (settled || links.isEmpty() || now - closeBy >= 0)) {
        finish();
      }
    }
  }

  private long nanosToWait() {
    long now = System.nanoTime();
    long wait = nextHeartbeat - now;
    if (failing != null && !settled) {
      wait = Math.min(wait, failAt - now);
    }
    if (closing != null) {
      wait = Math.min(wait, closeBy - now);
    }
    return Math.max(wait, 0);
  }

  private void handle(Link link, Frame frame) {
    switch (frame) {
      case Frame.GoodBye() -> {
        if (rank == 0) {
          link.trySend(new Frame.GoodBye());
        }
        links.remove(link.rank(), link);
        link.close();
      }
      case Frame.Failed(String why) when rank == 0 ->
          settle(LostRank.failed(link.rank(), size, why));
      case Frame.Lost(LostRank lost) when rank != 0 -> settle(lost);
      case null, default -> {
        link.close();
        if (links.remove(link.rank(), link)) {
          settle(LostRank.gone(link.rank(), size));
        }
      }
    }
  }

  private void findSilent(long now) {
    for (Link link : List.copyOf(links.values())) {
      if (Math.min(now - link.heard(), now - awakeSince) > lostAfter.toNanos()) {
        settle(LostRank.silent(link.rank(), size, lostAfter.toSeconds()));
      }
    }
  }

  private void settle(LostRank lost) {
    if (settled) {
      return;
    }
    settled = true;
    broadcast(lost);
    loss.complete(lost);
    if (failing != null) {
      failing.result().complete(Optional.of(lost));
    }
  }

  private void announceFailure() {
    settled = true;
    if (rank == 0) {
      broadcast(LostRank.failed(0, size, failing.why()));
    } else {
      links.values().forEach(link -> link.trySend(new Frame.Failed(failing.why())));
    }
    failing.result().complete(Optional.empty());
  }

  private void broadcast(LostRank lost) {
    if (rank == 0) {
      links.values().stream()
          .filter(link -> link.rank() != lost.rank())
          .forEach(link -> link.trySend(new Frame.Lost(lost)));
    }
  }

  private void finish() {
    over = true;
    if (rank == 0 && !settled) {
      if (!links.isEmpty()) {
        LOG.warn("rank 0 ends although ranks {} have not ended yet", links.keySet());
      }
      links.values().forEach(link -> link.trySend(new Frame.GoodBye()));
    }
    links.values().forEach(Link::close);
    closing.done().complete(null);
  }
}
