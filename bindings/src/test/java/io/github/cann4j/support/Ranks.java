// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.support;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.cann4j.acl.Device;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.CommunicatorOptions;
import io.github.cann4j.hccl.RootInfo;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs the ranks of a communicator as threads and rethrows what the first of them throws. */
public final class Ranks {
  private static final long TIMEOUT_SECONDS = 60;

  private Ranks() {}

  /** One rank's work. */
  @FunctionalInterface
  public interface Work {
    /** Does it. */
    void run(Communicator communicator, Bench bench) throws Exception;
  }

  /** One thread's work, without a communicator. */
  @FunctionalInterface
  public interface Plain {
    /** Does it. */
    void run(int rank) throws Exception;
  }

  /** Each rank makes its communicator from one root info, works, and closes it. */
  public static void run(int size, Work work) {
    run(size, CommunicatorOptions.defaults(), work);
  }

  /** The same with options. */
  public static void run(int size, CommunicatorOptions options, Work work) {
    assumeTrue(size <= Device.count(), () -> size + " devices needed, there are " + Device.count());
    RootInfo root = RootInfo.create(Device.open(0));
    threads(
        size,
        rank -> {
          try (Bench bench = new Bench(rank);
              Communicator communicator =
                  Communicator.create(bench.device, root, size, rank, options)) {
            work.run(communicator, bench);
            bench.stream.synchronize();
          }
        });
  }

  /** Runs a thread per rank. */
  public static void threads(int size, Plain work) {
    List<Thread> threads = new ArrayList<>();
    Throwable[] thrown = new Throwable[size];
    for (int i = 0; i < size; i++) {
      int rank = i;
      threads.add(
          Thread.ofPlatform()
              .name("rank-" + rank)
              .daemon()
              .start(
                  () -> {
                    try {
                      work.run(rank);
                    } catch (Throwable e) {
                      thrown[rank] = e;
                    }
                  }));
    }
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
    // A rank that has failed leaves others waiting: report its failure, not the time-out.
    while (threads.stream().anyMatch(Thread::isAlive)) {
      boolean failed = Arrays.stream(thrown).anyMatch(e -> e != null);
      if (failed || System.nanoTime() > deadline) {
        break;
      }
      try {
        Thread.sleep(1);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
    AssertionError all = null;
    for (int rank = 0; rank < size; rank++) {
      if (thrown[rank] != null) {
        all = all == null ? new AssertionError("rank " + rank, thrown[rank]) : all;
      }
    }
    if (all != null) {
      throw all;
    }
    for (Thread thread : threads) {
      if (thread.isAlive()) {
        AssertionError hang = new AssertionError(thread.getName() + " hangs");
        hang.setStackTrace(thread.getStackTrace());
        throw hang;
      }
    }
  }
}
