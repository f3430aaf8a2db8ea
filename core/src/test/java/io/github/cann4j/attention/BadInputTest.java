// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.AttentionMask;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.GeneralMask;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is refused, where, and in which words. */
class BadInputTest {
  private static final AttentionConfig CONFIG =
      AttentionConfig.builder().heads(4, 2).headDim(16).dataType(DataType.FLOAT).build();

  @Test
  void fewerHeadsThanUlyssesRanksNameTheNearestAlgorithm() {
    var error =
        assertThrows(
            UnsupportedOperationException.class, () -> CONFIG.requireSplittable(CpGrid.ulysses(6)));
    assertTrue(error.getMessage().contains("Ulysses degree 6"), error.getMessage());
    assertTrue(error.getMessage().contains("heads=4"), error.getMessage());
    assertTrue(error.getMessage().contains("hybrid_cp_algo with degree 3"), error.getMessage());
    var alone =
        assertThrows(
            UnsupportedOperationException.class, () -> CONFIG.requireSplittable(CpGrid.ulysses(7)));
    assertTrue(alone.getMessage().contains("megatron_cp_algo"), alone.getMessage());
    // Every degree up to the number of query heads does.
    CONFIG.requireSplittable(CpGrid.ulysses(3));
    CONFIG.requireSplittable(CpGrid.ulysses(4));
  }

  @Test
  void rowsThatAreNotAlignedNameTheMultiple() {
    var narrow = AttentionConfig.builder().heads(1, 1).headDim(10).dataType(DataType.BF16).build();
    var error =
        assertThrows(
            UnsupportedOperationException.class, () -> narrow.requireSplittable(CpGrid.ring(2)));
    assertTrue(error.getMessage().contains("multiple of 16"), error.getMessage());
    // The four kv heads of a ring rank are aligned together; a head that Ulysses ranks share is not
    // by itself.
    var shared = AttentionConfig.builder().heads(16, 4).headDim(4).dataType(DataType.BF16).build();
    shared.requireSplittable(CpGrid.ring(2));
    assertThrows(
        UnsupportedOperationException.class, () -> shared.requireSplittable(CpGrid.ulysses(8)));
  }

  @Test
  void impossibleLayersAreRefusedWithTheirValues() {
    assertMessage(
        "heads=6, kvHeads=4", () -> AttentionConfig.builder().heads(6, 4).headDim(16).build());
    assertMessage(
        "D=16, Dv=32", () -> AttentionConfig.builder().heads(4, 4).headDim(16, 32).build());
    assertMessage(
        "batch size 2",
        () -> AttentionConfig.builder().heads(4, 4).headDim(16).batchSize(2).build());
    assertThrows(
        UnsupportedOperationException.class,
        () -> AttentionConfig.builder().heads(4, 4).headDim(16).dataType(DataType.INT8).build());
    assertThrows(
        UnsupportedOperationException.class,
        () -> AttentionConfig.builder().heads(4, 4).headDim(16).layout(Layout.SBH).build());
  }

  @Test
  void algorithmNames() {
    assertEquals(
        ContextParallelAlgorithm.HYBRID_CP, ContextParallelAlgorithm.fromOption("hybrid_cp_algo"));
    assertMessage(
        "megatron_cp_algo, ulysses_cp_algo, hybrid_cp_algo",
        () -> ContextParallelAlgorithm.fromOption("ring"));
    var error =
        assertThrows(
            UnsupportedOperationException.class,
            () -> ContextParallelAlgorithm.fromOption("hybrid_adaptive_cp_algo"));
    assertTrue(error.getMessage().contains("hybrid_cp_algo"), error.getMessage());
    assertMessage(
        "ulysses-degree-in-cp 3 does not divide context-parallel-size 4",
        () -> ContextParallelAlgorithm.HYBRID_CP.grid(4, 3));
  }

