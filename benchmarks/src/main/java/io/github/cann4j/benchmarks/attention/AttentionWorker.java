// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import io.github.cann4j.benchmarks.worker.WorkerLoop;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ServiceLoader;

/** Main class of a worker process: arguments are the implementation's name and its threads. */
public final class AttentionWorker {
  static final String CANN4J = "cann4j";

  private AttentionWorker() {}

  /** Starts the program. */
  public static void main(String[] args) throws IOException {
    PrintStream out = System.out;
    System.setOut(System.err); // for what libraries have to say
    try (AttentionRunner runner = open(args[0], Integer.parseInt(args[1]))) {
      new WorkerLoop(runner)
          .serve(new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)), out);
    }
    System.exit(0);
  }

  private static AttentionRunner open(String name, int threads) {
    if (name.equals(CANN4J)) {
      return new CannAttention();
    }
    return ServiceLoader.load(AttentionPeer.class).stream()
        .map(ServiceLoader.Provider::get)
        .filter(peer -> peer.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no implementation " + name))
        .open(threads);
  }
}
