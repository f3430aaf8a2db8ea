// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import io.github.cann4j.acl.*;
import io.github.cann4j.attention.*;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Ring attention over three packed documents on two ranks; the README shows this file. */
public final class EmbeddingExample {
  public static void main(String[] args) throws InterruptedException {
    var documents = PackedSequence.ofLengths(700, 20, 304);
    var grid = ContextParallelAlgorithm.MEGATRON_CP.grid(2, 1);
    var plan = ContextParallelPlan.builder(documents, grid).build();
    var world = Communicator.initAll(List.of(Device.open(0), Device.open(1)));
    var ranks = world.stream().map(c -> Thread.ofPlatform().start(() -> rank(c, plan))).toList();
    for (Thread rank : ranks) rank.join();
    world.forEach(Communicator::close);
  }

  static void rank(Communicator world, ContextParallelPlan plan) {
    var config = AttentionConfig.builder().heads(8, 8).headDim(64).dataType(DataType.FLOAT).build();
    long rows = plan.localRows(), bytes = rows * 8 * 64 * Float.BYTES;
    try (var groups = ContextParallelGroups.create(world, plan.grid());
        var stream = world.device().createStream();
        var attention = ContextParallelAttention.create(config, groups, stream);
        var memory = world.device().allocate(8 * bytes)) { // q, k, v, out, dOut, dq, dk, dv
      var t = new Tensor[8];
      for (int i = 0; i < 8; i++) t[i] = Tensor.of(memory, i * bytes, DataType.FLOAT, rows, 8, 64);
      var host = new float[(int) memory.byteSize() / Float.BYTES]; // put your rows here:
      for (int i = 0; i < host.length; i++) host[i] = (float) Math.sin(i); // plan.shard(rank)
      memory.copyFrom(MemorySegment.ofArray(host));
      try (var layer = attention.prepare(plan, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7])) {
        layer.forward();
        layer.backward();
        stream.synchronize();
      }
      memory.copyTo(MemorySegment.ofArray(host));
      System.out.println(plan.shard(world.rank()) + " -> out " + host[(int) (3 * bytes / 4)]);
    }
  }
}
