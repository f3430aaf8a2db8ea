// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a process that is told to end from doing so inside the framework: its libraries are taken
 * down then, and a thread that computes with them crashes the process. The end waits until that
 * thread comes to {@link #pass} or {@link #enter}, where it stays, or leaves.
 */
final class ExitGate implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ExitGate.class);
  private static final long PATIENCE_SECONDS = 20;

  private final ReentrantLock inside = new ReentrantLock();
  private final Thread hook = new Thread(this::await, "exit-gate");
  private volatile boolean ending;

  ExitGate() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private void await() {
    ending = true;
    try {
      // Not given back: whoever comes next finds the framework gone.
      if (!inside.tryLock(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        LOG.warn("the process ends while the framework computes, which may crash it");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Begins to use the framework. */
  void enter() {
    inside.lock();
  }

  /** Goes on using it, unless the process ends. */
  void pass() {
    if (ending) {
      inside.unlock();
      while (ending) {
        LockSupport.park(this);
      }
    }
  }

  /** Ends using it. */
  void leave() {
    inside.unlock();
  }

  /** Waits for something else than the framework, maybe for long. */
  void outside(Runnable wait) {
    if (!inside.isHeldByCurrentThread()) {
      wait.run();
      return;
    }
    leave();
    try {
      wait.run();
    } finally {
      enter();
    }
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The process is ending already, by its own thread.
    }
  }
}
