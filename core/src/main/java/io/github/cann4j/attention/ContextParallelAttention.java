// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.aclnn.Workspace;
import io.github.cann4j.packing.CompressedCausalMask;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.ExchangePattern;
import java.lang.foreign.Arena;
import java.util.Optional;

/**
 * Attention over sequences that are split among ranks: ring, Ulysses and hybrid, by the grid of the {@link
 * ContextParallelGroups}. Ring attention after Liu et al. (arXiv 2310.01889), Ulysses after Jacobs et al. (arXiv
 * 2309.14509), their combination after Fang and Zhao (arXiv 2405.07719).
 *
 * <p>One object per rank and layer shape; it owns scratch memory that all its prepared attentions share, and an exchange
 * stream. Not thread-safe: one platform thread per rank makes all calls.
 *
 * <pre>{@code
 * try (var attention = ContextParallelAttention.create(config, groups, stream);
 *     var layer = attention.prepare(plan, q, k, v, out, dOut, dq, dk, dv)) {
 *   layer.forward();
 *   layer.backward();
 *   stream.synchronize();
 * }
 * }</pre>
 */
public final class ContextParallelAttention implements AutoCloseable {
  private final AttentionConfig config;
  private final AttentionConfig splitConfig;
  private final ContextParallelGroups groups;
  private final Stream compute;
  private final Stream exchange;
  private final Workspace workspace;
  private final BufferPool pool;
  private final DeviceBuffer mask;
  private final ExchangeLane headLane;
  private final ExchangeLane kvLane;
  private final ExchangeLane gradientLane;
  private final PlanAgreement agreement;
  private boolean closed;

  private ContextParallelAttention(
      AttentionConfig config, ContextParallelGroups groups, Stream compute) {
    this.config = config;
    this.groups = groups;
    this.compute = compute;
    int degree = groups.grid().ulyssesDegree();
    splitConfig =
        new AttentionConfig(
            config.heads() / degree,
            config.kvHeads() / degree,
            config.headDim(),
            config.headDimV(),
            config.dataType(),
            Layout.BSND,
            config.batchSize(),
            config.scale());
    exchange = groups.device().createStream();
    workspace = new Workspace(groups.device());
    pool = new BufferPool(compute);
    mask = groups.device().allocate(CompressedCausalMask.BYTE_SIZE);
    try (Arena arena = Arena.ofConfined()) {
      mask.copyFrom(CompressedCausalMask.allocate(arena));
    }
    headLane = new ExchangeLane(compute, exchange);
    kvLane = new ExchangeLane(compute, exchange);
    gradientLane = new ExchangeLane(compute, exchange);
    agreement = new PlanAgreement(config, groups, exchange);
  }

  /**
   * Makes the attention of one rank.
   *
   * @param config the layer, the same on every rank
   * @param groups this rank's communicators; stay the caller's and must outlive this object
   * @param compute stream of the rank's device for all computation; stays the caller's
   * @return the attention
   * @throws UnsupportedOperationException if the Ulysses degree does not divide the head counts, naming those that do
   * @throws IllegalArgumentException if the stream is of another device
   */
  public static ContextParallelAttention create(
      AttentionConfig config, ContextParallelGroups groups, Stream compute) {
    config.requireSplittable(groups.grid());
    if (compute.device().id() != groups.device().id()) {
      throw new IllegalArgumentException(
          "the compute stream is of device %d, the rank's device is %d"
              .formatted(compute.device().id(), groups.device().id()));
    }
    return new ContextParallelAttention(config, groups, compute);
  }

  /**
   * Prepares forward alone.
   *
   * @param plan of the batch; its grid is that of the groups
   * @param q {@code [rows, heads, D]} in TND, {@code [batch, rows, heads, D]} in BSND, with this rank's {@code
   *     plan.localRows()} rows in the order of {@code plan.shard(cpRank)}; contiguous, 32-byte aligned
   * @param k likewise with kv heads
   * @param v likewise with kv heads and Dv
   * @param out like q with Dv; written, shares no memory with the others
   * @return the prepared attention
   * @throws IllegalArgumentException if a shape, type, device or the grid does not fit; on every rank if ranks disagree
   *     on plan or layer (see {@link #verify})
   */
  public PreparedAttention prepare(
      ContextParallelPlan plan, Tensor q, Tensor k, Tensor v, Tensor out) {
    return prepare(plan, new LocalTensors(q, k, v, out), Optional.empty());
  }

