// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.CommunicatorOptions;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Memory over the life of attention objects, use after close, and ranks that fail alone. */
class LifecycleTest {
  private static final AttentionConfig CONFIG =
      AttentionConfig.builder().heads(4, 2).headDim(16).dataType(DataType.BF16).build();

  /** On two Ulysses ranks each has a whole group of heads, and half of the one in the middle. */
  private static final AttentionConfig UNEVEN =
      AttentionConfig.builder().heads(6, 3).headDim(16).dataType(DataType.BF16).build();

  private static final int HEAP_ROUNDS = 6;
  private static final int HEAP_STEPS = 10;
  private static final long HEAP_BYTES_PER_STEP = 4096;

  /** This rank's tensors in one buffer. */
  private static final class Tensors implements AutoCloseable {
    final DeviceBuffer buffer;
    private final long rows;
    private final AttentionConfig config;
    private long used;

    Tensors(Device device, long rows) {
      this(device, rows, CONFIG);
    }

    Tensors(Device device, long rows, AttentionConfig config) {
      this.rows = rows;
      this.config = config;
      buffer = device.allocate(rows * 16 * 2 * 4 * (config.heads() + config.kvHeads()));
    }

    Tensor next(int heads) {
      Tensor tensor = Tensor.of(buffer, used, DataType.BF16, rows, heads, 16);
      used += tensor.byteSize();
      return tensor;
    }

    PreparedAttention prepare(ContextParallelAttention attention, ContextParallelPlan plan) {
      used = 0;
      int n = config.heads();
      int kv = config.kvHeads();
      return attention.prepare(
          plan, next(n), next(kv), next(kv), next(n), next(n), next(n), next(kv), next(kv));
    }

    @Override
    public void close() {
      buffer.close();
    }
  }

  private static ContextParallelPlan plan(CpGrid grid, long... lengths) {
    return ContextParallelPlan.builder(PackedSequence.ofLengths(lengths), grid).build();
  }

  @ParameterizedTest
  @EnumSource
  void repeatedStepsAllocateNothing(ExchangePattern pattern) throws Exception {
    checkDeviceMemory(CONFIG, pattern);
  }

  @ParameterizedTest
  @EnumSource
  void repeatedStepsAllocateNothingWithUnevenHeads(ExchangePattern pattern) throws Exception {
    checkDeviceMemory(UNEVEN, pattern);
  }

  private static void checkDeviceMemory(AttentionConfig config, ExchangePattern pattern)
      throws Exception {
    CpGrid grid = new CpGrid(4, 2);
    ContextParallelPlan plan =
        ContextParallelPlan.builder(PackedSequence.ofLengths(100, 7, 133), grid)
            .pattern(pattern)
            .build();
    Ranks.run(
        grid.size(),
        (device, world) -> {
          try (ContextParallelGroups groups = ContextParallelGroups.create(world, grid);
              Stream stream = device.createStream();
              Tensors tensors = new Tensors(device, plan.localRows(), config);
              ContextParallelAttention attention =
                  ContextParallelAttention.create(config, groups, stream)) {
            long others =
                device.allocatedBytes() - attention.bufferBytes() - attention.workspaceBytes();
            long steady = 0;
            for (int batch = 0; batch < 3; batch++) {
              try (PreparedAttention prepared = tensors.prepare(attention, plan)) {
                for (int i = 0; i < 3; i++) {
                  prepared.forward();
                  prepared.backward();
                  stream.synchronize();
                  if (batch == 0 && i == 0) {
                    steady = device.allocatedBytes();
                    device.resetPeakAllocatedBytes();
                  }
                }
              }
            }
            assertEquals(steady, device.peakAllocatedBytes());
            assertEquals(steady, device.allocatedBytes());
            assertEquals(steady - others, attention.bufferBytes() + attention.workspaceBytes());
          }
          return null;
        });
  }

  @ParameterizedTest
  @EnumSource
  void repeatedStepsTakeLittleHeap(ExchangePattern pattern) throws Exception {
    checkHeap(CONFIG, pattern);
  }

  @ParameterizedTest
  @EnumSource
  void repeatedStepsTakeLittleHeapWithUnevenHeads(ExchangePattern pattern) throws Exception {
    checkHeap(UNEVEN, pattern);
  }

