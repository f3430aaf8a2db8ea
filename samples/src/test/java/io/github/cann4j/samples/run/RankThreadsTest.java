// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

class RankThreadsTest {
  @Test
  void ranksMeetAtOneTime() throws Exception {
    AtomicLongArray times = new AtomicLongArray(3);
    AtomicInteger before = new AtomicInteger();
    RankThreads.run(
        3,
        (rank, meeting) -> {
          before.incrementAndGet();
          times.set(rank, meeting.await());
          assertEquals(3, before.get());
        });
    assertEquals(times.get(0), times.get(1));
    assertEquals(times.get(0), times.get(2));
  }

  @Test
  void aFailingRankFreesThoseThatWaitForIt() {
    IllegalStateException cause = new IllegalStateException("out of luck");
    RankFailedException e =
        Assertions.assertTimeoutPreemptively(
            Duration.ofSeconds(8),
            () ->
                assertThrows(
                    RankFailedException.class,
                    () ->
                        RankThreads.run(
                            4,
                            (rank, meeting) -> {
                              if (rank == 2) {
                                throw cause;
                              }
                              meeting.await();
                            })));
    assertEquals(2, e.rank());
    assertSame(cause, e.getCause());
    assertEquals("rank 2 of 4 failed: out of luck", e.getMessage());
  }

  @Test
  void theFirstFailureIsTheOneReported() {
    CountDownLatch failed = new CountDownLatch(1);
    RankFailedException e =
        assertThrows(
            RankFailedException.class,
            () ->
                RankThreads.run(
                    2,
                    (rank, meeting) -> {
                      if (rank == 1) {
                        failed.countDown();
                        throw new IllegalStateException("first");
                      }
                      failed.await();
                      Thread.sleep(Duration.ofMillis(200));
                      throw new IllegalStateException("second");
                    }));
    assertEquals(1, e.rank());
  }

  @Test
  void aRankThatHangsIsNamedAndLeftBehind() throws Exception {
    CountDownLatch end = new CountDownLatch(1);
    try {
      RankFailedException e =
          assertThrows(
              RankFailedException.class,
              () ->
                  RankThreads.run(
                      2,
                      (rank, meeting) -> {
                        if (rank == 0) {
                          throw new IllegalStateException("gone");
                        }
                        while (end.getCount() > 0) {
                          Thread.onSpinWait();
                        }
                      }));
      assertTrue(e.getMessage().endsWith("(still waiting for it: rank-1)"), e::getMessage);
    } finally {
      end.countDown();
    }
  }
}
