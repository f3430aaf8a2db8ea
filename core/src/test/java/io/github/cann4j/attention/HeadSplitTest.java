// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.attention.HeadSplit.Run;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which heads the ranks of a Ulysses group have. */
class HeadSplitTest {

  @Test
  void evenCountsGiveOneRunOfWholeGroups() {
    HeadSplit split = new HeadSplit(8, 4, 2);
    assertEquals(List.of(new Run(0, 4, 0, 2)), split.runs(0));
    assertEquals(List.of(new Run(4, 4, 2, 2)), split.runs(1));
    assertEquals(1, split.exchanges());
  }

  @Test
  void headsThatDoNotDivideSpreadEvenly() {
    HeadSplit split = new HeadSplit(5, 5, 3);
    assertEquals(List.of(new Run(0, 1, 0, 1)), split.runs(0));
    assertEquals(List.of(new Run(1, 2, 1, 2)), split.runs(1));
    assertEquals(List.of(new Run(3, 2, 3, 2)), split.runs(2));
  }

  @Test
  void cutsPreferGroupBorders() {
    // An even spread would cut at 2, 5 and 7, twice inside a group of two.
    HeadSplit split = new HeadSplit(10, 5, 4);
    assertEquals(List.of(new Run(2, 2, 1, 1), new Run(4, 1, 2, 1)), split.runs(1));
    assertEquals(List.of(new Run(6, 2, 3, 1), new Run(5, 1, 2, 1)), split.runs(2));
    assertEquals(List.of(new Run(8, 2, 4, 1)), split.runs(3));
  }

  @Test
  void aRankInTheMiddleHasThreeRuns() {
    // Groups of three; ranks have 5, 5 and 5 heads.
    HeadSplit split = new HeadSplit(15, 5, 3);
    assertEquals(List.of(new Run(0, 3, 0, 1), new Run(3, 2, 1, 1)), split.runs(0));
    assertEquals(
        List.of(new Run(6, 3, 2, 1), new Run(5, 1, 1, 1), new Run(9, 1, 3, 1)), split.runs(1));
    assertEquals(3, split.exchanges());
    HeadSplit.Share third = split.queries(2);
    assertEquals(List.of(0, 1, 0), List.of(third.count()[0], third.count()[1], third.count()[2]));
  }

  @Test
  void equalPartsOfTwoGroupsAreOneRun() {
    HeadSplit split = new HeadSplit(6, 2, 3);
    assertEquals(List.of(new Run(2, 2, 0, 2)), split.runs(1));
    assertTrue(split.isShared(0) && split.isShared(1));
  }

  @Test
  void oneKvHeadIsEverywhere() {
    HeadSplit split = new HeadSplit(32, 1, 8);
    assertTrue(split.isShared(0));
    for (int rank = 0; rank < 8; rank++) {
      assertEquals(List.of(new Run(4 * rank, 4, 0, 1)), split.runs(rank));
    }
  }

  @Test
  void everySplitIsCompleteBalancedAndOfFewRuns() {
    for (int kvHeads = 1; kvHeads <= 9; kvHeads++) {
      for (int groupHeads = 1; groupHeads <= 9; groupHeads++) {
        int heads = kvHeads * groupHeads;
        for (int degree = 1; degree <= Math.min(heads, 17); degree++) {
          check(heads, kvHeads, degree);
        }
      }
    }
  }

  private static void check(int heads, int kvHeads, int degree) {
    String name = "%d/%d heads on %d ranks".formatted(heads, kvHeads, degree);
    HeadSplit split = new HeadSplit(heads, kvHeads, degree);
    int groupHeads = heads / kvHeads;
    int next = 0;
    int[] ranksOf = new int[kvHeads];
    int cutsInside = 0;
    for (int rank = 0; rank < degree; rank++) {
      List<Run> runs = split.runs(rank);
      assertTrue(runs.size() <= 3 && runs.size() <= split.exchanges(), name);
      for (int i = 1; i < runs.size(); i++) {
        assertTrue(runs.get(i - 1).heads() >= runs.get(i).heads(), name);
        assertTrue(runs.get(i - 1).kvHeads() >= runs.get(i).kvHeads(), name);
      }
      List<Run> ascending = new ArrayList<>(runs);
      ascending.sort(Comparator.comparingInt(Run::firstHead));
      int begin = next;
      BitSet kv = new BitSet();
      for (Run run : ascending) {
        assertEquals(next, run.firstHead(), name);
        int ratio = run.heads() / run.kvHeads();
        assertEquals(run.heads(), ratio * run.kvHeads(), name);
        for (int i = 0; i < run.heads(); i++) {
          assertEquals((next + i) / groupHeads, run.firstKvHead() + i / ratio, name);
        }
        assertFalse(kv.get(run.firstKvHead()), name);
        kv.set(run.firstKvHead(), run.firstKvHead() + run.kvHeads());
        next += run.heads();
      }
      kv.stream().forEach(head -> ranksOf[head]++);
      int own = next - begin;
      assertTrue(own == heads / degree || own == (heads + degree - 1) / degree, name);
      cutsInside += next % groupHeads == 0 ? 0 : 1;
    }
    assertEquals(heads, next, name);
    int cutsOfEvenSpread = 0;
    for (int rank = 1; rank < degree; rank++) {
      cutsOfEvenSpread += rank * heads / degree % groupHeads == 0 ? 0 : 1;
    }
    assertTrue(cutsInside <= cutsOfEvenSpread, name);
    for (int head = 0; head < kvHeads; head++) {
      assertEquals(ranksOf[head] > 1, split.isShared(head), name);
    }
    int runs = 0;
    int copies = 0;
    for (int i = 0; i < split.exchanges(); i++) {
      assertTrue(i == 0 || split.queries(i).total() <= split.queries(0).total(), name);
      runs += split.queries(i).total();
      copies += split.keys(i).total();
    }
    assertEquals(heads, runs, name);
    assertEquals(kvHeads + cutsInside, copies, name);
  }
}
