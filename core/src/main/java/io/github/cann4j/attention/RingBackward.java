// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionScoreGrad;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.AttentionStep;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.plan.Transfer;
import java.util.List;

/**
 * Records the backward steps of a ring rank. Each hop's kernel gets the final statistics and output, so its gradients
 * are exact parts that only need adding: dq here, dk and dv at their owner.
 */
final class RingBackward {
  private final Recording recording;
  private final int ringRank;
  private final ExchangePattern pattern;
  private final LocalTensors tensors;
  private final LocalTensors.Gradients gradients;
  private final SoftmaxStats stats;
  private final List<AttentionStep> hops;
  private final KvExchange keyValues;
  private final KvExchange partials;
  private final LocalAttention local;
  private final RowAccumulator dq;
  private final RowAccumulator dk;
  private final RowAccumulator dv;

  RingBackward(
      Recording recording,
      int ringRank,
      ExchangePattern pattern,
      LocalTensors tensors,
      LocalTensors.Gradients gradients,
      SoftmaxStats stats,
      List<AttentionStep> steps,
      KvExchange keyValues,
      KvExchange partials) {
    this.recording = recording;
    this.ringRank = ringRank;
    this.pattern = pattern;
    this.tensors = tensors;
    this.gradients = gradients;
    this.stats = stats;
    this.hops = steps.subList(1, steps.size());
    this.keyValues = keyValues;
    this.partials = partials;
    this.local = new LocalAttention(recording, tensors, stats, steps.getFirst());
    RowRange own = local.sharesKeys() ? local.valid() : RowRange.EMPTY;
    for (AttentionStep hop : hops) {
      if (hop.gradientReceive().isPresent() && isHome(hop.gradientReceive().get())) {
        own = own.hull(hop.gradientReceive().get().rows());
      }
    }
    dq = new RowAccumulator(recording, "dq-sums", gradients.q(), RingForward.queryRows(hops));
    dk = new RowAccumulator(recording, "dk-sums", gradients.k(), own);
    dv = new RowAccumulator(recording, "dv-sums", gradients.v(), own);
  }

  void record() {
    KvSender sender = new KvSender(recording, tensors, hops, keyValues);
    sender.post(0);
    reserve();
    local.backward(gradients, dk, dv);
    dq.begin();
    if (!local.sharesKeys()) {
      dk.begin();
      dv.begin();
    }
    for (int i = 0; i < hops.size(); i++) {
      AttentionStep hop = hops.get(i);
      keyValues.await(i);
      sender.post(i + 1);
      if (pattern == ExchangePattern.RING && i > 0) {
        partials.await(i - 1);
      }
      compute(i, hop);
      partials.post(i, hop.gradientSend(), hop.gradientReceive());
      if (i > 0) {
        takeIn(i - 1);
      }
    }
    if (!hops.isEmpty()) {
      takeIn(hops.size() - 1);
    }
    dq.finish();
    dk.finish();
    dv.finish();
  }

  /** Makes room for the largest call, as in forward. */
  private void reserve() {
    long queries = RingForward.mostRows(hops, AttentionCall::q);
    long keys = RingForward.mostRows(hops, AttentionCall::kv);
    if (queries > 0) {
      RowRange all = new RowRange(0, queries);
      partialLike("hop-dq", gradients.q(), all);
    }
    boolean sums =
        hops.stream().anyMatch(hop -> !hop.calls().isEmpty() && !writesBlockDirectly(hop));
    if (keys > 0 && sums) {
      RowRange all = new RowRange(0, keys);
      partialLike("hop-dk", gradients.k(), all);
      partialLike("hop-dv", gradients.v(), all);
    }
  }

  /** Whether one call makes all gradients that the hop sends, and no other rank adds to them. */
  private boolean writesBlockDirectly(AttentionStep hop) {
    return pattern == ExchangePattern.DIRECT
        && hop.calls().size() == 1
        && hop.calls().getFirst().kv().equals(hop.gradientSend().orElseThrow().rows());
  }

  /** Adds what came home; a ring's travelling sums are taken up by the next step instead. */
  private void takeIn(int i) {
    partials.await(i);
    hops.get(i)
        .gradientReceive()
        .filter(this::isHome)
        .ifPresent(
            transfer -> {
              KvExchange.Block block = partials.received(i);
              dk.add(transfer.rows(), block.first());
              dv.add(transfer.rows(), block.second());
            });
  }

