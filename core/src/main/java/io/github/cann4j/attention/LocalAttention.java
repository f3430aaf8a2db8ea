// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionScore;
import io.github.cann4j.aclnn.FlashAttentionScoreGrad;
import io.github.cann4j.aclnn.FlashAttentionUnpaddingScoreGrad;
import io.github.cann4j.aclnn.FlashAttentionVarLenScore;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.aclnn.SparseMode;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.AttentionStep;
import io.github.cann4j.plan.RowRange;
import java.util.List;

/** Step 0: a rank's queries against its own keys, causal within each document. */
final class LocalAttention {
  private final Recording recording;
  private final LocalTensors tensors;
  private final SoftmaxStats stats;
  private final List<AttentionCall> calls;
  private final RowRange all;
  private final RowRange valid;

  LocalAttention(
      Recording recording, LocalTensors tensors, SoftmaxStats stats, AttentionStep step) {
    this.recording = recording;
    this.tensors = tensors;
    this.stats = stats;
    this.calls = step.calls();
    all = new RowRange(0, tensors.q().size(1));
    valid = calls.isEmpty() ? RowRange.EMPTY : new RowRange(0, calls.getLast().q().end());
  }

  /** Rows before the padding. */
  RowRange valid() {
    return valid;
  }

  /** Whether two calls read the same key rows, so that their gradients have to be added. */
  boolean sharesKeys() {
    for (int i = 1; i < calls.size(); i++) {
      if (!calls.get(i - 1).kv().intersect(calls.get(i).kv()).isEmpty()) {
        return true;
      }
    }
    return false;
  }

  void forward() {
    zeroPadding(tensors.out());
    if (isDense()) {
      var score =
          FlashAttentionScore.builder()
              .query(tensors.q())
              .key(tensors.k())
              .value(tensors.v())
              .attenMask(recording.causalMask())
              .scaleValue(recording.config().scale())
              .inputLayout(Layout.BSND)
              .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
              .softmaxMax(stats.denseMax())
              .softmaxSum(stats.denseSum())
              .attentionOut(tensors.out())
              .build();
      recording.program().add(() -> score.run(recording.compute(), recording.workspace()));
      return;
    }
    for (int b = 0; b < recording.batch(); b++) {
      for (AttentionCall call : calls) {
        var score =
            FlashAttentionVarLenScore.builder()
                .query(Recording.packedRows(tensors.q(), b, call.q()))
                .key(Recording.packedRows(tensors.k(), b, call.kv()))
                .value(Recording.packedRows(tensors.v(), b, call.kv()))
                .attenMask(recording.causalMask())
                .actualSeqQLen(call.qEnds())
                .actualSeqKvLen(call.kvEnds())
                .scaleValue(recording.config().scale())
                .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
                .softmaxMax(stats.packedMax(b, call.q()))
                .softmaxSum(stats.packedSum(b, call.q()))
                .attentionOut(Recording.packedRows(tensors.out(), b, call.q()))
                .build();
        recording.program().add(() -> score.run(recording.compute(), recording.workspace()));
      }
    }
  }

  /**
   * Computes the gradients of this step. Where calls share keys, dk and dv are left in the accumulators, which then
   * span all valid rows.
   */
  void backward(LocalTensors.Gradients gradients, RowAccumulator dk, RowAccumulator dv) {
    zeroPadding(gradients.q());
    zeroPadding(gradients.k());
    zeroPadding(gradients.v());
    if (isDense()) {
      var grad =
          FlashAttentionScoreGrad.builder()
              .query(tensors.q())
              .key(tensors.k())
              .value(tensors.v())
              .dy(gradients.out())
              .attenMask(recording.causalMask())
              .softmaxMax(stats.denseMax())
              .softmaxSum(stats.denseSum())
              .attentionIn(tensors.out())
              .scaleValue(recording.config().scale())
              .inputLayout(Layout.BSND)
              .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
              .dq(gradients.q())
              .dk(gradients.k())
              .dv(gradients.v())
              .build();
      recording.program().add(() -> grad.run(recording.compute(), recording.workspace()));
      return;
    }
    boolean shared = sharesKeys();
    if (shared) {
      recording.zero(dk.rows(valid));
      recording.zero(dv.rows(valid));
    }
    for (AttentionCall call : calls) {
      Tensor callDk = shared ? partial("local-dk", gradients.k(), call.kv()) : null;
      Tensor callDv = shared ? partial("local-dv", gradients.v(), call.kv()) : null;
      for (int b = 0; b < recording.batch(); b++) {
        RowRange partialRows = new RowRange(0, call.kv().length());
        packedBackward(
            b,
            call,
            gradients,
            shared
                ? Recording.packedRows(callDk, b, partialRows)
                : Recording.packedRows(gradients.k(), b, call.kv()),
            shared
                ? Recording.packedRows(callDv, b, partialRows)
                : Recording.packedRows(gradients.v(), b, call.kv()));
      }
      if (shared) {
        dk.add(call.kv(), callDk);
        dv.add(call.kv(), callDv);
      }
    }
  }

  private void packedBackward(
      int b, AttentionCall call, LocalTensors.Gradients gradients, Tensor dk, Tensor dv) {
    var grad =
        FlashAttentionUnpaddingScoreGrad.builder()
            .query(Recording.packedRows(tensors.q(), b, call.q()))
            .key(Recording.packedRows(tensors.k(), b, call.kv()))
            .value(Recording.packedRows(tensors.v(), b, call.kv()))
            .dy(Recording.packedRows(gradients.out(), b, call.q()))
            .attenMask(recording.causalMask())
            .softmaxMax(stats.packedMax(b, call.q()))
            .softmaxSum(stats.packedSum(b, call.q()))
            .attentionIn(Recording.packedRows(tensors.out(), b, call.q()))
            .actualSeqQLen(call.qEnds())
            .actualSeqKvLen(call.kvEnds())
            .scaleValue(recording.config().scale())
            .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
            .dq(Recording.packedRows(gradients.q(), b, call.q()))
            .dk(dk)
            .dv(dv)
            .build();
    recording.program().add(() -> grad.run(recording.compute(), recording.workspace()));
  }

  private boolean isDense() {
    return calls.size() == 1 && calls.getFirst().segments() == 1 && valid.equals(all);
  }

  private void zeroPadding(Tensor tensor) {
    RowRange padding = new RowRange(valid.end(), all.end());
    if (!padding.isEmpty()) {
      for (int b = 0; b < recording.batch(); b++) {
        recording.zero(Recording.packedRows(tensor, b, padding));
      }
    }
  }

  private Tensor partial(String name, Tensor like, RowRange rows) {
    return recording.scratch(
        name, recording.dataType(), like.size(0), rows.length(), like.size(2), like.size(3));
  }
}