  private static void checkHeap(AttentionConfig config, ExchangePattern pattern) throws Exception {
    CpGrid grid = new CpGrid(2, 2);
    ContextParallelPlan plan =
        ContextParallelPlan.builder(PackedSequence.ofLengths(9, 7, 16), grid)
            .pattern(pattern)
            .build();
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    List<Long> bytes =
        Ranks.run(
            grid.size(),
            (device, world) -> {
              try (ContextParallelGroups groups = ContextParallelGroups.create(world, grid);
                  Stream stream = device.createStream();
                  Tensors tensors = new Tensors(device, plan.localRows(), config);
                  ContextParallelAttention attention =
                      ContextParallelAttention.create(config, groups, stream);
                  PreparedAttention prepared = tensors.prepare(attention, plan)) {
                // The first rounds run while the JVM loads and compiles, which takes heap, too.
                long least = Long.MAX_VALUE;
                for (int round = 0; round < HEAP_ROUNDS; round++) {
                  long before = threads.getCurrentThreadAllocatedBytes();
                  for (int i = 0; i < HEAP_STEPS; i++) {
                    prepared.forward();
                    prepared.backward();
                  }
                  least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
                  stream.synchronize();
                }
                return least / HEAP_STEPS;
              }
            });
    assertTrue(bytes.stream().allMatch(b -> b < HEAP_BYTES_PER_STEP), "heap bytes: " + bytes);
  }

  @Test
  void stepsOfGrowingSizeShareOneBuffer() throws Exception {
    // Rank 1 takes one chunk of rank 0 first, then both of ranks 4 and 3.
    CpGrid grid = new CpGrid(6, 1);
    ContextParallelPlan plan = plan(grid, 240);
    List<long[]> sizes =
        Ranks.run(
            grid.size(),
            (device, world) -> {
              try (ContextParallelGroups groups = ContextParallelGroups.create(world, grid);
                  Stream stream = device.createStream();
                  Tensors tensors = new Tensors(device, plan.localRows());
                  ContextParallelAttention attention =
                      ContextParallelAttention.create(CONFIG, groups, stream)) {
                long[] allocated = new long[2];
                for (int i = 0; i < 2; i++) {
                  try (PreparedAttention prepared = tensors.prepare(attention, plan)) {
                    // Frees what was given back.
                    device.allocate(1).close();
                    allocated[i] = device.allocatedBytes();
                    prepared.forward();
                    stream.synchronize();
                  }
                }
                return allocated;
              }
            });
    for (long[] allocated : sizes) {
      assertEquals(allocated[1], allocated[0], "smaller buffers stayed behind");
    }
  }

  @Test
  void batchesOfManyLengthsDoNotFillTheDevice() {
    Device device = Device.open(0);
    CpGrid grid = new CpGrid(1, 1);
    try (Stream stream = device.createStream();
        Tensors tensors = new Tensors(device, 512);
        ContextParallelAttention attention =
            ContextParallelAttention.create(
                CONFIG, ContextParallelGroups.single(device), stream)) {
      Tensor[] all = rows(tensors, 512);
      attention.prepare(plan(grid, 512), all[0], all[1], all[2], all[3]).close();
      long before = device.allocatedBytes();
      long largest = 2L * 512 * 4 * 8 * 4;
      for (int length = 511; length > 400; length--) {
        Tensor[] t = rows(tensors, length);
        attention.prepare(plan(grid, length), t[0], t[1], t[2], t[3]).close();
        stream.synchronize();
      }
      assertTrue(
          device.allocatedBytes() <= before + 2 * largest,
          "%d bytes at first, %d in the end".formatted(before, device.allocatedBytes()));
    }
  }

  private static Tensor[] rows(Tensors tensors, long rows) {
    Tensor[] result = new Tensor[4];
    int[] heads = {4, 2, 2, 4};
    long offset = 0;
    for (int i = 0; i < heads.length; i++) {
      result[i] = Tensor.of(tensors.buffer, offset, DataType.BF16, rows, heads[i], 16);
      offset += 512L * heads[i] * 16 * 2;
    }
    return result;
  }