  @Test
  void tensorsThatDoNotFitAreRefusedBeforeAnythingIsEnqueued() {
    Device device = Device.open(0);
    ContextParallelPlan plan =
        ContextParallelPlan.builder(PackedSequence.ofLengths(8), new CpGrid(1, 1)).build();
    try (Stream stream = device.createStream();
        DeviceBuffer buffer = device.allocate(1 << 16);
        ContextParallelAttention attention =
            ContextParallelAttention.create(CONFIG, ContextParallelGroups.single(device), stream)) {
      Tensor q = Tensor.of(buffer, DataType.FLOAT, 8, 4, 16);
      Tensor k = Tensor.of(buffer, 8192, DataType.FLOAT, 8, 2, 16);
      Tensor v = Tensor.of(buffer, 16384, DataType.FLOAT, 8, 2, 16);
      Tensor out = Tensor.of(buffer, 32768, DataType.FLOAT, 8, 4, 16);
      assertMessage("q must be [8, 4, 16]", () -> attention.prepare(plan, k, k, v, out));
      assertMessage(
          "k must be FLOAT",
          () ->
              attention.prepare(plan, q, Tensor.of(buffer, 8192, DataType.BF16, 8, 2, 16), v, out));
      assertMessage("must not share memory with q", () -> attention.prepare(plan, q, k, v, q));
      assertMessage(
          "multiple of 32 bytes",
          () -> attention.prepare(plan, Tensor.of(buffer, 4, DataType.FLOAT, 8, 4, 16), k, v, out));
      assertMessage(
          "must be contiguous",
          () ->
              attention.prepare(
                  plan, Tensor.of(buffer, DataType.FLOAT, 4, 8, 16).permute(1, 0, 2), k, v, out));
      ContextParallelPlan other =
          ContextParallelPlan.builder(PackedSequence.ofLengths(8), new CpGrid(2, 1)).build();
      assertMessage("the plan is for", () -> attention.prepare(other, q, k, v, out));
      try (PreparedAttention prepared = attention.prepare(plan, q, k, v, out)) {
        assertThrows(IllegalStateException.class, prepared::backward);
        prepared.close();
        assertThrows(IllegalStateException.class, prepared::forward);
      }
      stream.synchronize();
    }
  }

  @Test
  void ranksWithOtherDocumentsOrLayersAreToldOnEveryRank() throws Exception {
    CpGrid grid = new CpGrid(2, 2);
    for (boolean otherHeads : new boolean[] {false, true}) {
      List<String> messages =
          Ranks.run(
              grid.size(),
              (device, world) -> {
                boolean odd = world.rank() == 3;
                PackedSequence sequence =
                    odd && !otherHeads
                        ? PackedSequence.ofLengths(9, 7)
                        : PackedSequence.ofLengths(8, 8);
                AttentionConfig config =
                    AttentionConfig.builder()
                        .heads(odd && otherHeads ? 8 : 4, 2)
                        .headDim(16)
                        .dataType(DataType.FLOAT)
                        .build();
                try (ContextParallelGroups groups = ContextParallelGroups.create(world, grid);
                    Stream stream = device.createStream();
                    ContextParallelAttention attention =
                        ContextParallelAttention.create(config, groups, stream)) {
                  return assertThrows(
                          IllegalArgumentException.class,
                          () ->
                              attention.verify(ContextParallelPlan.builder(sequence, grid).build()))
                      .getMessage();
                }
              });
      for (String message : messages) {
        assertTrue(message.contains(otherHeads ? "heads" : "documents"), message);
        assertTrue(message.contains("3"), message);
      }
    }
  }

  private static void assertMessage(String part, Runnable action) {
    var error = assertThrows(IllegalArgumentException.class, action::run);
    assertTrue(error.getMessage().contains(part), error.getMessage());
  }

  @Test
  void masksThatTakeMoreThanAllowedAreRefusedWithTheirSize() {
    PackedSequence sequence = PackedSequence.ofLengths(64);
    ContextParallelPlan plan =
        ContextParallelPlan.builder(sequence, CpGrid.ring(1))
            .mask(AttentionMask.general(GeneralMask.of(64, (q, k) -> (q + k) % 3 != 0)))
            .maxMaskBytes(64 * 64 - 1)
            .build();
    assertEquals(64 * 64, plan.maskBytes(0));
    Device device = Device.open(0);
    try (ContextParallelGroups groups = ContextParallelGroups.single(device);
        Stream stream = device.createStream();
        ContextParallelAttention attention =
            ContextParallelAttention.create(CONFIG, groups, stream);
        DeviceBuffer buffer = device.allocate(64 * 4 * 16 * 4);
        DeviceBuffer out = device.allocate(64 * 4 * 16 * 4)) {
      Tensor q = Tensor.of(buffer, DataType.FLOAT, 64, 4, 16);
      Tensor kv = Tensor.of(buffer, DataType.FLOAT, 64, 2, 16);
      var error =
          assertThrows(
              UnsupportedOperationException.class,
              () ->
                  attention.prepare(
                      plan, q, kv, kv, Tensor.of(out, DataType.FLOAT, 64, 4, 16)));
      assertTrue(error.getMessage().contains("4096 bytes"), error.getMessage());
      assertTrue(error.getMessage().contains("limit of 4095"), error.getMessage());
    }
    assertMessage(
        "not -1",
        () -> ContextParallelPlan.builder(sequence, CpGrid.ring(1)).maxMaskBytes(-1).build());
  }
}
