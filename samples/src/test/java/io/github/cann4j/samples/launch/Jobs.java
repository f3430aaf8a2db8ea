// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** Jobs whose ranks are threads, each told its place as torchrun would. */
public final class Jobs {
  private Jobs() {}

  /** A port of the loopback address that nobody has. */
  public static int freePort() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** What torchrun would set for a rank of this host. */
  public static Map<String, String> variables(int rank, int size, int port) {
    return new HashMap<>(
        Map.of(
            "RANK", String.valueOf(rank),
            "WORLD_SIZE", String.valueOf(size),
            "LOCAL_RANK", String.valueOf(rank),
            "LOCAL_WORLD_SIZE", String.valueOf(size),
            "MASTER_PORT", String.valueOf(port)));
  }

  static RankEnvironment environment(int rank, int size, int port) {
    return RankEnvironment.read(variables(rank, size, port)).orElseThrow();
  }

  static <T> CompletableFuture<T> start(Callable<T> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              try {
                result.complete(work.call());
              } catch (Throwable e) {
                result.completeExceptionally(e);
              }
            });
    return result;
  }

  static <T> T await(CompletableFuture<T> result) throws Exception {
    return result.get(60, TimeUnit.SECONDS);
  }

  static <T> List<T> awaitAll(List<CompletableFuture<T>> results) throws Exception {
    List<T> all = new ArrayList<>();
    for (CompletableFuture<T> result : results) {
      all.add(await(result));
    }
    return all;
  }

  /** Asserts that work failed with a class of exception whose message has all the words. */
  static void assertFailed(
      CompletableFuture<?> result, Class<? extends Exception> type, String... words)
      throws Exception {
    Throwable failure = null;
    try {
      await(result);
    } catch (ExecutionException e) {
      failure = e.getCause();
    }
    assertTrue(failure != null, "it did not fail");
    assertEquals(type, failure.getClass(), failure.toString());
    for (String word : words) {
      assertTrue(failure.getMessage().contains(word), word + " is not in: " + failure.getMessage());
    }
  }
}