  /**
   * Prepares forward and backward.
   *
   * @param plan as in {@link #prepare(ContextParallelPlan, Tensor, Tensor, Tensor, Tensor)}
   * @param q as there
   * @param k as there
   * @param v as there
   * @param out as there
   * @param dOut gradient of out, read by backward
   * @param dq gradient of q, written
   * @param dk gradient of k, written
   * @param dv gradient of v, written
   * @return the prepared attention
   * @throws IllegalArgumentException as there
   */
  public PreparedAttention prepare(
      ContextParallelPlan plan,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor out,
      Tensor dOut,
      Tensor dq,
      Tensor dk,
      Tensor dv) {
    return prepare(
        plan,
        new LocalTensors(q, k, v, out),
        Optional.of(new LocalTensors.Gradients(dOut, dq, dk, dv)));
  }

  /**
   * Compares plan and layer over all ranks of the grid. Blocking and collective. {@code prepare} does it once for each
   * distinct plan.
   *
   * @param plan this rank's plan
   * @throws IllegalArgumentException on every rank, naming what differs
   */
  public void verify(ContextParallelPlan plan) {
    requireOpen();
    requireGrid(plan);
    agreement.verify(plan);
  }

  private PreparedAttention prepare(
      ContextParallelPlan plan, LocalTensors given, Optional<LocalTensors.Gradients> gradients) {
    requireOpen();
    requireGrid(plan);
    TensorChecks checks = new TensorChecks(config, groups.device(), plan.localRows());
    LocalTensors tensors = checks.tensors(given);
    Optional<LocalTensors.Gradients> grads = gradients.map(g -> checks.gradients(g, given));
    agreement.verifyOnce(plan);

    BufferPool.Lease buffers = pool.lease();
    try {
      Recording forward = recording(buffers);
      if (groups.ulysses().isEmpty()) {
        SoftmaxStats stats = stats(forward, plan, tensors);
        recordForward(forward, plan, tensors, stats);
        Optional<Program> backward =
            grads.map(
                g -> {
                  Recording recording = recording(buffers);
                  recordBackward(recording, plan, tensors, g, stats);
                  return recording.program();
                });
        return new PreparedAttention(buffers, forward.program(), backward);
      }
      return prepareSplit(plan, tensors, grads, buffers, forward);
    } catch (RuntimeException e) {
      buffers.release();
      throw e;
    }
  }

  private PreparedAttention prepareSplit(
      ContextParallelPlan plan,
      LocalTensors tensors,
      Optional<LocalTensors.Gradients> grads,
      BufferPool.Lease buffers,
      Recording forward) {
    long rows = plan.ringRows(groups.ringRank());
    LocalTensors split =
        new LocalTensors(
            keptSplit(forward, tensors.q(), rows),
            keptSplit(forward, tensors.k(), rows),
            keptSplit(forward, tensors.v(), rows),
            keptSplit(forward, tensors.out(), rows));
    SoftmaxStats stats = stats(forward, plan, split);
    UlyssesExchange heads = heads(forward);
    heads.scatterHeads(tensors.q(), split.q());
    heads.scatterHeads(tensors.k(), split.k());
    heads.scatterHeads(tensors.v(), split.v());
    heads.await();
    recordForward(forward, plan, split, stats);
    heads.gatherHeads(split.out(), tensors.out());
    heads.await();

    Optional<Program> backward =
        grads.map(
            g -> {
              Recording recording = recording(buffers);
              LocalTensors.Gradients splitGradients =
                  new LocalTensors.Gradients(
                      scratchSplit(recording, "split-dout", g.out(), rows),
                      scratchSplit(recording, "split-dq", g.q(), rows),
                      scratchSplit(recording, "split-dk", g.k(), rows),
                      scratchSplit(recording, "split-dv", g.v(), rows));
              UlyssesExchange back = heads(recording);
              back.scatterHeads(g.out(), splitGradients.out());
              back.await();
              recordBackward(recording, plan, split, splitGradients, stats);
              back.gatherHeads(splitGradients.q(), g.q());
              back.gatherHeads(splitGradients.k(), g.k());
              back.gatherHeads(splitGradients.v(), g.v());
              back.await();
              return recording.program();
            });
    return new PreparedAttention(buffers, forward.program(), backward);
  }

