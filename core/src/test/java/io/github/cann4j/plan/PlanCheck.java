// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.packing.PackedSequence;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Checks a plan of steps row by row against the definition of its mask. */
final class PlanCheck {
  private final ContextParallelPlan plan;
  private final PackedSequence sequence;
  private final int ranks;
  private final int length;
  // [ring rank][local row] -> global row
  private final int[][] globalRow;
  // [query rank][key owner][owner's local row]: how many queries attend to the row
  private final int[][][] demand;

  PlanCheck(ContextParallelPlan plan) {
    this.plan = plan;
    sequence = plan.sequence();
    ranks = plan.grid().ringDegree();
    length = (int) sequence.length();
    globalRow = globalRows(plan);
    demand = new int[ranks][ranks][length / ranks];
    for (int r = 0; r < ranks; r++) {
      for (int o = 0; o < ranks; o++) {
        for (int q : globalRow[r]) {
          for (int k = 0; k < globalRow[o].length; k++) {
            demand[r][o][k] += allowed(q, globalRow[o][k]) ? 1 : 0;
          }
        }
      }
    }
  }

  /** Global rows by ring rank and local row. */
  static int[][] globalRows(ContextParallelPlan plan) {
    return IntStream.range(0, plan.grid().ringDegree())
        .mapToObj(
            r ->
                plan.ringShard(r).stream()
                    .flatMapToInt(c -> IntStream.range((int) c.begin(), (int) c.end()))
                    .toArray())
        .toArray(int[][]::new);
  }

  private boolean allowed(int q, int k) {
    return RandomPlans.allows(sequence, plan.mask(), q, k);
  }

  void shards() {
    int[] holders = new int[length];
    for (int r = 0; r < ranks; r++) {
      assertEquals(length / ranks, plan.ringRows(r));
      assertEquals(length / ranks, globalRow[r].length);
      for (int i = 0; i < globalRow[r].length; i++) {
        holders[globalRow[r][i]]++;
        assertEquals(globalRow[r][i] < sequence.validLength(), i < plan.validRingRows(r));
      }
    }
    for (int holder : holders) {
      assertEquals(1, holder);
    }
  }

  /** Every allowed pair is in one call, no other is; limits and work hold. */
  void coverage() {
    int[][] count = new int[length][length];
    long total = 0;
    for (int r = 0; r < ranks; r++) {
      List<AttentionStep> steps = plan.steps(r);
      assertEquals(ranks, steps.size());
      long work = 0;
      for (int i = 0; i < ranks; i++) {
        AttentionStep step = steps.get(i);
        assertEquals(i, step.index());
        assertEquals(
            Math.floorMod(plan.pattern() == ExchangePattern.DIRECT ? r - i : r + i, ranks),
            step.owner());
        long previousEnd = 0;
        for (AttentionCall call : step.firstCalls()) {
          assertEquals(0, i, "only the local step begins rows");
          assertTrue(call.q().begin() >= previousEnd, "query rows of first calls must ascend");
          previousEnd = call.q().end();
        }
        for (AttentionCall call : step.calls()) {
          assertTrue(call.segments() <= plan.maxSequencesPerCall());
          assertTrue(call.pairs() <= plan.maxPairsPerCall(), () -> call + " " + call.pairs());
          assertEveryQuerySeesAKey(call);
          assertEquals(call.pairs(), mark(call, globalRow[r], globalRow[step.owner()], count));
          work += call.pairs();
        }
      }
      assertEquals(work, plan.work(r));
      total += work;
    }
    assertEquals(total, plan.totalWork());
    for (int q = 0; q < length; q++) {
      for (int k = 0; k < length; k++) {
        assertEquals(allowed(q, k) ? 1 : 0, count[q][k]);
      }
    }
  }

  private static void assertEveryQuerySeesAKey(AttentionCall call) {
    for (int s = 0; s < call.segments(); s++) {
      long queries = call.qSegments().get(s).length();
      for (long a = 0; a < queries; a++) {
        long keys = call.kvSegments().get(s).length();
        assertTrue(call.mask().pairs(queries, keys, s, a, a + 1) > 0, call::toString);
      }
    }
  }

