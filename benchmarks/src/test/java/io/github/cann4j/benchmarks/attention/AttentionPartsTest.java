// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.benchmarks.attention.AttentionInputs.Input;
import io.github.cann4j.benchmarks.attention.AttentionRunner.Prepared;
import io.github.cann4j.benchmarks.attention.AttentionRunner.Result;
import io.github.cann4j.benchmarks.report.Median;
import io.github.cann4j.benchmarks.worker.WorkerException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class AttentionPartsTest {
  @ParameterizedTest
  @EnumSource(
      value = DataType.class,
      names = {"FLOAT", "BF16", "FLOAT16"})
  void inputsAreTheSameInEveryOrderAndType(DataType type) {
    AttentionShape shape = AttentionShape.dense(type, 33, 3, 16);
    try (Arena arena = Arena.ofShared()) {
      double[] rowsFirst = sample(arena, shape, false);
      double[] headsFirst = sample(arena, shape, true);
      assertEquals(Arrays.toString(rowsFirst), Arrays.toString(headsFirst));
      double[] floats = sample(arena, shape.withType(DataType.FLOAT), true);
      assertEquals(Arrays.toString(floats), Arrays.toString(headsFirst));
      assertTrue(Arrays.stream(floats).distinct().count() > 20, Arrays.toString(floats));
    }
  }

  private static double[] sample(Arena arena, AttentionShape shape, boolean headsFirst) {
    MemorySegment memory = arena.allocate(33 * 3 * 16 * (long) shape.type().byteSize(), 64);
    AttentionInputs.fill(memory, shape, Input.VALUE, headsFirst);
    return AttentionInputs.sample(memory, shape, Result.VALUE_GRADIENT, headsFirst);
  }

  @Test
  void countsAllowedPairsOnly() {
    assertEquals(
        2 * (192 + 128) * 8 * 10.0,
        new AttentionShape(DataType.FLOAT, List.of(4L), 8, 2, 192, 128).forwardFlops());
    AttentionShape packed = new AttentionShape(DataType.FLOAT, List.of(1L, 3L), 1, 1, 8, 8);
    assertEquals(32 * 7.0, packed.forwardFlops());
    assertEquals(80 * 7.0, packed.backwardFlops());
  }

  @Test
  void documentsFillTheRows() {
    List<Long> lengths = Documents.random(16384);
    assertEquals(32, lengths.size());
    assertEquals(16384, lengths.stream().mapToLong(Long::longValue).sum());
    assertTrue(lengths.stream().allMatch(length -> length > 0), lengths.toString());
    assertTrue(lengths.stream().anyMatch(length -> length > 1024), lengths.toString());
    assertEquals(lengths, Documents.random(16384));
  }

  @Test
  void mediansAreOfBothPassesTogether() {
    AttentionShape shape = AttentionShape.dense(DataType.FLOAT, 1, 1, 1); // 4 and 10 operations
    Series series = new Series();
    assertTrue(series.forwardRate(shape).isEmpty());
    for (double[] seconds : new double[][] {{1, 6}, {2, 1}, {4, 5}}) {
      series.addForward(seconds[0]);
      series.addBackward(seconds[1]);
    }
    assertEquals(4 / 2.0 * 1e-9, series.forwardRate(shape).orElseThrow(), 1e-18);
    assertEquals(14 / 7.0 * 1e-9, series.bothRate(shape).orElseThrow(), 1e-18);
    assertEquals(2.5, Median.of(DoubleStream.of(9, 1, 2, 3)));
  }

  @Test
  void aPeerThatComputesSomethingElseIsNone() {
    AttentionShape shape = AttentionShape.dense(DataType.FLOAT, 8, 1, 8);
    List<double[]> own = List.of(new double[] {100, 1}, new double[] {0, 0.5});
    Agreement.require("peer", shape, own, List.of(new double[] {100, 1.005}, own.get(1)));
    List<double[]> other = List.of(own.get(0), new double[] {0, 0.501});
    WorkerException e =
        assertThrows(WorkerException.class, () -> Agreement.require("peer", shape, own, other));
    assertTrue(e.getMessage().contains("QUERY_GRADIENT"), e.getMessage());
    List<double[]> none = List.of(own.get(0), new double[] {0, Double.NaN});
    assertThrows(WorkerException.class, () -> Agreement.require("peer", shape, own, none));
  }

  @Test
  void readsThePeak() {
    assertEquals(
        new PeakMeter.Peak("avx2", 204.5, 0),
        PeakMeter.parse("{\"isa\":\"avx2\",\"threads\":2,\"peakGflops\":204.50}"));
  }

  @Test
  void packedAndDenseAttentionAgree() {
    AttentionShape shape = AttentionShape.dense(DataType.FLOAT, 40, 2, 16);
    try (CannAttention cann = new CannAttention();
        Prepared dense = cann.prepare(shape);
        Prepared packed =
            cann.prepare(new AttentionShape(DataType.FLOAT, List.of(39L, 1L), 2, 2, 16, 16))) {
      for (Prepared each : List.of(dense, packed)) {
        each.forward();
        each.backward();
      }
      AttentionInputs.Place[] places = AttentionInputs.places(shape, Result.OUT);
      double[] denseOut = dense.sample(Result.OUT);
      double[] packedOut = packed.sample(Result.OUT);
      for (int i = 0; i < places.length; i++) {
        if (places[i].row() < 39) {
          assertEquals(denseOut[i], packedOut[i], 1e-6, places[i].toString());
        }
      }
      assertTrue(Arrays.stream(dense.sample(Result.QUERY_GRADIENT)).anyMatch(v -> v != 0));
    }
  }
}