  private boolean isHome(Transfer transfer) {
    return transfer.owner() == ringRank;
  }

  private void compute(int i, AttentionStep hop) {
    if (hop.gradientSend().isEmpty()) {
      return;
    }
    Transfer send = hop.gradientSend().get();
    KvExchange.Block block = partials.sendBlock(i, send);
    KvExchange.Block kv = keyValues.received(i);
    if (writesBlockDirectly(hop)) {
      attend(hop.calls().getFirst(), kv, block.first(), block.second());
      return;
    }
    // Several contributions to the same rows: their sum is fp32, and in a ring it travels so.
    boolean inPlace = block.whole().dataType() == DataType.FLOAT;
    Tensor dkSums = inPlace ? block.first() : sumsLike("hop-dk-sums", block.first());
    Tensor dvSums = inPlace ? block.second() : sumsLike("hop-dv-sums", block.second());
    recording.zero(dkSums);
    recording.zero(dvSums);
    if (i > 0) {
      KvExchange.Block passed = partials.received(i - 1);
      if (passed != null && passed.owner() == hop.owner() && pattern == ExchangePattern.RING) {
        addRows(dkSums, send.rows(), passed.rows(), passed.first());
        addRows(dvSums, send.rows(), passed.rows(), passed.second());
      }
    }
    for (AttentionCall call : hop.calls()) {
      Tensor dkPart = partialLike("hop-dk", gradients.k(), call.kv());
      Tensor dvPart = partialLike("hop-dv", gradients.v(), call.kv());
      attend(call, kv, dkPart, dvPart);
      addRows(dkSums, send.rows(), call.kv(), dkPart);
      addRows(dvSums, send.rows(), call.kv(), dvPart);
    }
    if (!inPlace) {
      recording.copy(block.first(), dkSums);
      recording.copy(block.second(), dvSums);
    }
  }

  private void attend(AttentionCall call, KvExchange.Block kv, Tensor dkOut, Tensor dvOut) {
    RingForward.requireDense(call);
    Tensor dqPart = partialLike("hop-dq", gradients.q(), call.q());
    var grad =
        FlashAttentionScoreGrad.builder()
            .query(Recording.rows(tensors.q(), call.q()))
            .key(kv.firstRows(call.kv()))
            .value(kv.secondRows(call.kv()))
            .dy(Recording.rows(gradients.out(), call.q()))
            .softmaxMax(denseStatistic("hop-max", call.q(), true))
            .softmaxSum(denseStatistic("hop-sum", call.q(), false))
            .attentionIn(Recording.rows(tensors.out(), call.q()))
            .scaleValue(recording.config().scale())
            .inputLayout(Layout.BSND)
            .dq(dqPart)
            .dk(dkOut)
            .dv(dvOut)
            .build();
    recording.program().add(() -> grad.run(recording.compute(), recording.workspace()));
    dq.add(call.q(), dqPart);
  }

  /** The final maxima or sums of some rows as {@code [batch, heads, rows, 8]}. */
  private Tensor denseStatistic(String name, RowRange rows, boolean max) {
    int batch = recording.batch();
    if (batch == 1) {
      List<SoftmaxStats.Piece> pieces = stats.pieces(0, rows);
      Tensor only = max ? pieces.getFirst().max() : pieces.getFirst().sum();
      if (pieces.size() == 1 && only.isContiguous()) {
        return only;
      }
    }
    Tensor dense =
        recording.scratch(
            name,
            DataType.FLOAT,
            batch,
            recording.config().heads(),
            rows.length(),
            Recording.STATISTIC_COPIES);
    for (int b = 0; b < batch; b++) {
      for (SoftmaxStats.Piece piece : stats.pieces(b, rows)) {
        RowRange part = piece.rows().shift(-rows.begin());
        recording.copy(
            dense.slice(0, b, b + 1).slice(2, part.begin(), part.end()),
            max ? piece.max() : piece.sum());
      }
    }
    return dense;
  }

  private void addRows(Tensor sums, RowRange sumRows, RowRange rows, Tensor part) {
    recording.add(Recording.rows(sums, rows.shift(-sumRows.begin())), part);
  }

  private Tensor partialLike(String name, Tensor like, RowRange rows) {
    return recording.scratch(
        name, recording.dataType(), like.size(0), rows.length(), like.size(2), like.size(3));
  }

  private Tensor sumsLike(String name, Tensor like) {
    return recording.scratch(name, DataType.FLOAT, like.shape());
  }
}