  static long mark(AttentionCall call, int[] queries, int[] keys, int[][] count) {
    long[] pairs = {0};
    forPairs(
        call,
        (q, k) -> {
          count[queries[q]][keys[k]]++;
          pairs[0]++;
        });
    return pairs[0];
  }

  interface PairVisitor {
    void pair(int query, int key);
  }

  /** Visits what a call computes, pair by pair, as its mask is defined. */
  static void forPairs(AttentionCall call, PairVisitor visitor) {
    for (int s = 0; s < call.segments(); s++) {
      RowRange q = call.qSegments().get(s);
      RowRange kv = call.kvSegments().get(s);
      for (int a = 0; a < q.length(); a++) {
        for (int b = 0; b < kv.length(); b++) {
          if (call.mask().sees(q.length(), kv.length(), s, a, b)) {
            visitor.pair((int) q.begin() + a, (int) kv.begin() + b);
          }
        }
      }
    }
  }

  /** Both sides agree, senders have what they send, receivers get what they need and no more. */
  void transfers() {
    for (int r = 0; r < ranks; r++) {
      long sent = 0;
      long gradientsSent = 0;
      for (AttentionStep step : plan.steps(r)) {
        int i = step.index();
        if (i == 0) {
          assertEquals(List.of(), transfersOf(step), "the local step transfers nothing");
          continue;
        }
        assertMirrored(r, step.kvSend(), i, true);
        assertMirrored(r, step.kvReceive(), i, false);
        assertGradientMirrored(r, step.gradientSend(), i, true);
        assertGradientMirrored(r, step.gradientReceive(), i, false);
        sent += step.kvSend().map(t -> t.rows().rows()).orElse(0L);
        gradientsSent += step.gradientSend().map(t -> t.rows().rows()).orElse(0L);
        RowSet received = rows(step.kvReceive());
        step.kvReceive().ifPresent(t -> assertEquals(step.owner(), t.owner()));
        for (AttentionCall call : step.calls()) {
          for (int s = 0; s < call.segments(); s++) {
            RowRange keys = call.kvSegments().get(s);
            assertTrue(received.contains(keys), () -> call + " of step " + step);
            if (s > 0) {
              assertEquals(
                  received.position(call.kvSegments().get(s - 1).end() - 1) + 1,
                  received.position(keys.begin()),
                  "keys of segments must lie end to end");
            }
          }
        }
        if (plan.pattern() == ExchangePattern.DIRECT) {
          int self = r;
          assertEquals(demandOf(step.owner(), r), received);
          assertEquals(step.kvReceive(), step.gradientSend());
          assertEquals(step.kvSend(), step.gradientReceive());
          step.kvSend().ifPresent(t -> assertEquals(self, t.owner()));
          step.kvReceive().ifPresent(t -> assertEquals(step.owner(), t.peer()));
        } else {
          checkRing(r, step);
        }
      }
      assertEquals(sent, plan.forwardRowsSent(r));
      assertEquals(gradientsSent, plan.gradientRowsSent(r));
    }
  }

  private void checkRing(int r, AttentionStep step) {
    int previous = Math.floorMod(r - 1, ranks);
    int next = Math.floorMod(r + 1, ranks);
    step.kvSend().ifPresent(t -> assertEquals(previous, t.peer()));
    step.kvReceive().ifPresent(t -> assertEquals(next, t.peer()));
    step.gradientSend().ifPresent(t -> assertEquals(previous, t.peer()));
    step.gradientReceive().ifPresent(t -> assertEquals(next, t.peer()));
    // What enters is for this rank and those after it on the way to owner + 1, and no more.
    RowSet downstream = RowSet.EMPTY;
    for (int rank = r; rank != step.owner(); rank = Math.floorMod(rank - 1, ranks)) {
      downstream = downstream.union(demandOf(step.owner(), rank));
    }
    assertEquals(downstream, rows(step.kvReceive()));
    // What leaves has been touched by the ranks from owner - 1 to this one, and by no other.
    RowSet upstream = RowSet.EMPTY;
    for (int i = 1; i <= step.index(); i++) {
      upstream = upstream.union(demandOf(step.owner(), Math.floorMod(step.owner() - i, ranks)));
    }
    assertEquals(upstream, rows(step.gradientSend()));
    if (step.kvSend().isPresent()) {
      Transfer send = step.kvSend().get();
      if (step.index() == 1) {
        assertEquals(r, send.owner());
      } else {
        Transfer held = plan.steps(r).get(step.index() - 1).kvReceive().orElseThrow();
        assertEquals(held.owner(), send.owner());
        send.rows().ranges().forEach(range -> assertTrue(held.rows().contains(range)));
      }
    }
  }

