// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import io.github.cann4j.samples.cli.ExitCode;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Runs a program as several processes of this host, one for each rank, with this JVM's java, class
 * path and options, and with torchrun's variables.
 *
 * <p>Rank 0 has this process's input and outputs; the lines of the others come with their rank. A
 * rank that ends badly ends all, and so does the end of the launcher, if the program calls {@link
 * #endWithLauncher}.
 */
public final class LocalLauncher {
  // The launcher's process id; whose variable it is knows that the launcher tells the user.
  private static final String LAUNCHER = "CANN4J_LAUNCHER";
  private static final Duration GRACE = Duration.ofSeconds(3);
  // For the exit of the rank that another's exit speaks of.
  private static final Duration CAUSE_PATIENCE = Duration.ofSeconds(2);
  private static final int OUT_OF_SIGNAL = 128;

  private final String program;
  private final List<String> command;
  private final int ranks;
  private final BlockingQueue<Ended> ended = new LinkedBlockingQueue<>();
  private final List<Process> processes = new ArrayList<>();
  private final List<Thread> pumps = new ArrayList<>();
  // The first one that ended well.
  private Ended early;
  private boolean ending;
  private volatile boolean stopped;

  private record Ended(int rank, int exitCode) {}

  private LocalLauncher(String program, List<String> command, int ranks) {
    this.program = program;
    this.command = command;
    this.ranks = ranks;
  }

  /**
   * Runs a program and waits for its end.
   *
   * @param program what the user started, for the line that says which rank failed
   * @param main the class whose main method each rank runs
   * @param args its arguments
   * @param ranks how many processes
   * @return 0 if all ranks returned that, else the exit code of the rank that failed first, 128
   *     plus the signal's number if it was killed
   */
  public static int run(String program, Class<?> main, List<String> args, int ranks) {
    return new LocalLauncher(program, command(main, args), ranks).run();
  }

  /** Whether a launcher started this process, which then tells the user of lost ranks. */
  public static boolean startedThis() {
    return launcher().isPresent();
  }

  /**
   * Makes this process end when the launcher that started it has, however that happened; without a
   * launcher it does nothing. To be called first in a program's main method.
   */
  public static void endWithLauncher() {
    launcher()
        .ifPresent(
            id ->
                Thread.ofPlatform()
                    .daemon()
                    .name("launcher-watch")
                    .start(
                        () -> {
                          awaitEnd(id);
                          ProcessEnd.exit(ExitCode.OTHER_RANK_LOST);
                        }));
  }

  private static Optional<Long> launcher() {
    return new Variables(System.getenv())
        .text(LAUNCHER)
        .filter(text -> text.matches("\\d{1,18}"))
        .map(Long::valueOf)
        // A program that a rank starts inherits the variable, but is no rank.
        .filter(id -> new Variables(System.getenv()).has("RANK"));
  }

  private static void awaitEnd(long launcher) {
    if ("0".equals(System.getenv("RANK"))) {
      // Its input is the user's.
      Optional<ProcessHandle> parent = ProcessHandle.current().parent();
      parent.filter(handle -> handle.pid() == launcher).ifPresent(handle -> handle.onExit().join());
      return;
    }
    try {
      System.in.transferTo(OutputStream.nullOutputStream());
    } catch (IOException e) {
      // The other end is gone as well.
    }
  }

  private static List<String> command(Class<?> main, List<String> args) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      // Only one process can listen for a debugger.
      if (!option.startsWith("-agentlib:jdwp") && !option.startsWith("-Xrunjdwp")) {
        command.add(option);
      }
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(args);
    return command;
  }

  private int run() {
    Thread hook =
        new Thread(
            () -> {
              stopped = true;
              endAll();
            },
            "launcher-end");
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      start();
      Optional<Ended> first = awaitAll();
      for (Thread pump : pumps) {
        pump.join(CAUSE_PATIENCE);
      }
      // Whoever stops the launcher knows why the ranks end.
      if (!stopped) {
        first.flatMap(this::describe).ifPresent(line -> System.err.println(program + ": " + line));
      }
      return first.map(Ended::exitCode).orElse(ExitCode.OK);
    } catch (IOException e) {
      throw new UncheckedIOException("the ranks could not be started: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the ranks ran", e);
    } finally {
      endAll();
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // This process is ending; the hook has run.
      }
    }
  }

  private synchronized void start() throws IOException {
    String port = String.valueOf(freePort());
    String job = UUID.randomUUID().toString();
    for (int rank = 0; rank < ranks && !ending; rank++) {
      int number = rank;
      ProcessBuilder builder = new ProcessBuilder(command);
      setVariables(builder.environment(), rank, port, job);
      if (rank == 0) {
        builder.inheritIO();
      } else {
        builder.redirectInput(Redirect.PIPE);
      }
      Process process = builder.start();
      processes.add(process);
      if (rank > 0) {
        String prefix = "[rank " + rank + "] ";
        pumps.add(PrefixedLines.pump(process.getInputStream(), prefix, System.out));
        pumps.add(PrefixedLines.pump(process.getErrorStream(), prefix, System.err));
      }
      process.onExit().thenAccept(done -> ended.add(new Ended(number, done.exitValue())));
    }
  }

  private void setVariables(Map<String, String> variables, int rank, String port, String job) {
    variables.keySet().removeAll(LaunchedRank.VARIABLES);
    variables.put("RANK", String.valueOf(rank));
    variables.put("LOCAL_RANK", String.valueOf(rank));
    variables.put("WORLD_SIZE", String.valueOf(ranks));
    variables.put("LOCAL_WORLD_SIZE", String.valueOf(ranks));
    variables.put("MASTER_ADDR", RankEnvironment.LOOPBACK);
    variables.put("MASTER_PORT", port);
    variables.put(RankEnvironment.JOB_ID, job);
    variables.put(LAUNCHER, String.valueOf(ProcessHandle.current().pid()));
    String threads =
        String.valueOf(Math.max(1, Runtime.getRuntime().availableProcessors() / ranks));
    variables.putIfAbsent("CANN4J_CPU_THREADS", threads);
    variables.putIfAbsent("OMP_NUM_THREADS", threads);
    // Threads that wait by spinning would take the processors of the other ranks.
    variables.putIfAbsent("OMP_WAIT_POLICY", "PASSIVE");
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket =
        new ServerSocket(0, 1, InetAddress.getByName(RankEnvironment.LOOPBACK))) {
      return socket.getLocalPort();
    }
  }

  /** Waits until all have ended; returns the one that failed first. */
  private Optional<Ended> awaitAll() throws InterruptedException {
    Ended first = null;
    int running = ranks;
    while (running > 0 && first == null) {
      Ended next = ended.take();
      running--;
      if (next.exitCode() != ExitCode.OK) {
        first = next;
      } else if (early == null) {
        early = next;
      }
    }
    while (running > 0 && first.exitCode() == ExitCode.OTHER_RANK_LOST) {
      Ended next = ended.poll(CAUSE_PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
      if (next == null) {
        break;
      }
      running--;
      if (next.exitCode() != ExitCode.OK && next.exitCode() != ExitCode.OTHER_RANK_LOST) {
        first = next;
      }
    }
    if (first != null) {
      endAll();
    }
    return Optional.ofNullable(first);
  }

  /** What to tell the user, unless a rank that lost another has. */
  private Optional<String> describe(Ended failure) {
    if (failure.exitCode() == ExitCode.OTHER_RANK_LOST) {
      return Optional.ofNullable(early)
          .map(
              rank ->
                  "rank %d of %d ended with exit code 0 before the others were done"
                      .formatted(rank.rank(), ranks));
    }
    int signal = failure.exitCode() - OUT_OF_SIGNAL;
    String name =
        switch (signal) {
          case 1 -> "SIGHUP";
          case 2 -> "SIGINT";
          case 3 -> "SIGQUIT";
          case 4 -> "SIGILL";
          case 6 -> "SIGABRT";
          case 7 -> "SIGBUS";
          case 8 -> "SIGFPE";
          case 9 -> "SIGKILL (by someone, or for lack of memory)";
          case 11 -> "SIGSEGV";
          case 15 -> "SIGTERM";
          default -> signal > 0 && signal < 65 ? "signal " + signal : "";
        };
    return Optional.of(
        "rank %d of %d %s; the other ranks were ended"
            .formatted(
                failure.rank(),
                ranks,
                name.isEmpty()
                    ? "failed with exit code " + failure.exitCode()
                    : "was killed by " + name));
  }

  /** Ends what still runs, first by SIGTERM, then by SIGKILL. */
  private synchronized void endAll() {
    ending = true;
    processes.forEach(Process::destroy);
    long deadline = System.nanoTime() + GRACE.toNanos();
    for (Process process : processes) {
      try {
        if (!process.waitFor(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
          process.destroyForcibly();
        }
      } catch (InterruptedException e) {
        process.destroyForcibly();
        Thread.currentThread().interrupt();
      }
    }
  }
}
