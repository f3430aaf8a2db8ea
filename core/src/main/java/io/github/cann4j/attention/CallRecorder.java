// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionBuilder;
import io.github.cann4j.aclnn.FlashAttentionScore;
import io.github.cann4j.aclnn.FlashAttentionScoreGrad;
import io.github.cann4j.aclnn.FlashAttentionUnpaddingScoreGrad;
import io.github.cann4j.aclnn.FlashAttentionVarLenScore;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.plan.AttentionCall;

/**
 * Records one kernel call of a plan. Tensors of three dimensions ({@code [rows, heads, dim]}, statistics {@code [rows,
 * heads, 8]}) make it a variable-length call; those of four ({@code [batch, rows, heads, dim]}, statistics {@code [batch,
 * heads, rows, 8]}) a dense one, which has one segment.
 */
final class CallRecorder {
  private final Recording recording;
  private final AttentionCall call;

  CallRecorder(Recording recording, AttentionCall call) {
    this.recording = recording;
    this.call = call;
  }

  /** Where softmax statistics are. */
  record Statistics(Tensor max, Tensor sum) {}

  void forward(Tensor q, Tensor k, Tensor v, Statistics statistics, Tensor out) {
    double scale = recording.config().scale();
    if (q.shape().length == 3) {
      var score =
          masked(FlashAttentionVarLenScore.builder())
              .query(q)
              .key(k)
              .value(v)
              .actualSeqQLen(call.actualSeqQLen())
              .actualSeqKvLen(call.actualSeqKvLen())
              .scaleValue(scale)
              .softmaxMax(statistics.max())
              .softmaxSum(statistics.sum())
              .attentionOut(out)
              .build();
      recording.program().add(() -> score.run(recording.compute(), recording.workspace()));
    } else {
      var score =
          masked(FlashAttentionScore.builder())
              .query(q)
              .key(k)
              .value(v)
              .scaleValue(scale)
              .inputLayout(Layout.BSND)
              .softmaxMax(statistics.max())
              .softmaxSum(statistics.sum())
              .attentionOut(out)
              .build();
      recording.program().add(() -> score.run(recording.compute(), recording.workspace()));
    }
  }

  /**
   * Records the gradients.
   *
   * @param inputs q, k, v and the final output of these queries
   * @param statistics the final ones of these queries
   * @param gradients dOut, given, and where dq, dk and dv go
   */
  void backward(LocalTensors inputs, Statistics statistics, LocalTensors.Gradients gradients) {
    double scale = recording.config().scale();
    if (inputs.q().shape().length == 3) {
      var grad =
          masked(FlashAttentionUnpaddingScoreGrad.builder())
              .query(inputs.q())
              .key(inputs.k())
              .value(inputs.v())
              .dy(gradients.out())
              .softmaxMax(statistics.max())
              .softmaxSum(statistics.sum())
              .attentionIn(inputs.out())
              .actualSeqQLen(call.actualSeqQLen())
              .actualSeqKvLen(call.actualSeqKvLen())
              .scaleValue(scale)
              .dq(gradients.q())
              .dk(gradients.k())
              .dv(gradients.v())
              .build();
      recording.program().add(() -> grad.run(recording.compute(), recording.workspace()));
    } else {
      var grad =
          masked(FlashAttentionScoreGrad.builder())
              .query(inputs.q())
              .key(inputs.k())
              .value(inputs.v())
              .dy(gradients.out())
              .softmaxMax(statistics.max())
              .softmaxSum(statistics.sum())
              .attentionIn(inputs.out())
              .scaleValue(scale)
              .inputLayout(Layout.BSND)
              .dq(gradients.q())
              .dk(gradients.k())
              .dv(gradients.v())
              .build();
      recording.program().add(() -> grad.run(recording.compute(), recording.workspace()));
    }
  }

  private <B extends FlashAttentionBuilder<B>> B masked(B builder) {
    return recording.masks().apply(builder, call.mask(), call.q().length());
  }
}