  private RowSet demandOf(int owner, int rank) {
    return RowSet.of(
        IntStream.range(0, demand[rank][owner].length)
            .filter(k -> demand[rank][owner][k] > 0)
            .mapToObj(k -> new RowRange(k, k + 1))
            .toList());
  }

  private void assertMirrored(int r, Optional<Transfer> transfer, int step, boolean send) {
    transfer.ifPresent(
        t -> {
          AttentionStep other = plan.steps(t.peer()).get(step);
          assertEquals(
              Optional.of(new Transfer(r, t.owner(), t.rows())),
              send ? other.kvReceive() : other.kvSend());
        });
  }

  private void assertGradientMirrored(int r, Optional<Transfer> transfer, int step, boolean send) {
    transfer.ifPresent(
        t -> {
          AttentionStep other = plan.steps(t.peer()).get(step);
          assertEquals(
              Optional.of(new Transfer(r, t.owner(), t.rows())),
              send ? other.gradientReceive() : other.gradientSend());
        });
  }

  /**
   * Plays backward with the number of pairs as the gradient of a key row: all of it must be with
   * the owner in the end.
   */
  void gradients() {
    int local = length / ranks;
    int[][] home = new int[ranks][local];
    // What each rank holds of the owner of its current step.
    int[][] travelling = new int[ranks][local];
    for (int i = 0; i < ranks; i++) {
      int[][] arrived = new int[ranks][local];
      for (int r = 0; r < ranks; r++) {
        AttentionStep step = plan.steps(r).get(i);
        int[] gradient = i == 0 ? home[r] : travelling[r];
        for (AttentionCall call : step.calls()) {
          accumulate(call, gradient);
        }
        if (i == 0) {
          continue;
        }
        RowSet sent = rows(step.gradientSend());
        int owner = step.owner();
        for (int k = 0; k < local; k++) {
          assertTrue(
              sent.contains(new RowRange(k, k + 1)) || gradient[k] == 0, "a gradient stays behind");
        }
        if (step.gradientSend().isEmpty()) {
          continue;
        }
        assertEquals(owner, step.gradientSend().get().owner());
        int peer = step.gradientSend().get().peer();
        int[] target = peer == owner ? home[owner] : arrived[peer];
        for (RowRange range : sent.ranges()) {
          for (int k = (int) range.begin(); k < range.end(); k++) {
            target[k] += gradient[k];
          }
        }
      }
      travelling = arrived;
    }
    for (int o = 0; o < ranks; o++) {
      for (int k = 0; k < local; k++) {
        int expected = 0;
        for (int r = 0; r < ranks; r++) {
          expected += demand[r][o][k];
        }
        assertEquals(expected, home[o][k]);
      }
    }
  }

  private static void accumulate(AttentionCall call, int[] gradient) {
    forPairs(call, (q, k) -> gradient[k]++);
  }

  /** Holds without limits, for the shardings that are offered. */
  void fewestCalls() {
    for (int r = 0; r < ranks; r++) {
      for (AttentionStep step : plan.steps(r)) {
        assertTrue(step.calls().size() <= 1, () -> "more than one call in " + step);
      }
    }
  }

  private static RowSet rows(Optional<Transfer> transfer) {
    return transfer.map(Transfer::rows).orElse(RowSet.EMPTY);
  }

  private static List<Transfer> transfersOf(AttentionStep step) {
    return Stream.of(step.kvSend(), step.kvReceive(), step.gradientSend(), step.gradientReceive())
        .flatMap(Optional::stream)
        .toList();
  }
}