  @Test
  void closingTheAttentionFreesWhatOpenOnesHold() {
    Device device = Device.open(0);
    ContextParallelPlan plan = plan(new CpGrid(1, 1), 30, 34);
    try (Stream stream = device.createStream();
        Tensors tensors = new Tensors(device, 64)) {
      long before = device.allocatedBytes();
      ContextParallelAttention attention =
          ContextParallelAttention.create(CONFIG, ContextParallelGroups.single(device), stream);
      PreparedAttention prepared = tensors.prepare(attention, plan);
      prepared.forward();
      attention.close();
      attention.close();
      assertEquals(before, device.allocatedBytes());
      assertThrows(IllegalStateException.class, prepared::forward);
      assertThrows(IllegalStateException.class, prepared::backward);
      assertThrows(IllegalStateException.class, () -> tensors.prepare(attention, plan));
      prepared.close();
      assertEquals(before, device.allocatedBytes());
    }
  }

  @Test
  void aClosedComputeStreamDoesNotKeepTheMemory() {
    Device device = Device.open(0);
    long before = device.allocatedBytes();
    Stream stream = device.createStream();
    ContextParallelAttention attention =
        ContextParallelAttention.create(CONFIG, ContextParallelGroups.single(device), stream);
    try (Tensors tensors = new Tensors(device, 64)) {
      PreparedAttention prepared = tensors.prepare(attention, plan(new CpGrid(1, 1), 64));
      stream.close();
      assertThrows(IllegalStateException.class, prepared::forward);
    }
    assertThrows(IllegalStateException.class, attention::close);
    assertEquals(before, device.allocatedBytes());
  }

  @Test
  void aClosedTensorIsFoundBeforeAnythingIsSubmitted() {
    Device device = Device.open(0);
    try (Stream stream = device.createStream();
        Tensors tensors = new Tensors(device, 64);
        Tensors gradients = new Tensors(device, 64);
        ContextParallelAttention attention =
            ContextParallelAttention.create(CONFIG, ContextParallelGroups.single(device), stream)) {
      try (PreparedAttention prepared =
          attention.prepare(
              plan(new CpGrid(1, 1), 64),
              tensors.next(4),
              tensors.next(2),
              tensors.next(2),
              tensors.next(4),
              tensors.next(4),
              tensors.next(4),
              tensors.next(2),
              gradients.next(2))) {
        prepared.forward();
        stream.synchronize();
        gradients.close();
        // The local gradient writes dv last: without the check its padding and dq would be submitted before.
        var error = assertThrows(IllegalStateException.class, prepared::backward);
        assertTrue(error.getMessage().contains("bound tensor"), error.getMessage());
      }
    }
  }

  @Test
  void layersOfOneRankTransferOnOneStream() throws Exception {
    CpGrid grid = new CpGrid(2, 1);
    ContextParallelPlan plan = plan(grid, 64);
    Ranks.run(
        grid.size(),
        (device, world) -> {
          try (ContextParallelGroups groups = ContextParallelGroups.create(world, grid);
              Stream stream = device.createStream();
              Tensors tensors = new Tensors(device, plan.localRows());
              ContextParallelAttention one =
                  ContextParallelAttention.create(CONFIG, groups, stream);
              PreparedAttention first = tensors.prepare(one, plan)) {
            Stream transfers = groups.exchange();
            first.forward();
            try (ContextParallelAttention other =
                    ContextParallelAttention.create(CONFIG, groups, stream);
                PreparedAttention second = tensors.prepare(other, plan)) {
              second.forward();
              assertSame(transfers, groups.exchange());
              stream.synchronize();
            }
            // Closing one attention leaves the other's transfers alone.
            first.forward();
            stream.synchronize();
          }
          return null;
        });
  }

