// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.attention.ContextParallelAlgorithm;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.PackedTokens;
import io.github.cann4j.plan.ContextParallelPlan;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The check has to find what it is there for. */
class RankCheckTest {
  private static final PackedSequence DOCUMENTS =
      PackedSequence.ofLengths(new long[] {600, 8}, 624);
  private static final AttentionConfig CONFIG =
      AttentionConfig.builder().heads(2, 2).headDim(8).dataType(DataType.FLOAT).build();

  private final AttentionInputs inputs =
      new AttentionInputs(CONFIG, PackedTokens.of(DOCUMENTS, new int[624]), true, 1);
  private final ContextParallelPlan plan =
      ContextParallelPlan.builder(DOCUMENTS, ContextParallelAlgorithm.MEGATRON_CP.grid(2, 1))
          .build();
  private final ContextParallelPlan whole =
      ContextParallelPlan.builder(DOCUMENTS, ContextParallelAlgorithm.MEGATRON_CP.grid(1, 1))
          .build();

  /** Makes tensors whose results are all zero but for one value in a local row. */
  private RankTensors tensors(ContextParallelPlan plan, int rank, int localRow, float value) {
    RankTensors tensors = new RankTensors(Device.open(rank), CONFIG, inputs, plan.shard(rank));
    for (OutputPart part : OutputPart.values()) {
      float[] values = new float[(int) plan.localRows() * 16];
      values[localRow * 16 + 3] = value;
      tensors.outputBuffer(part).copyFrom(MemorySegment.ofArray(values));
    }
    return tensors;
  }

  private List<String> complaints(int rank, int localRow, float value) {
    ReferenceRows none =
        new ReferenceRows(inputs, CONFIG, PackedSequence.ofLengths(new long[0], 624), 2);
    try (RankTensors oneDevice = tensors(whole, 0, 0, 0);
        RankTensors tensors = tensors(plan, rank, localRow, value)) {
      RankCheck check = new RankCheck(inputs, none, oneDevice, DataType.FLOAT, 608);
      return check.compare(OutputPart.KEY_GRADIENT, tensors, plan.shard(rank)).complaints();
    }
  }

  @Test
  void equalResultsPass() {
    assertEquals(List.of(), complaints(1, 0, 0));
    assertEquals(List.of(), complaints(0, 280, 5e-5f));
  }

  @Test
  void oneWrongValueIsFoundWithItsGlobalRow() {
    // Rank 1 of 2 holds rows 156 to 467; rank 0 holds 0 to 155 and 468 to 623.
    assertTrue(complaints(1, 280, 0.5f).getFirst().endsWith("worst in row 436"));
    assertTrue(complaints(0, 160, 0.5f).getFirst().endsWith("worst in row 472"));
    assertTrue(complaints(0, 160, Float.NaN).getFirst().endsWith("worst in row 472"));
  }

  @Test
  void paddingMustBeZero() {
    assertEquals(
        List.of("dk: 1 values in padding rows are not 0, the first in row 623"),
        complaints(0, 311, 1e-9f));
  }

  @Test
  void resultsThatAgreeButAreWrongAreFoundByTheReference() {
    ReferenceRows reference = new ReferenceRows(inputs, CONFIG, DOCUMENTS, 2);
    try (RankTensors oneDevice = tensors(whole, 0, 0, 0);
        RankTensors tensors = tensors(plan, 1, 0, 0)) {
      RankCheck check = new RankCheck(inputs, reference, oneDevice, DataType.FLOAT, 608);
      PartCheck found = check.compare(OutputPart.OUT, tensors, plan.shard(1));
      found.add(check.compare(OutputPart.OUT, oneDevice, whole.shard(0)));
      assertEquals(1, found.complaints().size());
      assertTrue(found.complaints().getFirst().startsWith("out against the reference"));
    }
  }
}
