// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.AttentionStep;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.plan.RowSet;
import io.github.cann4j.plan.Transfer;
import java.util.Comparator;
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
  private final List<AttentionStep> steps;
  private final List<AttentionStep> hops;
  private final KvExchange keyValues;
  private final KvExchange partials;
  private final FirstCalls local;
  private final long validRows;
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
      long validRows,
      KvExchange keyValues,
      KvExchange partials) {
    this.recording = recording;
    this.ringRank = ringRank;
    this.pattern = pattern;
    this.tensors = tensors;
    this.gradients = gradients;
    this.stats = stats;
    this.steps = steps;
    this.hops = steps.subList(1, steps.size());
    this.keyValues = keyValues;
    this.partials = partials;
    this.validRows = validRows;
    this.local =
        new FirstCalls(recording, tensors, stats, steps.getFirst().firstCalls());
    RowRange own = local.sharesKeys() ? new RowRange(0, validRows) : RowRange.EMPTY;
    for (AttentionCall call : steps.getFirst().mergedCalls()) {
      own = own.hull(call.kv());
    }
    for (AttentionStep hop : hops) {
      if (hop.gradientReceive().isPresent() && isHome(hop.gradientReceive().get())) {
        List<RowRange> ranges = hop.gradientReceive().get().rows().ranges();
        own = own.hull(ranges.getFirst()).hull(ranges.getLast());
      }
    }
    dq = new RowAccumulator(recording, "dq-sums", gradients.q(), RingForward.mergedQueries(steps));
    dk = new RowAccumulator(recording, "dk-sums", gradients.k(), own);
    dv = new RowAccumulator(recording, "dv-sums", gradients.v(), own);
  }

  void record() {
    KvSender sender = new KvSender(recording, tensors, hops, keyValues);
    sender.post(0);
    reserve();
    recording.zeroOutside(
        steps.getFirst().firstCalls().stream().map(AttentionCall::q).toList(), gradients.q());
    List<RowRange> written =
        local.sharesKeys() ? List.of(new RowRange(0, validRows)) : local.keyRows();
    recording.zeroOutside(written, gradients.k());
    recording.zeroOutside(written, gradients.v());
    local.backward(gradients, dk, dv);
    dq.begin();
    if (!local.sharesKeys()) {
      dk.begin();
      dv.begin();
    }
    for (AttentionCall call : steps.getFirst().mergedCalls()) {
      Tensor dkPart = partialLike("hop-dk", gradients.k(), call.keys());
      Tensor dvPart = partialLike("hop-dv", gradients.v(), call.keys());
      attend(call, KvExchange.Block.own(tensors), dkPart, dvPart);
      dk.add(call.kv(), dkPart);
      dv.add(call.kv(), dvPart);
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
    long queries = RingForward.most(steps, call -> call.q().length());
    if (queries > 0) {
      partialLike("hop-dq", gradients.q(), queries);
    }
    long keys =
        RingForward.most(
            steps.stream().filter(step -> !writesBlockDirectly(step)).toList(),
            AttentionCall::keys);
    if (keys > 0) {
      partialLike("hop-dk", gradients.k(), keys);
      partialLike("hop-dv", gradients.v(), keys);
    }
  }

  /**
   * Whether the calls of a hop make each of the gradients that it sends once, and no other rank adds to them. Parts of a
   * block are contiguous in a batch of one only.
   */
  private boolean writesBlockDirectly(AttentionStep hop) {
    if (pattern != ExchangePattern.DIRECT || hop.gradientSend().isEmpty()) {
      return false;
    }
    if (hop.mergedCalls().size() > 1 && recording.batch() > 1) {
      return false;
    }
    List<RowRange> keys =
        hop.mergedCalls().stream()
            .flatMap(call -> call.kvSegments().stream())
            .sorted(Comparator.comparingLong(RowRange::begin))
            .toList();
    for (int i = 1; i < keys.size(); i++) {
      if (keys.get(i - 1).end() > keys.get(i).begin()) {
        return false;
      }
    }
    return RowSet.of(keys).equals(hop.gradientSend().get().rows());
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
              for (RowRange rows : transfer.rows().ranges()) {
                dk.add(rows, block.firstRows(rows));
                dv.add(rows, block.secondRows(rows));
              }
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
      for (AttentionCall call : hop.mergedCalls()) {
        attend(call, kv, block.firstRows(call), block.secondRows(call));
      }
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
        for (RowRange rows : passed.rows().ranges()) {
          addRows(dkSums, send.rows(), rows, passed.firstRows(rows));
          addRows(dvSums, send.rows(), rows, passed.secondRows(rows));
        }
      }
    }
    for (AttentionCall call : hop.mergedCalls()) {
      Tensor dkPart = partialLike("hop-dk", gradients.k(), call.keys());
      Tensor dvPart = partialLike("hop-dv", gradients.v(), call.keys());
      attend(call, kv, dkPart, dvPart);
      long begin = 0;
      for (RowRange rows : call.kvSegments()) {
        addRows(dkSums, send.rows(), rows, dkPart.slice(1, begin, begin + rows.length()));
        addRows(dvSums, send.rows(), rows, dvPart.slice(1, begin, begin + rows.length()));
        begin += rows.length();
      }
    }
    if (!inPlace) {
      recording.copy(block.first(), dkSums);
      recording.copy(block.second(), dvSums);
    }
  }

  private void attend(AttentionCall call, KvExchange.Block kv, Tensor dkOut, Tensor dvOut) {
    Tensor dqPart = partialLike("hop-dq", gradients.q(), call.q().length());
    LocalTensors inputs =
        new LocalTensors(
            Recording.rows(tensors.q(), call.q()),
            kv.firstRows(call),
            kv.secondRows(call),
            Recording.rows(tensors.out(), call.q()));
    LocalTensors.Gradients outputs =
        new LocalTensors.Gradients(
            Recording.rows(gradients.out(), call.q()), dqPart, dkOut, dvOut);
    CallRecorder.Statistics statistics = statistics(call);
    CallRecorder recorder = new CallRecorder(recording, call);
    if (call.segments() == 1) {
      recorder.backward(inputs, statistics, outputs);
    } else {
      for (int b = 0; b < recording.batch(); b++) {
        recorder.backward(
            inputs.packed(b), statistics.packed(b), outputs.packed(b));
      }
    }
    dq.add(call.q(), dqPart);
  }

  /** The final statistics of a call's queries as {@code [batch, heads, rows, 8]}, segment after segment. */
  private CallRecorder.Statistics statistics(AttentionCall call) {
    int batch = recording.batch();
    if (batch == 1 && call.segments() == 1) {
      List<SoftmaxStats.Piece> pieces = stats.pieces(0, call.q());
      if (pieces.size() == 1 && pieces.getFirst().max().isContiguous()) {
        return new CallRecorder.Statistics(pieces.getFirst().max(), pieces.getFirst().sum());
      }
    }
    long[] shape = {
      batch, recording.config().heads(), call.q().length(), Recording.STATISTIC_COPIES
    };
    var copies =
        new CallRecorder.Statistics(
            recording.scratch("hop-max", DataType.FLOAT, shape),
            recording.scratch("hop-sum", DataType.FLOAT, shape));
    for (int b = 0; b < batch; b++) {
      for (RowRange segment : call.qSegments()) {
        CallRecorder.Statistics block =
            copies.segment(b, segment.shift(-call.q().begin()));
        for (SoftmaxStats.Piece piece : stats.pieces(b, segment)) {
          CallRecorder.Statistics rows = block.rows(piece.rows().shift(-segment.begin()));
          recording.copy(rows.max(), piece.max());
          recording.copy(rows.sum(), piece.sum());
        }
      }
    }
    return copies;
  }

  private void addRows(Tensor sums, RowSet sumRows, RowRange rows, Tensor part) {
    recording.add(Recording.rows(sums, sumRows.positions(rows)), part);
  }

  private Tensor partialLike(String name, Tensor like, long rows) {
    return recording.scratch(
        name, recording.dataType(), like.size(0), rows, like.size(2), like.size(3));
  }

  private Tensor sumsLike(String name, Tensor like) {
    return recording.scratch(name, DataType.FLOAT, like.shape());
  }
}
