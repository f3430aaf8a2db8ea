// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import io.github.cann4j.samples.cli.BadInputException;
import java.io.EOFException;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Supplier;

/**
 * How the ranks of a job meet: rank 0 listens, the others come and say who they are, and when all
 * are there each gets the root info. For networks where strangers do not mean harm.
 */
final class Rendezvous {
  // How long rank 0's answer may be on its way.
  private static final Duration TRAVEL = Duration.ofSeconds(5);

  private static final Duration FIRST_PAUSE = Duration.ofMillis(50);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(1);
  private static final int BACKLOG = 50;
  // Another socket may have the port for a moment.
  private static final int BIND_TRIES = 10;
  private static final Duration BIND_PAUSE = Duration.ofMillis(200);

  /** The connections, and what rank 0 handed out. */
  record Met(RankWatch watch, byte[] rootInfo) {}

  private final RankEnvironment environment;
  private final Duration timeout;
  private final Duration lostAfter;
  private final long deadline;

  private Rendezvous(RankEnvironment environment, Duration timeout, Duration lostAfter) {
    this.environment = environment;
    this.timeout = timeout;
    this.lostAfter = lostAfter;
    this.deadline = System.nanoTime() + timeout.toNanos();
  }

  /**
   * Meets the other ranks.
   *
   * @param rootInfo makes what rank 0 hands out, when all are there
   * @throws BadInputException if they do not come or do not fit together
   * @throws LostRankException if one ends before all are there
   */
  static Met meet(
      RankEnvironment environment,
      Duration timeout,
      Duration lostAfter,
      Supplier<byte[]> rootInfo) {
    Rendezvous rendezvous = new Rendezvous(environment, timeout, lostAfter);
    return environment.rank() == 0 ? rendezvous.host(rootInfo) : rendezvous.come();
  }

  private String place() {
    return environment.masterAddress() + ":" + environment.masterPort();
  }

  private String me() {
    return "rank %d of %d".formatted(environment.rank(), environment.worldSize());
  }

  private Duration remaining() {
    return Duration.ofNanos(Math.max(1_000_000, deadline - System.nanoTime()));
  }

  private Met host(Supplier<byte[]> rootInfo) {
    try (ServerSocket server = listen();
        RankGathering gathering = new RankGathering(environment, timeout, server)) {
      byte[] info = gathering.gather(deadline, rootInfo);
      return new Met(gathering.watch(lostAfter), info);
    } catch (IOException e) {
      throw new BadInputException(
          "%s cannot listen at %s: %s; choose another MASTER_PORT, or start rank 0 only once"
              .formatted(me(), place(), e.getMessage()),
          e);
    }
  }

  private ServerSocket listen() throws IOException {
    // A host's own name may stand for the loopback address in its own tables, and for another in
    // those of other hosts.
    InetAddress address =
        LaunchedRank.isLoopback(environment.masterAddress())
            ? InetAddress.getByName(environment.masterAddress())
            : null;
    for (int tries = 1; ; tries++) {
      ServerSocket server = new ServerSocket();
      try {
        server.bind(
            new InetSocketAddress(address, environment.masterPort()),
            BACKLOG + environment.worldSize());
        return server;
      } catch (BindException e) {
        server.close();
        if (tries == BIND_TRIES) {
          throw e;
        }
        pause(BIND_PAUSE);
      }
    }
  }

  private Met come() {
    Link link = connect();
    boolean met = false;
    try {
      link.setRank(0);
      byte[] info = awaitStart(link);
      BlockingQueue<RankWatch.Event> events = new LinkedBlockingQueue<>();
      Thread reader =
          Thread.ofVirtual()
              .name("rank-reader")
              .start(
                  () -> link.readAll((from, frame) -> events.add(new RankWatch.Said(from, frame))));
      met = true;
      return new Met(
          new RankWatch(environment, List.of(link), events, List.of(reader), lostAfter, timeout),
          info);
    } finally {
      if (!met) {
        link.close();
      }
    }
  }

  private Link connect() {
    Duration pause = FIRST_PAUSE;
    while (true) {
      String why;
      try {
        Socket socket = new Socket();
        try {
          socket.connect(
              new InetSocketAddress(
                  InetAddress.getByName(environment.masterAddress()), environment.masterPort()),
              (int) remaining().toMillis());
          // A socket that seeks a port where nobody listens may be given that very port.
          if (!socket.getLocalSocketAddress().equals(socket.getRemoteSocketAddress())) {
            return new Link(socket);
          }
          why = "nobody listens";
        } catch (IOException e) {
          socket.close();
          throw e;
        }
        socket.close();
      } catch (UnknownHostException e) {
        why = "the host is not known";
      } catch (IOException e) {
        why = e.getMessage();
      }
      if (System.nanoTime() + pause.toNanos() - deadline > 0) {
        throw new BadInputException(
            "%s could not reach rank 0 at %s within %d s: %s; start rank 0 there, or correct"
                    .formatted(me(), place(), timeout.toSeconds(), why)
                + " MASTER_ADDR and MASTER_PORT");
      }
      pause(pause);
      pause = Duration.ofMillis(Math.min(2 * pause.toMillis(), LONGEST_PAUSE.toMillis()));
    }
  }

  private byte[] awaitStart(Link link) {
    boolean accepted = false;
    try {
      link.setReadTimeout(remaining().plus(TRAVEL));
      link.sendHello(
          new Link.Hello(
              Link.Hello.VERSION,
              environment.worldSize(),
              environment.rank(),
              environment.jobId()));
      for (Frame frame = link.readAnswer(); ; frame = link.read()) {
        switch (frame) {
          case Frame.Accepted(long waitMillis) -> {
            accepted = true;
            link.setReadTimeout(Duration.ofMillis(waitMillis).plus(TRAVEL));
          }
          case Frame.Refused(String message) -> throw new BadInputException(message);
          case Frame.Lost(LostRank lost) -> throw LostRankException.of(environment, lost);
          case Frame.Start(byte[] info) -> {
            link.setReadTimeout(Duration.ZERO);
            return info;
          }
          default -> throw new EOFException("an unexpected answer");
        }
      }
    } catch (IOException e) {
      if (accepted && !(e instanceof SocketTimeoutException)) {
        throw LostRankException.of(environment, LostRank.gone(0, environment.worldSize()));
      }
      throw new BadInputException(
          "%s reached %s, but what listens there is not rank 0 of this job (%s); choose another"
                  .formatted(me(), place(), e.getMessage() == null ? "it hung up" : e.getMessage())
              + " MASTER_PORT",
          e);
    }
  }

  private static void pause(Duration time) {
    try {
      Thread.sleep(time);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the ranks met", e);
    }
  }
}
