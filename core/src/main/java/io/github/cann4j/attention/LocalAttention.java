// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.CallMask;
import io.github.cann4j.plan.RowRange;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** The calls that begin the output of a rank's queries, on its own keys. */
final class LocalAttention {
  private final Recording recording;
  private final LocalTensors tensors;
  private final SoftmaxStats stats;
  private final List<AttentionCall> calls;
  private final RowRange all;
  private final RowRange valid;

  /**
   * Prepares the recording.
   *
   * @param recording of the program
   * @param tensors of the rank
   * @param stats of its queries
   * @param calls on disjoint queries, ascending
   * @param validRows rows before the padding
   */
  LocalAttention(
      Recording recording,
      LocalTensors tensors,
      SoftmaxStats stats,
      List<AttentionCall> calls,
      long validRows) {
    this.recording = recording;
    this.tensors = tensors;
    this.stats = stats;
    this.calls = calls;
    all = new RowRange(0, tensors.q().size(1));
    valid = new RowRange(0, validRows);
  }

  /** Rows before the padding. */
  RowRange valid() {
    return valid;
  }

  /** Whether two calls read the same key rows, so that their gradients have to be added. */
  boolean sharesKeys() {
    long end = 0;
    for (RowRange rows : keyRows()) {
      if (rows.begin() < end) {
        return true;
      }
      end = rows.end();
    }
    return false;
  }

  private List<RowRange> keyRows() {
    return calls.stream()
        .map(AttentionCall::kv)
        .sorted(Comparator.comparingLong(RowRange::begin))
        .toList();
  }

  void forward() {
    zeroOutside(calls.stream().map(AttentionCall::q).toList(), tensors.out());
    stats.beginOutside();
    if (isDense()) {
      new CallRecorder(recording, calls.getFirst())
          .forward(tensors.q(), tensors.k(), tensors.v(), stats.dense(), tensors.out());
      return;
    }
    for (int b = 0; b < recording.batch(); b++) {
      for (AttentionCall call : calls) {
        var rows = rows(call, b);
        new CallRecorder(recording, call)
            .forward(
                rows.of(tensors.q(), call.q()),
                rows.of(tensors.k(), call.kv()),
                rows.of(tensors.v(), call.kv()),
                statistics(call, b),
                rows.of(tensors.out(), call.q()));
      }
    }
  }

  /**
   * Computes the gradients of these calls. Where calls share keys, dk and dv are left in the accumulators, which then
   * span all valid rows.
   */
  void backward(LocalTensors.Gradients gradients, RowAccumulator dk, RowAccumulator dv) {
    zeroOutside(calls.stream().map(AttentionCall::q).toList(), gradients.q());
    boolean shared = sharesKeys();
    List<RowRange> covered = shared ? List.of(valid) : keyRows();
    zeroOutside(covered, gradients.k());
    zeroOutside(covered, gradients.v());
    if (isDense()) {
      new CallRecorder(recording, calls.getFirst()).backward(tensors, stats.dense(), gradients);
      return;
    }
    if (shared) {
      recording.zero(dk.rows(valid));
      recording.zero(dv.rows(valid));
    }
    for (AttentionCall call : calls) {
      Tensor callDk = shared ? partial("local-dk", gradients.k(), call.kv()) : null;
      Tensor callDv = shared ? partial("local-dv", gradients.v(), call.kv()) : null;
      for (int b = 0; b < recording.batch(); b++) {
        var rows = rows(call, b);
        RowRange whole = new RowRange(0, call.kv().length());
        new CallRecorder(recording, call)
            .backward(
                new LocalTensors(
                    rows.of(tensors.q(), call.q()),
                    rows.of(tensors.k(), call.kv()),
                    rows.of(tensors.v(), call.kv()),
                    rows.of(tensors.out(), call.q())),
                statistics(call, b),
                new LocalTensors.Gradients(
                    rows.of(gradients.out(), call.q()),
                    rows.of(gradients.q(), call.q()),
                    shared ? rows.of(callDk, whole) : rows.of(gradients.k(), call.kv()),
                    shared ? rows.of(callDv, whole) : rows.of(gradients.v(), call.kv())));
      }
      if (shared) {
        dk.add(call.kv(), callDk);
        dv.add(call.kv(), callDv);
      }
    }
  }

  private boolean isDense() {
    return calls.size() == 1
        && calls.getFirst().segments() == 1
        && calls.getFirst().q().equals(all)
        && calls.getFirst().kv().equals(all)
        && !(calls.getFirst().mask() instanceof CallMask.Prefix);
  }

  private interface Rows {
    Tensor of(Tensor tensor, RowRange rows);
  }

  /** How a call takes rows of one batch element: a general mask is no matter of a variable-length call. */
  private static Rows rows(AttentionCall call, int batch) {
    return call.mask() instanceof CallMask.General
        ? (tensor, rows) -> Recording.rows(tensor.slice(0, batch, batch + 1), rows)
        : (tensor, rows) -> Recording.packedRows(tensor, batch, rows);
  }

  private CallRecorder.Statistics statistics(AttentionCall call, int batch) {
    return call.mask() instanceof CallMask.General
        ? stats.segment(batch, call.q())
        : stats.packed(batch, call.q());
  }

  /** Zeroes what no range has, padding among it. */
  private void zeroOutside(List<RowRange> ranges, Tensor tensor) {
    for (RowRange gap : gaps(ranges, all.end())) {
      for (int b = 0; b < recording.batch(); b++) {
        recording.zero(Recording.packedRows(tensor, b, gap));
      }
    }
  }

  /** The rows from 0 to an end that none of some ascending ranges has. */
  static List<RowRange> gaps(List<RowRange> ranges, long end) {
    List<RowRange> gaps = new ArrayList<>();
    long begin = 0;
    for (RowRange range : ranges) {
      if (begin < range.begin()) {
        gaps.add(new RowRange(begin, range.begin()));
      }
      begin = Math.max(begin, range.end());
    }
    if (begin < end) {
      gaps.add(new RowRange(begin, end));
    }
    return gaps;
  }

  private Tensor partial(String name, Tensor like, RowRange rows) {
    return recording.scratch(
        name, recording.dataType(), like.size(0), rows.length(), like.size(2), like.size(3));
  }
}
