// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.HalfFloats;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.AttentionMask;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.RowRange;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * One problem with seeded inputs, run over a grid of ranks or by the reference. Global tensors are
 * {@code [batch][rows][heads][dim]} floats that are exact in the case's type.
 */
final class AttentionCase {
  final PackedSequence sequence;
  final AttentionMask mask;
  final AttentionConfig config;
  final float[] q;
  final float[] k;
  final float[] v;
  final float[] dOut;

  record Results(float[] out, float[] dq, float[] dk, float[] dv, long bytesSent) {
    List<float[]> all() {
      return List.of(out, dq, dk, dv);
    }
  }

  AttentionCase(PackedSequence sequence, AttentionConfig config, long seed) {
    this(sequence, AttentionMask.causal(), config, seed);
  }

  AttentionCase(PackedSequence sequence, AttentionMask mask, AttentionConfig config, long seed) {
    this.sequence = sequence;
    this.mask = mask;
    this.config = config;
    Random random = new Random(seed);
    q = values(random, config.heads(), config.headDim());
    k = values(random, config.kvHeads(), config.headDim());
    v = values(random, config.kvHeads(), config.headDimV());
    dOut = values(random, config.heads(), config.headDimV());
  }

  private float[] values(Random random, int heads, int dim) {
    float[] values =
        new float[Math.toIntExact(config.batchSize() * sequence.length() * heads * dim)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment encoded =
          arena.allocate((long) values.length * config.dataType().byteSize(), 64);
      HalfFloats.encode(config.dataType(), values, encoded);
      return HalfFloats.decode(config.dataType(), encoded);
    }
  }

  ContextParallelPlan plan(CpGrid grid) {
    return ContextParallelPlan.builder(sequence, grid).mask(mask).build();
  }

  /**
   * Runs forward and backward {@code times} times on the grid; the last results, in global order.
   */
  Results run(ContextParallelPlan plan, int times) throws Exception {
    CpGrid grid = plan.grid();
    float[] out = new float[dOut.length];
    float[] dq = new float[q.length];
    float[] dk = new float[k.length];
    float[] dv = new float[v.length];
    List<Long> sent =
        Ranks.run(
            grid.size(),
            (device, world) -> {
              try (ContextParallelGroups groups = ContextParallelGroups.create(world, grid)) {
                return runRank(plan, device, groups, times, new float[][] {out, dq, dk, dv});
              }
            });
    return new Results(out, dq, dk, dv, sent.stream().mapToLong(Long::longValue).sum());
  }

  /**
   * One rank's part; its rows of out, dq, dk and dv go into the results. Returns the bytes it sent.
   */
  long runRank(
      ContextParallelPlan plan,
      Device device,
      ContextParallelGroups groups,
      int times,
      float[][] results) {
    int rank = groups.cpRank();
    int heads = config.heads();
    int kvHeads = config.kvHeads();
    int dim = config.headDim();
    int dimV = config.headDimV();
    Tensor tq = upload(device, plan, rank, q, heads, dim);
    Tensor tk = upload(device, plan, rank, k, kvHeads, dim);
    Tensor tv = upload(device, plan, rank, v, kvHeads, dimV);
    Tensor tdOut = upload(device, plan, rank, dOut, heads, dimV);
    Tensor tOut = garbage(device, plan, heads, dimV);
    Tensor tdq = garbage(device, plan, heads, dim);
    Tensor tdk = garbage(device, plan, kvHeads, dim);
    Tensor tdv = garbage(device, plan, kvHeads, dimV);
    long sentBefore = 0;
    try (Stream stream = device.createStream();
        ContextParallelAttention attention =
            ContextParallelAttention.create(config, groups, stream);
        PreparedAttention prepared =
            attention.prepare(plan, tq, tk, tv, tOut, tdOut, tdq, tdk, tdv)) {
      for (int i = 0; i < times; i++) {
        sentBefore = groups.bytesSent();
        prepared.forward();
        prepared.backward();
      }
      stream.synchronize();
    }
    Tensor[] tensors = {tOut, tdq, tdk, tdv};
    int[] rowElements = {heads * dimV, heads * dim, kvHeads * dim, kvHeads * dimV};
    for (int i = 0; i < tensors.length; i++) {
      download(plan, rank, tensors[i], results[i], rowElements[i]);
    }
    for (Tensor t : List.of(tq, tk, tv, tdOut, tOut, tdq, tdk, tdv)) {
      t.buffer().close();
    }
    return groups.bytesSent() - sentBefore;
  }

