// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.cann4j.acl.Device;
import io.github.cann4j.hccl.CommunicatorOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sessions of ranks that are threads, with their communicators. */
class RankSessionTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  private static RankSession join(RankEnvironment environment) {
    return RankSession.join(
        environment,
        Device.open(environment.deviceId()),
        CommunicatorOptions.builder().bufferSizeMb(1).build(),
        TIMEOUT);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void allRanksAdd(int size) throws Exception {
    int port = Jobs.freePort();
    List<CompletableFuture<Float>> sums = new ArrayList<>();
    for (int rank = size - 1; rank >= 0; rank--) {
      RankEnvironment environment = Jobs.environment(rank, size, port);
      sums.add(
          Jobs.start(
              () -> {
                try (RankSession session = join(environment)) {
                  assertEquals(environment.rank(), session.world().rank());
                  return session.call(() -> RankSum.of(session.world()));
                }
              }));
    }
    for (float sum : Jobs.awaitAll(sums)) {
      assertEquals(RankSum.expected(size), sum);
    }
  }

  @Test
  void aRankTablePlacesTheRanks(@TempDir Path directory) throws Exception {
    Path table =
        Files.writeString(
            directory.resolve("table.json"),
            """
            {"status": "completed", "version": "1.0", "server_count": "1",
             "server_list": [{"server_id": "here", "device": [
               {"device_id": "3", "rank_id": "0"}, {"device_id": "1", "rank_id": "1"}]}]}
            """);
    int port = Jobs.freePort();
    List<CompletableFuture<Float>> sums = new ArrayList<>();
    for (int rank = 0; rank < 2; rank++) {
      Map<String, String> variables = new HashMap<>();
      variables.put("RANK_TABLE_FILE", table.toString());
      variables.put("RANK_ID", String.valueOf(rank));
      variables.put("MASTER_PORT", String.valueOf(port));
      RankEnvironment environment = RankEnvironment.read(variables).orElseThrow();
      sums.add(
          Jobs.start(
              () -> {
                try (RankSession session = join(environment)) {
                  assertEquals(environment.rank() == 0 ? 3 : 1, session.world().device().id());
                  return RankSum.of(session.world());
                }
              }));
    }
    for (float sum : Jobs.awaitAll(sums)) {
      assertEquals(RankSum.expected(2), sum);
    }
  }

  @Test
  void aFailureIsToldToTheOthers() throws Exception {
    int port = Jobs.freePort();
    List<CompletableFuture<LostRank>> losses = new ArrayList<>();
    List<CompletableFuture<Void>> ranks = new ArrayList<>();
    for (int rank = 0; rank < 3; rank++) {
      RankEnvironment environment = Jobs.environment(rank, 3, port);
      CompletableFuture<LostRank> loss = new CompletableFuture<>();
      losses.add(loss);
      ranks.add(
          Jobs.start(
              () -> {
                try (RankSession session = join(environment)) {
                  session.onLost(
                      lost -> {
                        if (!loss.complete(lost)) {
                          throw new AssertionError("twice");
                        }
                      });
                  if (environment.rank() == 2) {
                    assertThrows(
                        ArithmeticException.class,
                        () ->
                            session.call(
                                () -> {
                                  throw new ArithmeticException("no number");
                                }));
                  } else {
                    loss.get();
                  }
                  return null;
                }
              }));
    }
    Jobs.awaitAll(ranks);
    for (CompletableFuture<LostRank> loss : losses.subList(0, 2)) {
      assertEquals(
          new LostRank(2, LostRank.How.FAILED, "rank 2 of 3 failed: no number"), Jobs.await(loss));
    }
    assertEquals(false, losses.get(2).isDone());
  }
}
