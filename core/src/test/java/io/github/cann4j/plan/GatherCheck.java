// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** Checks a plan that gathers row by row against the definition of its mask. */
final class GatherCheck {
  private final ContextParallelPlan plan;
  private final PackedSequence sequence;
  private final int ranks;
  private final int length;
  // [ring rank][local row] -> global row
  private final int[][] globalRow;

  GatherCheck(ContextParallelPlan plan) {
    this.plan = plan;
    sequence = plan.sequence();
    ranks = plan.grid().ringDegree();
    length = (int) sequence.length();
    globalRow = PlanCheck.globalRows(plan);
  }

  void check() {
    int[][] count = new int[length][length];
    for (int r = 0; r < ranks; r++) {
      KvGather gather = plan.gather(r);
      checkTransfers(r, gather);
      int[] gathered = gathered(r, gather);
      boolean[] begun = new boolean[globalRow[r].length];
      long work = 0;
      for (AttentionCall call : gather.localCalls()) {
        begin(call, begun);
        work += PlanCheck.mark(call, globalRow[r], globalRow[r], count);
      }
      for (AttentionCall call : gather.calls()) {
        begin(call, begun);
        work += PlanCheck.mark(call, globalRow[r], gathered, count);
      }
      assertEquals(work, plan.work(r));
    }
    for (int q = 0; q < length; q++) {
      for (int k = 0; k < length; k++) {
        assertEquals(
            RandomPlans.allows(sequence, plan.mask(), q, k) ? 1 : 0, count[q][k], q + " " + k);
      }
    }
  }

  /** No query is in two calls. */
  private void begin(AttentionCall call, boolean[] begun) {
    assertTrue(call.segments() <= plan.maxSequencesPerCall());
    assertTrue(call.pairs() <= plan.maxPairsPerCall());
    RowRange q = call.q();
    for (int row = (int) q.begin(); row < q.end(); row++) {
      assertTrue(!begun[row], () -> call + " computes queries again");
      begun[row] = true;
    }
    for (int s = 1; s < call.segments(); s++) {
      assertEquals(
          call.kvSegments().get(s - 1).end(), call.kvSegments().get(s).begin(), call::toString);
    }
  }

  private void checkTransfers(int r, KvGather gather) {
    List<Transfer> expected = new ArrayList<>();
    for (int owner = 0; owner < ranks; owner++) {
      TreeSet<Integer> needed = new TreeSet<>();
      for (int q : globalRow[r]) {
        for (int k = 0; k < globalRow[owner].length; k++) {
          if (RandomPlans.allows(sequence, plan.mask(), q, globalRow[owner][k])) {
            needed.add(k);
          }
        }
      }
      if (owner != r && !needed.isEmpty()) {
        RowSet rows = RowSet.of(needed.stream().map(row -> new RowRange(row, row + 1)).toList());
        expected.add(new Transfer(owner, owner, rows));
        assertTrue(plan.gather(owner).sends().contains(new Transfer(r, owner, rows)));
      }
    }
    assertEquals(expected, gather.receives());
    assertEquals(
        plan.forwardRowsSent(r), gather.sends().stream().mapToLong(t -> t.rows().rows()).sum());
    assertEquals(
        plan.gradientRowsSent(r), gather.receives().stream().mapToLong(t -> t.rows().rows()).sum());
    for (Transfer send : gather.sends()) {
      assertTrue(plan.gather(send.peer()).receives().contains(new Transfer(r, r, send.rows())));
    }
  }

  /** Global rows in the order of the gathered ones; all of them are there. */
  private int[] gathered(int r, KvGather gather) {
    int[] rows = new int[(int) gather.gatheredRows()];
    int row = 0;
    for (KvGather.Part part : gather.parts()) {
      assertTrue(
          part.owner() == r
              || gather.receives().stream()
                  .anyMatch(t -> t.owner() == part.owner() && t.rows().contains(part.rows())));
      for (long k = part.rows().begin(); k < part.rows().end(); k++) {
        rows[row++] = globalRow[part.owner()][(int) k];
      }
    }
    return rows;
  }
}
