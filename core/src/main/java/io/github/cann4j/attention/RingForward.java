// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.AttentionStep;
import io.github.cann4j.plan.RowRange;
import java.util.List;
import java.util.function.ToLongFunction;

/** Records the forward steps of a ring rank: the local one, then those on received rows, merged in fp32. */
final class RingForward {
  private final Recording recording;
  private final LocalTensors tensors;
  private final SoftmaxStats stats;
  private final List<AttentionStep> steps;
  private final List<AttentionStep> hops;
  private final KvExchange exchange;

  RingForward(
      Recording recording,
      LocalTensors tensors,
      SoftmaxStats stats,
      List<AttentionStep> steps,
      KvExchange exchange) {
    this.recording = recording;
    this.tensors = tensors;
    this.stats = stats;
    this.steps = steps;
    this.hops = steps.subList(1, steps.size());
    this.exchange = exchange;
  }

  void record() {
    KvSender sender = new KvSender(recording, tensors, hops, exchange);
    sender.post(0);
    stats.beginOutside(tensors.out());
    new FirstCalls(recording, tensors, stats, steps.getFirst().firstCalls()).forward();
    RowAccumulator out =
        new RowAccumulator(recording, "out-sums", tensors.out(), mergedQueries(steps));
    out.begin();
    reserve();
    for (AttentionCall call : steps.getFirst().mergedCalls()) {
      attend(call, KvExchange.Block.own(tensors), out);
    }
    for (int i = 0; i < hops.size(); i++) {
      exchange.await(i);
      sender.post(i + 1);
      for (AttentionCall call : hops.get(i).mergedCalls()) {
        attend(call, exchange.received(i), out);
      }
    }
    out.finish();
  }

  /** Makes room for the largest call: growing from call to call would leave smaller buffers behind. */
  private void reserve() {
    long queries = most(steps, call -> call.q().length());
    if (queries > 0) {
      partialOut(queries);
      partialStatistics(queries);
      PartialMerge.reserve(recording, queries);
    }
  }

  /** The most of something that a merged call has. */
  static long most(List<AttentionStep> steps, ToLongFunction<AttentionCall> number) {
    return steps.stream()
        .flatMap(step -> step.mergedCalls().stream())
        .mapToLong(number)
        .max()
        .orElse(0);
  }

  /** The smallest range that holds all query rows of merged calls. */
  static RowRange mergedQueries(List<AttentionStep> steps) {
    RowRange rows = RowRange.EMPTY;
    for (AttentionStep step : steps) {
      for (AttentionCall call : step.mergedCalls()) {
        rows = rows.hull(call.q());
      }
    }
    return rows;
  }

  private Tensor partialOut(long queries) {
    AttentionConfig config = recording.config();
    return recording.scratch(
        "hop-out",
        config.dataType(),
        recording.batch(),
        queries,
        config.heads(),
        config.headDimV());
  }

  /** {@code [batch, heads, queries, 8]} */
  private CallRecorder.Statistics partialStatistics(long queries) {
    long[] shape = {
      recording.batch(), recording.config().heads(), queries, Recording.STATISTIC_COPIES
    };
    return new CallRecorder.Statistics(
        recording.scratch("hop-max", DataType.FLOAT, shape),
        recording.scratch("hop-sum", DataType.FLOAT, shape));
  }

  private void attend(AttentionCall call, KvExchange.Block kv, RowAccumulator out) {
    long queries = call.q().length();
    Tensor partial = partialOut(queries);
    CallRecorder.Statistics statistics = partialStatistics(queries);
    if (call.segments() == 1) {
      new CallRecorder(recording, call)
          .forward(
              Recording.rows(tensors.q(), call.q()),
              kv.firstRows(call),
              kv.secondRows(call),
              statistics,
              partial);
    } else {
      RowRange all = new RowRange(0, queries);
      RowRange keys = new RowRange(0, call.keys());
      for (int b = 0; b < recording.batch(); b++) {
        new CallRecorder(recording, call)
            .forward(
                Recording.packedRows(tensors.q(), b, call.q()),
                Recording.packedRows(kv.firstRows(call), b, keys),
                Recording.packedRows(kv.secondRows(call), b, keys),
                statistics.packed(b),
                Recording.packedRows(partial, b, all));
      }
    }
    for (int b = 0; b < recording.batch(); b++) {
      for (RowRange segment : call.qSegments()) {
        RowRange inCall = segment.shift(-call.q().begin());
        CallRecorder.Statistics block = statistics.segment(b, inCall);
        for (SoftmaxStats.Piece piece : stats.pieces(b, segment)) {
          RowRange rows = piece.rows().shift(-call.q().begin());
          RowRange inBlock = piece.rows().shift(-segment.begin());
          PartialMerge.record(
              recording,
              Recording.packedRows(out.rows(piece.rows()), b, new RowRange(0, rows.length())),
              piece,
              Recording.packedRows(partial, b, rows),
              block.rows(inBlock).max(),
              block.rows(inBlock).sum());
        }
      }
    }
  }
}
