// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.github.cann4j.packing.PackedSequence;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Checks exported plans from their JSON alone, as a script of anybody could. */
class PlanJsonTest {
  private static final long KV_BYTES = 6;
  private static final long GRADIENT_BYTES = 10;

  @Test
  void theJsonAloneShowsThatEveryPairIsComputedOnce() {
    long baseSeed = RandomPlans.seed(PlanJsonTest.class);
    for (long seed = baseSeed; seed < baseSeed + 2000; seed++) {
      RandomPlans plans = new RandomPlans(seed);
      ContextParallelPlan plan = seed % 4 == 0 ? plans.gathering().plan() : plans.plan();
      try {
        new Checker(json(plan)).check();
      } catch (AssertionError | RuntimeException | IOException e) {
        throw new AssertionError("batch with seed " + seed + ": " + plan, e);
      }
    }
  }

  @Test
  void theLimitsAreSaid() throws IOException {
    Map<?, ?> plan =
        json(
            ContextParallelPlan.builder(PackedSequence.ofLengths(5, 3), CpGrid.ring(2))
                .maxSequencesPerCall(3)
                .maxPairsPerCall(7)
                .maxMaskBytes(1000)
                .build());
    assertEquals(3, Checker.number(plan, "maxSequencesPerCall"));
    assertEquals(7, Checker.number(plan, "maxPairsPerCall"));
    assertEquals(1000, Checker.number(plan, "maxMaskBytes"));
  }

