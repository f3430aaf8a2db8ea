// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import java.io.Console;
import java.io.PrintWriter;
import java.util.concurrent.atomic.AtomicLong;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows how far a program is: a bar on a terminal, lines elsewhere, since a bar that is written to
 * a file or a pipe is a long row of fragments. Any thread may move it.
 */
public final class Progress implements AutoCloseable {
  private static final int LINE = 100;

  private final ProgressBar bar;
  private final PrintWriter lines;
  private final long steps;
  private final AtomicLong done = new AtomicLong();

  private Progress(ProgressBar bar, PrintWriter lines, long steps) {
    this.bar = bar;
    this.lines = lines;
    this.steps = steps;
  }

  /** A bar on standard error if there is a terminal, else lines. */
  public static Progress of(long steps, PrintWriter lines) {
    Console console = System.console();
    if (console == null || !console.isTerminal()) {
      return new Progress(null, lines, steps);
    }
    return new Progress(
        new ProgressBarBuilder()
            .setTaskName("")
            .setInitialMax(steps)
            .setStyle(ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(200)
            .setConsumer(new ConsoleProgressBarConsumer(System.err, LINE))
            .build(),
        null,
        steps);
  }

  /** Shows nothing. */
  public static Progress silent() {
    return new Progress(null, null, 0);
  }

  /** Says what goes on now. */
  public void say(String what) {
    if (bar != null) {
      bar.setExtraMessage(what);
    }
    if (lines != null) {
      lines.printf("[%2d/%d] %s%n", done.get() + 1, steps, what);
      lines.flush();
    }
  }

  /** One step is done. */
  public void step() {
    done.incrementAndGet();
    if (bar != null) {
      bar.step();
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }
}