  private Recording recording(BufferPool.Lease buffers) {
    Tensor causalMask =
        Tensor.of(mask, DataType.UINT8, CompressedCausalMask.SIZE, CompressedCausalMask.SIZE);
    return new Recording(
        new Program(), compute, exchange, workspace, buffers, causalMask, splitConfig);
  }

  private UlyssesExchange heads(Recording recording) {
    return new UlyssesExchange(recording, groups.ulysses().orElseThrow(), headLane);
  }

  private SoftmaxStats stats(Recording recording, ContextParallelPlan plan, LocalTensors tensors) {
    return new SoftmaxStats(
        recording,
        tensors.q().size(1),
        plan.steps(groups.ringRank()).getFirst().calls());
  }

  private void recordForward(
      Recording recording, ContextParallelPlan plan, LocalTensors tensors, SoftmaxStats stats) {
    var steps = plan.steps(groups.ringRank());
    new RingForward(
            recording,
            tensors,
            stats,
            steps,
            kvExchange(
                recording,
                kvLane,
                "kv",
                config.dataType(),
                tensors.k(),
                tensors.v(),
                steps.size()))
        .record();
  }

  private void recordBackward(
      Recording recording,
      ContextParallelPlan plan,
      LocalTensors tensors,
      LocalTensors.Gradients gradients,
      SoftmaxStats stats) {
    var steps = plan.steps(groups.ringRank());
    DataType travelling =
        plan.pattern() == ExchangePattern.RING ? DataType.FLOAT : config.dataType();
    new RingBackward(
            recording,
            groups.ringRank(),
            plan.pattern(),
            tensors,
            gradients,
            stats,
            steps,
            kvExchange(
                recording,
                kvLane,
                "kv",
                config.dataType(),
                tensors.k(),
                tensors.v(),
                steps.size()),
            kvExchange(
                recording,
                gradientLane,
                "dkdv",
                travelling,
                tensors.k(),
                tensors.v(),
                steps.size()))
        .record();
  }

  private KvExchange kvExchange(
      Recording recording,
      ExchangeLane lane,
      String name,
      DataType type,
      Tensor first,
      Tensor second,
      int steps) {
    return new KvExchange(
        recording, groups.ring().orElse(null), lane, name, type, first, second, steps);
  }

  private long[] splitShape(Tensor local, long rows) {
    return new long[] {
      local.size(0), rows, local.size(2) / groups.grid().ulyssesDegree(), local.size(3)
    };
  }

  private Tensor keptSplit(Recording recording, Tensor local, long rows) {
    return recording.kept(local.dataType(), splitShape(local, rows));
  }

  private Tensor scratchSplit(Recording recording, String name, Tensor local, long rows) {
    return recording.scratch(name, local.dataType(), splitShape(local, rows));
  }

  private void requireGrid(ContextParallelPlan plan) {
    if (!plan.grid().equals(groups.grid())) {
      throw new IllegalArgumentException(
          "the plan is for %s, the communicators form %s".formatted(plan.grid(), groups.grid()));
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the context-parallel attention is closed");
    }
  }

  /** Frees scratch memory once the streams have passed; prepared attentions are to be closed before. Idempotent. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    compute.synchronize();
    exchange.synchronize();
    agreement.close();
    headLane.close();
    kvLane.close();
    gradientLane.close();
    pool.close();
    workspace.close();
    mask.close();
    exchange.close();
  }
}
