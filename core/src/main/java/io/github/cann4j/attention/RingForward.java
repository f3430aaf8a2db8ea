// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionScore;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.AttentionStep;
import io.github.cann4j.plan.RowRange;
import java.util.List;
import java.util.function.Function;

/** Records the forward steps of a ring rank: the local one, then a dense rectangle per hop, merged in fp32. */
final class RingForward {
  private final Recording recording;
  private final LocalTensors tensors;
  private final SoftmaxStats stats;
  private final List<AttentionStep> hops;
  private final KvExchange exchange;
  private final LocalAttention local;

  RingForward(
      Recording recording,
      LocalTensors tensors,
      SoftmaxStats stats,
      List<AttentionStep> steps,
      KvExchange exchange) {
    this.recording = recording;
    this.tensors = tensors;
    this.stats = stats;
    this.hops = steps.subList(1, steps.size());
    this.exchange = exchange;
    this.local = new LocalAttention(recording, tensors, stats, steps.getFirst());
  }

  void record() {
    KvSender sender = new KvSender(recording, tensors, hops, exchange);
    sender.post(0);
    local.forward();
    RowAccumulator out =
        new RowAccumulator(recording, "out-sums", tensors.out(), queryRows(hops));
    out.begin();
    reserve();
    for (int i = 0; i < hops.size(); i++) {
      exchange.await(i);
      sender.post(i + 1);
      for (AttentionCall call : hops.get(i).calls()) {
        attend(call, exchange.received(i), out);
      }
    }
    out.finish();
  }

  /** Makes room for the largest call: growing from call to call would leave smaller buffers behind. */
  private void reserve() {
    AttentionConfig config = recording.config();
    long batch = recording.batch();
    long queries = mostRows(hops, AttentionCall::q);
    if (queries > 0) {
      recording.scratch(
          "hop-out", config.dataType(), batch, queries, config.heads(), config.headDimV());
      long copies = Recording.STATISTIC_COPIES;
      recording.scratch("hop-max", DataType.FLOAT, batch, config.heads(), queries, copies);
      recording.scratch("hop-sum", DataType.FLOAT, batch, config.heads(), queries, copies);
      PartialMerge.reserve(recording, queries);
    }
  }

  /** The most rows that a call of the hops has. */
  static long mostRows(List<AttentionStep> hops, Function<AttentionCall, RowRange> rows) {
    return hops.stream()
        .flatMap(hop -> hop.calls().stream())
        .mapToLong(call -> rows.apply(call).length())
        .max()
        .orElse(0);
  }

  private void attend(AttentionCall call, KvExchange.Block kv, RowAccumulator out) {
    requireDense(call);
    AttentionConfig config = recording.config();
    long batch = recording.batch();
    long queries = call.q().length();
    Tensor partial =
        recording.scratch(
            "hop-out", config.dataType(), batch, queries, config.heads(), config.headDimV());
    Tensor max =
        recording.scratch(
            "hop-max",
            DataType.FLOAT,
            batch,
            config.heads(),
            queries,
            Recording.STATISTIC_COPIES);
    Tensor sum =
        recording.scratch(
            "hop-sum",
            DataType.FLOAT,
            batch,
            config.heads(),
            queries,
            Recording.STATISTIC_COPIES);
    var score =
        FlashAttentionScore.builder()
            .query(Recording.rows(tensors.q(), call.q()))
            .key(kv.firstRows(call.kv()))
            .value(kv.secondRows(call.kv()))
            .scaleValue(config.scale())
            .inputLayout(Layout.BSND)
            .softmaxMax(max)
            .softmaxSum(sum)
            .attentionOut(partial)
            .build();
    recording.program().add(() -> score.run(recording.compute(), recording.workspace()));
    for (int b = 0; b < batch; b++) {
      for (SoftmaxStats.Piece piece : stats.pieces(b, call.q())) {
        RowRange inCall = piece.rows().shift(-call.q().begin());
        Tensor accumulated = out.rows(piece.rows());
        PartialMerge.record(
            recording,
            Recording.packedRows(accumulated, b, new RowRange(0, inCall.length())),
            piece,
            Recording.packedRows(partial, b, inCall),
            max.slice(0, b, b + 1).slice(2, inCall.begin(), inCall.end()),
            sum.slice(0, b, b + 1).slice(2, inCall.begin(), inCall.end()));
      }
    }
  }

  /** The smallest range that holds all query rows of the hops. */
  static RowRange queryRows(List<AttentionStep> hops) {
    RowRange rows = RowRange.EMPTY;
    for (AttentionStep hop : hops) {
      for (AttentionCall call : hop.calls()) {
        rows = rows.hull(call.q());
      }
    }
    return rows;
  }

  static void requireDense(AttentionCall call) {
    if (call.causal() || call.segments() != 1) {
      throw new UnsupportedOperationException(
          "hop call " + call + " is no dense rectangle; use contiguous or zigzag sharding");
    }
  }
}