  private long[] localShape(ContextParallelPlan plan, int heads, int dim) {
    return config.layout() == Layout.TND
        ? new long[] {plan.localRows(), heads, dim}
        : new long[] {config.batchSize(), plan.localRows(), heads, dim};
  }

  private Tensor garbage(Device device, ContextParallelPlan plan, int heads, int dim) {
    long elements = config.batchSize() * plan.localRows() * heads * dim;
    float[] values = new float[Math.toIntExact(elements)];
    Arrays.fill(values, Float.NaN);
    return upload(device, values, localShape(plan, heads, dim));
  }

  private Tensor upload(
      Device device, ContextParallelPlan plan, int rank, float[] global, int heads, int dim) {
    float[] local = new float[Math.toIntExact(config.batchSize() * plan.localRows() * heads * dim)];
    copyRows(plan, rank, global, local, heads * dim, true);
    return upload(device, local, localShape(plan, heads, dim));
  }

  private Tensor upload(Device device, float[] values, long[] shape) {
    DataType type = config.dataType();
    DeviceBuffer buffer = device.allocate((long) values.length * type.byteSize());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment encoded = arena.allocate(buffer.byteSize(), 64);
      HalfFloats.encode(type, values, encoded);
      buffer.copyFrom(encoded);
    }
    return Tensor.of(buffer, type, shape);
  }

  private void download(
      ContextParallelPlan plan, int rank, Tensor tensor, float[] global, int rowElements) {
    float[] local;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment encoded = arena.allocate(tensor.buffer().byteSize(), 64);
      tensor.buffer().copyTo(encoded);
      local = HalfFloats.decode(config.dataType(), encoded);
    }
    copyRows(plan, rank, global, local, rowElements, false);
  }

  private void copyRows(
      ContextParallelPlan plan,
      int rank,
      float[] global,
      float[] local,
      int rowElements,
      boolean toLocal) {
    int localPosition = 0;
    for (int b = 0; b < config.batchSize(); b++) {
      for (RowRange rows : plan.shard(rank)) {
        int globalPosition = Math.toIntExact((b * sequence.length() + rows.begin()) * rowElements);
        int length = Math.toIntExact(rows.length() * rowElements);
        if (toLocal) {
          System.arraycopy(global, globalPosition, local, localPosition, length);
        } else {
          System.arraycopy(local, localPosition, global, globalPosition, length);
        }
        localPosition += length;
      }
    }
  }

  /** Output and gradients by {@link ReferenceAttention}: out, dq, dk, dv. */
  List<double[]> reference() {
    double[][] results = {
      new double[dOut.length], new double[q.length], new double[k.length], new double[v.length]
    };
    ReferenceAttention reference =
        new ReferenceAttention(
            sequence,
            mask,
            config.heads(),
            config.kvHeads(),
            config.headDim(),
            config.headDimV(),
            config.scale());
    for (int b = 0; b < config.batchSize(); b++) {
      float[] bq = part(q, b);
      float[] bk = part(k, b);
      float[] bv = part(v, b);
      var forward = reference.forward(bq, bk, bv);
      var gradients = reference.backward(bq, bk, bv, part(dOut, b));
      double[][] parts = {forward.out(), gradients.dq(), gradients.dk(), gradients.dv()};
      for (int i = 0; i < parts.length; i++) {
        System.arraycopy(parts[i], 0, results[i], b * parts[i].length, parts[i].length);
      }
    }
    return List.of(results);
  }

  private float[] part(float[] global, int batch) {
    int length = global.length / config.batchSize();
    return Arrays.copyOfRange(global, batch * length, (batch + 1) * length);
  }
}
