// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.aclnn.Workspace;
import io.github.cann4j.plan.AttentionStep;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.Transfer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

/**
 * Attention over sequences that are split among ranks: ring, Ulysses and hybrid by the grid of the {@link
 * ContextParallelGroups}, gathering by the plan's exchange pattern, and all of them under the plan's mask. Ring
 * attention after Liu et al. (arXiv 2310.01889), Ulysses after Jacobs et al. (arXiv 2309.14509), their combination
 * after Fang and Zhao (arXiv 2405.07719), gathering after section 3.3.2 of the Llama 3 report (arXiv 2407.21783).
 *
 * <p>One object per rank and layer shape; it owns scratch memory that all its prepared attentions share. Its transfers
 * run on the stream of the groups. Not thread-safe: one platform thread per rank makes all calls, in the same order on
 * all ranks.
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
  private final AttentionConfig denseConfig;
  private final HeadSplit split;
  private final ContextParallelGroups groups;
  private final Stream compute;
  private final Stream exchange;
  private final Workspace workspace;
  private final BufferPool pool;
  private final CompressedMasks masks;
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
    split = new HeadSplit(config.heads(), config.kvHeads(), groups.grid().ulyssesDegree());
    denseConfig =
        new AttentionConfig(
            config.heads(),
            config.kvHeads(),
            config.headDim(),
            config.headDimV(),
            config.dataType(),
            Layout.BSND,
            config.batchSize(),
            config.scale());
    // A rank alone transfers nothing.
    exchange = groups.grid().size() == 1 ? compute : groups.exchange();
    workspace = new Workspace(groups.device());
    pool = new BufferPool(compute);
    masks = new CompressedMasks(groups.device());
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
   * @throws UnsupportedOperationException if the layer cannot be split over the grid, see {@link
   *     AttentionConfig#requireSplittable}
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
   * Prepares forward alone. Collective and blocking when the plan is new to this object, else local; nothing is
   * computed. A rank that cannot prepare a new plan tells the others, so that none goes on alone; with a plan that was
   * prepared before, the others learn of it only by HCCL's timeout.
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
   * @throws UnsupportedOperationException if a general mask takes more memory than the plan allows
   * @throws IllegalStateException if another rank could not prepare a new plan, naming it; or if this object, a stream
   *     or a communicator is closed
   * @throws io.github.cann4j.acl.AclException if device memory does not suffice
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
   * @throws IllegalArgumentException as there; also if one of these tensors shares memory with another
   * @throws IllegalStateException as there
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
   * @throws IllegalStateException if another rank cannot use its plan, naming the rank
   */
  public void verify(ContextParallelPlan plan) {
    requireOpen();
    try {
      requireGrid(plan);
    } catch (IllegalArgumentException e) {
      agreement.refuse(plan, e);
      throw e;
    }
    agreement.verify(plan);
  }

  private PreparedAttention prepare(
      ContextParallelPlan plan, LocalTensors given, Optional<LocalTensors.Gradients> gradients) {
    requireOpen();
    Objects.requireNonNull(plan, "plan");
    BufferPool.Lease buffers = pool.lease();
    PreparedAttention prepared;
    try {
      requireGrid(plan);
      prepared = record(plan, given, gradients, buffers);
    } catch (RuntimeException e) {
      buffers.release();
      if (!agreement.isVerified(plan)) {
        agreement.refuse(plan, e);
      }
      throw e;
    }
    // Last, so that a rank that fails before can say so to the others.
    try {
      agreement.verifyOnce(plan);
    } catch (RuntimeException e) {
      prepared.close();
      throw e;
    }
    return prepared;
  }

  private PreparedAttention record(
      ContextParallelPlan plan,
      LocalTensors given,
      Optional<LocalTensors.Gradients> gradients,
      BufferPool.Lease buffers) {
    requireMaskMemory(plan);
    TensorChecks checks = new TensorChecks(config, groups.device(), plan.localRows());
    LocalTensors tensors = checks.tensors(given);
    Optional<LocalTensors.Gradients> grads = gradients.map(g -> checks.gradients(g, given));
    CallMasks callMasks = new CallMasks(masks, buffers);
    Recording forward = recording(buffers, callMasks);
    Optional<Program> backward =
        groups.ulysses().isEmpty()
            ? recordWhole(plan, tensors, grads, forward)
            : recordSplit(plan, tensors, grads, forward);
    List<Tensor> bound = new ArrayList<>(List.of(given.q(), given.k(), given.v(), given.out()));
    gradients.ifPresent(g -> bound.addAll(List.of(g.out(), g.q(), g.k(), g.v())));
    return new PreparedAttention(this, buffers, forward.program(), backward, List.copyOf(bound));
  }

  private Optional<Program> recordWhole(
      ContextParallelPlan plan,
      LocalTensors tensors,
      Optional<LocalTensors.Gradients> grads,
      Recording forward) {
    SoftmaxStats stats = stats(forward, plan, tensors);
    recordForward(forward, plan, tensors, stats);
    return grads.map(
        g -> {
          Recording recording = recording(forward.buffers(), forward.masks());
          recordBackward(recording, plan, tensors, g, stats);
          return recording.program();
        });
  }

  private Optional<Program> recordSplit(
      ContextParallelPlan plan,
      LocalTensors tensors,
      Optional<LocalTensors.Gradients> grads,
      Recording forward) {
    UlyssesAttention attention =
        new UlyssesAttention(
            split,
            groups.ulysses().orElseThrow(),
            headLane,
            plan.ringRows(groups.ringRank()),
            new RingOfRun(plan));
    attention.forward(forward, tensors);
    return grads.map(
        g -> {
          Recording recording = recording(forward.buffers(), forward.masks());
          attention.backward(recording, g);
          return recording.program();
        });
  }

  /** Ring attention of one run of heads. */
  private final class RingOfRun implements UlyssesAttention.RunRecorder {
    private final ContextParallelPlan plan;

    RingOfRun(ContextParallelPlan plan) {
      this.plan = plan;
    }

    @Override
    public SoftmaxStats stats(Recording recording, LocalTensors tensors) {
      return ContextParallelAttention.this.stats(recording, plan, tensors);
    }

    @Override
    public void forward(Recording recording, LocalTensors tensors, SoftmaxStats stats) {
      recordForward(recording, plan, tensors, stats);
    }

    @Override
    public void backward(
        Recording recording,
        LocalTensors tensors,
        LocalTensors.Gradients gradients,
        SoftmaxStats stats) {
      recordBackward(recording, plan, tensors, gradients, stats);
    }
  }

  private Recording recording(BufferPool.Lease buffers, CallMasks callMasks) {
    return new Recording(
        new Program(), compute, exchange, workspace, buffers, callMasks, denseConfig);
  }

  private SoftmaxStats stats(Recording recording, ContextParallelPlan plan, LocalTensors tensors) {
    return new SoftmaxStats(
        recording,
        tensors.q().size(1),
        plan.pattern() == ExchangePattern.ALL_GATHER
            ? GatherAttention.calls(plan.gather(groups.ringRank()))
            : plan.steps(groups.ringRank()).getFirst().firstCalls(),
        plan.validRingRows(groups.ringRank()));
  }

  private void recordForward(
      Recording recording, ContextParallelPlan plan, LocalTensors tensors, SoftmaxStats stats) {
    if (plan.pattern() == ExchangePattern.ALL_GATHER) {
      gather(recording, plan, tensors, stats).forward(kvLane);
      return;
    }
    var steps = plan.steps(groups.ringRank());
    new RingForward(
            recording,
            tensors,
            stats,
            steps,
            keysAndValues(recording, steps, tensors))
        .record();
  }

  private void recordBackward(
      Recording recording,
      ContextParallelPlan plan,
      LocalTensors tensors,
      LocalTensors.Gradients gradients,
      SoftmaxStats stats) {
    if (plan.pattern() == ExchangePattern.ALL_GATHER) {
      gather(recording, plan, tensors, stats)
          .backward(gradients, plan.validRingRows(groups.ringRank()), kvLane, gradientLane);
      return;
    }
    var steps = plan.steps(groups.ringRank());
    DataType travelling =
        plan.pattern() == ExchangePattern.RING ? DataType.FLOAT : config.dataType();
    KvExchange partials =
        new KvExchange(
            recording,
            groups.ring().orElse(null),
            gradientLane,
            "dkdv",
            travelling,
            tensors.k(),
            tensors.v(),
            steps.size() - 1,
            mostRows(steps, AttentionStep::gradientSend),
            mostRows(steps, AttentionStep::gradientReceive));
    new RingBackward(
            recording,
            groups.ringRank(),
            plan.pattern(),
            tensors,
            gradients,
            stats,
            steps,
            plan.validRingRows(groups.ringRank()),
            keysAndValues(recording, steps, tensors),
            partials)
        .record();
  }

  private GatherAttention gather(
      Recording recording, ContextParallelPlan plan, LocalTensors tensors, SoftmaxStats stats) {
    return new GatherAttention(
        recording,
        groups.ring(),
        groups.ringRank(),
        tensors,
        stats,
        plan.gather(groups.ringRank()));
  }

  private KvExchange keysAndValues(
      Recording recording, List<AttentionStep> steps, LocalTensors tensors) {
    return new KvExchange(
        recording,
        groups.ring().orElse(null),
        kvLane,
        "kv",
        config.dataType(),
        tensors.k(),
        tensors.v(),
        steps.size() - 1,
        mostRows(steps, AttentionStep::kvSend),
        mostRows(steps, AttentionStep::kvReceive));
  }

  private static long mostRows(
      List<AttentionStep> steps, Function<AttentionStep, Optional<Transfer>> transfer) {
    return steps.stream()
        .flatMap(step -> transfer.apply(step).stream())
        .mapToLong(t -> t.rows().rows())
        .max()
        .orElse(0);
  }

  private void requireMaskMemory(ContextParallelPlan plan) {
    long bytes = plan.maskBytes(groups.ringRank());
    if (bytes > plan.maxMaskBytes()) {
      throw new UnsupportedOperationException(
          ("the general mask takes %d bytes on CP rank %d, more than the plan's limit of %d; raise maxMaskBytes, use more"
                  + " ranks, or a mask that follows from documents (causal, sliding window, prefix)")
              .formatted(bytes, groups.cpRank(), plan.maxMaskBytes()));
    }
  }

  private void requireGrid(ContextParallelPlan plan) {
    if (!plan.grid().equals(groups.grid())) {
      throw new IllegalArgumentException(
          "the plan is for %s, the communicators form %s".formatted(plan.grid(), groups.grid()));
    }
  }

  /** {@return device memory of buffers, masks and compressed mask tables that this object holds now, in bytes} */
  public long bufferBytes() {
    return pool.byteSize() + masks.byteSize() + agreement.byteSize();
  }

  /** {@return device memory of the kernels' workspace that this object holds now, in bytes} */
  public long workspaceBytes() {
    return workspace.byteSize();
  }

  /** Throws unless work can be submitted. */
  void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the context-parallel attention is closed");
    }
    groups.requireOpen();
    compute.handle();
  }

  /**
   * Waits for the streams and frees all memory, also that of prepared attentions that are still open: they cannot be
   * used any more. Idempotent.
   *
   * @throws io.github.cann4j.acl.AclException also for a failure of earlier asynchronous work; the memory is freed even
   *     then
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    Closing.inOrder(
        compute::synchronize,
        exchange::synchronize,
        agreement::close,
        headLane::close,
        kvLane::close,
        gradientLane::close,
        pool::close,
        workspace::close,
        masks::close);
  }
}
