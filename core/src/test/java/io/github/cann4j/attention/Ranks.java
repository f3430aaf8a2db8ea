// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.cann4j.acl.Device;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.RootInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Ranks as platform threads of this JVM, one device each; the first failure is rethrown with its rank. */
final class Ranks {
  private static final long TIMEOUT_SECONDS = 120;

  @FunctionalInterface
  interface Body<T> {
    T run(Device device, Communicator world) throws Exception;
  }

  private Ranks() {}

  static <T> List<T> run(int size, Body<T> body) throws Exception {
    assumeTrue(size <= Device.count(), () -> size + " devices needed, there are " + Device.count());
    RootInfo root = RootInfo.create(Device.open(0));
    List<CompletableFuture<T>> results = new ArrayList<>();
    CompletableFuture<T> firstFailure = new CompletableFuture<>();
    for (int rank = 0; rank < size; rank++) {
      int me = rank;
      CompletableFuture<T> result = new CompletableFuture<>();
      results.add(result);
      Thread.ofPlatform()
          .daemon()
          .name("rank-" + me)
          .start(
              () -> {
                try {
                  Device device = Device.open(me);
                  try (Communicator world = Communicator.create(device, root, size, me)) {
                    result.complete(body.run(device, world));
                  }
                } catch (Throwable e) {
                  Exception failure = new Exception("rank " + me + " of " + size + ": " + e, e);
                  result.completeExceptionally(failure);
                  firstFailure.completeExceptionally(failure);
                }
              });
    }
    CompletableFuture<Void> all =
        CompletableFuture.allOf(results.toArray(CompletableFuture[]::new));
    try {
      CompletableFuture.anyOf(all, firstFailure).get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      throw new AssertionError("ranks did not end within " + TIMEOUT_SECONDS + " s", e);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof Exception cause ? cause : e;
    }
    return results.stream().map(CompletableFuture::join).toList();
  }
}
