// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.CallMask;
import io.github.cann4j.plan.RowRange;
import java.util.Comparator;
import java.util.List;

/**
 * Calls that begin the output of their queries, on keys that lie in memory as the calls count them: a rank's own, or
 * gathered ones.
 */
final class FirstCalls {
  private final Recording recording;
  private final LocalTensors tensors;
  private final SoftmaxStats stats;
  private final List<AttentionCall> calls;

  /**
   * Prepares the recording.
   *
   * @param recording of the program
   * @param tensors q and out of the rank, k and v that the calls read
   * @param stats of its queries
   * @param calls on disjoint queries
   */
  FirstCalls(
      Recording recording, LocalTensors tensors, SoftmaxStats stats, List<AttentionCall> calls) {
    this.recording = recording;
    this.tensors = tensors;
    this.stats = stats;
    this.calls = calls;
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

  /** Key rows of the calls, in the order of their beginnings. */
  List<RowRange> keyRows() {
    return calls.stream()
        .map(AttentionCall::kv)
        .sorted(Comparator.comparingLong(RowRange::begin))
        .toList();
  }

  void forward() {
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
   * Computes the gradients of these calls. Where calls share keys, dk and dv are left in the accumulators, which they
   * begin; else they are in the tensors.
   */
  void backward(LocalTensors.Gradients gradients, RowAccumulator dk, RowAccumulator dv) {
    if (isDense()) {
      new CallRecorder(recording, calls.getFirst()).backward(tensors, stats.dense(), gradients);
      return;
    }
    boolean shared = sharesKeys();
    if (shared) {
      dk.zero();
      dv.zero();
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
        && calls.getFirst().q().equals(new RowRange(0, tensors.q().size(1)))
        && calls.getFirst().kv().equals(new RowRange(0, tensors.k().size(1)))
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

  private Tensor partial(String name, Tensor like, RowRange rows) {
    return recording.scratch(
        name, recording.dataType(), like.size(0), rows.length(), like.size(2), like.size(3));
  }
}
