// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.acl.Stream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * Runs the same work on every rank, each rank being a thread of this process. One rank that fails
 * stops the others: the first failure is thrown with its rank, and no rank waits for a dead one.
 */
public final class RankThreads {
  private static final Duration GRACE = Duration.ofSeconds(10);
  private static final long SHORTEST_POLL_NANOS = 20_000;
  private static final long LONGEST_POLL_NANOS = 1_000_000;
  private static final int POLLS = 128;

  /** What a rank does. */
  @FunctionalInterface
  public interface Work {
    void run(int rank, Meeting meeting) throws Exception;
  }

  /** Where all ranks meet. */
  public static final class Meeting {
    private final CyclicBarrier barrier;
    private volatile long met;

    private Meeting(int ranks) {
      barrier = new CyclicBarrier(ranks, () -> met = System.nanoTime());
    }

    /** Waits for all ranks; returns when the last one came, in nanoseconds, the same for all. */
    public long await() throws InterruptedException, BrokenBarrierException {
      barrier.await();
      return met;
    }
  }

  private record Failure(int rank, Throwable cause) {}

  private RankThreads() {}

  /**
   * Runs the work of all ranks and waits for its end.
   *
   * @throws RankFailedException if a rank failed
   */
  public static void run(int ranks, Work work) throws InterruptedException {
    Meeting meeting = new Meeting(ranks);
    AtomicReference<Failure> first = new AtomicReference<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < ranks; i++) {
      int rank = i;
      threads.add(
          Thread.ofPlatform()
              .daemon()
              .name("rank-" + rank)
              .unstarted(
                  () -> {
                    try {
                      work.run(rank, meeting);
                    } catch (Throwable e) {
                      if (first.compareAndSet(null, new Failure(rank, e))) {
                        threads.forEach(Thread::interrupt);
                      }
                    }
                  }));
    }
    threads.forEach(Thread::start);
    try {
      for (Thread thread : threads) {
        while (first.get() == null && thread.isAlive()) {
          thread.join(Duration.ofMillis(50));
        }
      }
    } catch (InterruptedException e) {
      threads.forEach(Thread::interrupt);
      throw e;
    }
    Failure failure = first.get();
    if (failure != null) {
      String others = endOthers(threads);
      throw new RankFailedException(failure.rank(), ranks, failure.cause(), others);
    }
  }

  /** Gives the other ranks time to clean up; one that hangs in the toolkit is left behind. */
  private static String endOthers(List<Thread> threads) throws InterruptedException {
    long deadline = System.nanoTime() + GRACE.toNanos();
    List<String> alive = new ArrayList<>();
    for (Thread thread : threads) {
      thread.join(Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
      if (thread.isAlive()) {
        alive.add(thread.getName());
      }
    }
    return alive.isEmpty() ? "" : " (still waiting for it: " + String.join(", ", alive) + ")";
  }

  /**
   * Waits until a stream has done its work, as {@link Stream#synchronize()} does, but ends when the
   * thread is interrupted because another rank failed. It looks less often the longer it waits: the
   * ranks would take a good part of the cores from what they wait for.
   */
  public static void await(Stream stream) throws InterruptedException {
    long begin = System.nanoTime();
    while (!stream.isComplete()) {
      if (Thread.interrupted()) {
        throw new InterruptedException("interrupted while the stream was busy");
      }
      long waited = System.nanoTime() - begin;
      LockSupport.parkNanos(Math.clamp(waited / POLLS, SHORTEST_POLL_NANOS, LONGEST_POLL_NANOS));
    }
    stream.synchronize();
  }
}