  private static Map<?, ?> json(ContextParallelPlan plan) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    PlanJson.write(plan, out, KV_BYTES, GRADIENT_BYTES);
    try (JsonParser parser = new JsonFactory().createParser(out.toByteArray())) {
      parser.nextToken();
      return (Map<?, ?>) value(parser);
    }
  }

  private static Object value(JsonParser parser) throws IOException {
    switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, Object> object = new HashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          assertEquals(null, object.put(name, value(parser)));
        }
        return object;
      }
      case START_ARRAY -> {
        List<Object> array = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          array.add(value(parser));
        }
        return array;
      }
      case VALUE_NUMBER_INT -> {
        return parser.getLongValue();
      }
      default -> {
        return parser.getText();
      }
    }
  }

  /** Knows nothing of plans. */
  private static final class Checker {
    private final Map<?, ?> plan;
    private final int rows;
    private final int[] documentOf;
    private final int[] documentBegin;
    private final List<Map<?, ?>> ranks = new ArrayList<>();
    private final List<List<Integer>> globalRows = new ArrayList<>();
    private final int[][] computed;

    Checker(Map<?, ?> plan) {
      this.plan = plan;
      rows = (int) number(plan, "rows");
      documentOf = new int[rows];
      documentBegin = new int[rows];
      Arrays.fill(documentOf, -1);
      List<?> documents = list(plan, "documents");
      for (int d = 0; d < documents.size(); d++) {
        for (int row : expand(List.of(documents.get(d)))) {
          documentOf[row] = d;
          documentBegin[row] = (int) begin(documents.get(d));
        }
      }
      for (Object rank : list(plan, "ringRanks")) {
        ranks.add((Map<?, ?>) rank);
        globalRows.add(expand(list((Map<?, ?>) rank, "chunks")));
      }
      computed = new int[rows][rows];
    }

    void check() {
      for (Map<?, ?> rank : ranks) {
        int r = (int) number(rank, "ringRank");
        assertEquals(rows / ranks.size(), globalRows.get(r).size());
        if (rank.containsKey("steps")) {
          steps(rank, r);
        } else {
          gather(rank, r);
        }
        assertEquals(number(rank, "forwardBytesBound"), number(rank, "forwardBytesSent"));
        assertEquals(number(rank, "backwardBytesBound"), number(rank, "backwardBytesSent"));
      }
      long pairs = 0;
      for (int q = 0; q < rows; q++) {
        for (int k = 0; k < rows; k++) {
          int expected = allowed(q, k) ? 1 : 0;
          assertEquals(expected, computed[q][k], "query " + q + ", key " + k);
          pairs += expected;
        }
      }
      assertEquals(pairs, number(plan, "work"));
      assertEquals(pairs, ranks.stream().mapToLong(rank -> number(rank, "work")).sum());
    }

    private void steps(Map<?, ?> rank, int r) {
      long forward = 0;
      long backward = 0;
      for (Object element : list(rank, "steps")) {
        Map<?, ?> step = (Map<?, ?>) element;
        int owner = (int) number(step, "owner");
        List<Integer> keys = globalRows.get(owner);
        calls(step, "firstCalls", r, keys);
        calls(step, "mergedCalls", r, keys);
        for (String side : List.of("kvSend", "gradientSend")) {
          if (step.get(side) instanceof Map<?, ?> sent) {
            long bytesPerRow = side.equals("kvSend") ? KV_BYTES : GRADIENT_BYTES;
            int count = expand(list(sent, "ranges")).size();
            assertEquals(count * bytesPerRow, number(sent, "bytes"));
            forward += side.equals("kvSend") ? number(sent, "bytes") : 0;
            backward += number(sent, "bytes");
            Map<?, ?> peer = ranks.get((int) number(sent, "peer"));
            Map<?, ?> same = (Map<?, ?>) list(peer, "steps").get((int) number(step, "index"));
            Map<?, ?> received = (Map<?, ?>) same.get(side.replace("Send", "Receive"));
            assertEquals(r, number(received, "peer"));
            assertEquals(sent.get("ranges"), received.get("ranges"));
            assertEquals(sent.get("owner"), received.get("owner"));
          }
        }
      }
      assertEquals(forward, number(rank, "forwardBytesSent"));
      assertEquals(backward, number(rank, "backwardBytesSent"));
    }

    private void gather(Map<?, ?> rank, int r) {
      Map<?, ?> gather = (Map<?, ?>) rank.get("gather");
      List<Integer> keys = new ArrayList<>();
      for (Object part : list(gather, "parts")) {
        int owner = (int) number((Map<?, ?>) part, "owner");
        for (int row : expand(List.of(((Map<?, ?>) part).get("rows")))) {
          keys.add(globalRows.get(owner).get(row));
        }
      }
      calls(gather, "localCalls", r, globalRows.get(r));
      calls(gather, "calls", r, keys);
      long sent = 0;
      for (Object transfer : list(gather, "sends")) {
        sent += expand(list((Map<?, ?>) transfer, "ranges")).size() * KV_BYTES;
      }
      assertEquals(sent, number(rank, "forwardBytesSent"));
    }

    private void calls(Map<?, ?> of, String name, int rank, List<Integer> keys) {
      for (Object element : list(of, name)) {
        Map<?, ?> call = (Map<?, ?>) element;
        List<?> q = list(call, "q");
        List<?> kv = list(call, "kv");
        long pairs = 0;
        for (int s = 0; s < q.size(); s++) {
          List<Integer> queryRows = expand(List.of(q.get(s)));
          List<Integer> keyRows = expand(List.of(kv.get(s)));
          for (int a = 0; a < queryRows.size(); a++) {
            for (int b = 0; b < keyRows.size(); b++) {
              int query = globalRows.get(rank).get(queryRows.get(a));
              int key = keys.get(keyRows.get(b));
              long diagonal = a + keyRows.size() - queryRows.size();
              if (sees((Map<?, ?>) call.get("mask"), s, diagonal, b, query, key)) {
                computed[query][key]++;
                pairs++;
              }
            }
          }
        }
        assertEquals(pairs, number(call, "pairs"));
      }
    }

    private boolean sees(Map<?, ?> mask, int s, long diagonal, int b, int query, int key) {
      return switch ((String) mask.get("kind")) {
        case "dense" -> true;
        case "causal" -> b <= diagonal;
        case "prefix" -> b <= diagonal || b < (long) list(mask, "lengths").get(s);
        case "band" ->
            diagonal - number(mask, "preTokens") <= b && b <= diagonal + number(mask, "nextTokens");
        default -> {
          assertEquals("general", mask.get("kind"));
          yield allowed(query, key);
        }
      };
    }

    private boolean allowed(int q, int k) {
      if (documentOf[q] < 0 || documentOf[q] != documentOf[k]) {
        return false;
      }
      Map<?, ?> mask = (Map<?, ?>) plan.get("mask");
      return switch ((String) mask.get("kind")) {
        case "causal" -> k <= q;
        case "full" -> true;
        case "slidingWindow" -> q - number(mask, "left") <= k && k <= q + number(mask, "right");
        case "prefix" ->
            k <= q || k < documentBegin[q] + (long) list(mask, "lengths").get(documentOf[q]);
        default -> expand((List<?>) list(mask, "keysOfRows").get(q)).contains(k);
      };
    }

    private static List<Integer> expand(List<?> ranges) {
      List<Integer> rows = new ArrayList<>();
      for (Object range : ranges) {
        assertTrue(((List<?>) range).size() == 2);
        for (long row = begin(range); row < (long) ((List<?>) range).get(1); row++) {
          rows.add((int) row);
        }
      }
      return rows;
    }

    private static long begin(Object range) {
      return (long) ((List<?>) range).getFirst();
    }

    private static List<?> list(Map<?, ?> of, String name) {
      return (List<?>) of.get(name);
    }

    private static long number(Map<?, ?> of, String name) {
      return (long) of.get(name);
    }
  }
}