  @Test
  void aRankThatCannotPrepareTellsTheOthers() throws Exception {
    CpGrid grid = new CpGrid(2, 2);
    ContextParallelPlan plan = plan(grid, 64);
    List<String> messages =
        Ranks.run(
            grid.size(),
            (device, world) -> {
              boolean odd = world.rank() == 3;
              try (ContextParallelGroups groups = ContextParallelGroups.create(world, grid);
                  Stream stream = device.createStream();
                  Tensors right = new Tensors(device, plan.localRows());
                  Tensors wrong = new Tensors(device, plan.localRows() + 1);
                  ContextParallelAttention attention =
                      ContextParallelAttention.create(CONFIG, groups, stream)) {
                Class<? extends RuntimeException> expected =
                    odd ? IllegalArgumentException.class : IllegalStateException.class;
                String message =
                    assertThrows(expected, () -> (odd ? wrong : right).prepare(attention, plan))
                        .getMessage();
                // The same objects go on once the rank has right tensors.
                try (PreparedAttention prepared = right.prepare(attention, plan)) {
                  prepared.forward();
                  stream.synchronize();
                }
                return message;
              }
            });
    for (int rank = 0; rank < 3; rank++) {
      assertTrue(messages.get(rank).contains("CP rank 3"), messages.get(rank));
    }
    assertTrue(messages.get(3).contains("q must be [16, 4, 16]"), messages.get(3));
  }

  @Test
  void aPlanForAnotherGridOnOneRankIsToldToo() throws Exception {
    CpGrid grid = new CpGrid(2, 1);
    List<String> messages =
        Ranks.run(
            grid.size(),
            (device, world) -> {
              CpGrid mine = world.rank() == 1 ? new CpGrid(1, 2) : grid;
              try (ContextParallelGroups groups = ContextParallelGroups.create(world, grid);
                  Stream stream = device.createStream();
                  ContextParallelAttention attention =
                      ContextParallelAttention.create(CONFIG, groups, stream)) {
                return assertThrows(
                        RuntimeException.class, () -> attention.verify(plan(mine, 64)))
                    .getMessage();
              }
            });
    assertTrue(messages.get(0).contains("CP rank 1"), messages.get(0));
    assertTrue(messages.get(1).contains("the plan is for"), messages.get(1));
  }

  private static CommunicatorOptions smallBuffers() {
    return CommunicatorOptions.builder().bufferSizeMb(16).build();
  }

  @Test
  void oneNameCannotServeTwoCommunicators() throws Exception {
    Ranks.run(
        4,
        (device, world) -> {
          var error =
              assertThrows(
                  IllegalArgumentException.class,
                  () ->
                      ContextParallelGroups.create(
                          world,
                          List.of(0, 1, 2, 3),
                          new CpGrid(2, 2),
                          0,
                          CommunicatorOptions.builder().name("cp").build()));
          assertTrue(error.getMessage().contains("'cp'"), error.getMessage());
          return null;
        });
  }

  @Test
  void gridsOfOneWorldExistTogether() throws Exception {
    Ranks.run(
        8,
        (device, world) -> {
          try (ContextParallelGroups all =
                  ContextParallelGroups.create(
                      world, List.of(0, 1, 2, 3, 4, 5, 6, 7), new CpGrid(4, 2), 0, smallBuffers());
              ContextParallelGroups half =
                  ContextParallelGroups.create(
                      world,
                      world.rank() < 4 ? List.of(0, 1, 2, 3) : List.of(4, 5, 6, 7),
                      new CpGrid(2, 2),
                      world.rank() < 4 ? 1 : 2,
                      smallBuffers())) {
            assertEquals(4, all.ring().orElseThrow().size());
            assertEquals(2, half.ring().orElseThrow().size());
            assertTrue(!all.ring().get().name().equals(half.ring().get().name()));
          }
          return null;
        });
  }

  @Test
  void dOutMustNotBeOut() {
    Device device = Device.open(0);
    try (Stream stream = device.createStream();
        Tensors t = new Tensors(device, 64);
        ContextParallelAttention attention =
            ContextParallelAttention.create(CONFIG, ContextParallelGroups.single(device), stream)) {
      Tensor out = t.next(4);
      var error =
          assertThrows(
              IllegalArgumentException.class,
              () ->
                  attention.prepare(
                      plan(new CpGrid(1, 1), 64),
                      t.next(4),
                      t.next(2),
                      t.next(2),
                      out,
                      out,
                      t.next(4),
                      t.next(2),
                      t.next(2)));
      assertTrue(error.getMessage().contains("dOut"), error.getMessage());
    }
  }
}
