// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionBuilder;
import io.github.cann4j.aclnn.FlashAttentionGradBuilder;
import io.github.cann4j.aclnn.FlashAttentionScore;
import io.github.cann4j.aclnn.FlashAttentionScoreGrad;
import io.github.cann4j.aclnn.FlashAttentionUnpaddingScoreGrad;
import io.github.cann4j.aclnn.FlashAttentionVarLenScore;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.RowRange;
import java.util.function.UnaryOperator;

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

  /**
   * Where softmax statistics are.
   *
   * @param max maxima
   * @param sum sums
   */
  record Statistics(Tensor max, Tensor sum) {
    /** One batch element of {@code [batch, heads, rows, 8]} as a variable-length kernel declares it. */
    Statistics packed(int batch) {
      return map(statistic -> packed(statistic, batch));
    }

    /**
     * One segment of {@code [batch, heads, rows, 8]} as {@code [1, heads, rows, 8]}: both kernels write a segment as one
     * block {@code [heads][rows][8]}.
     */
    Statistics segment(int batch, RowRange rows) {
      return map(
          statistic ->
              packed(statistic, batch)
                  .slice(0, rows.begin(), rows.end())
                  .reshape(1, statistic.size(1), rows.length(), statistic.size(3)));
    }

    /** Some rows of {@code [1, heads, rows, 8]}. */
    Statistics rows(RowRange rows) {
      return map(statistic -> statistic.slice(2, rows.begin(), rows.end()));
    }

    private Statistics map(UnaryOperator<Tensor> view) {
      return new Statistics(view.apply(max), view.apply(sum));
    }

    private static Tensor packed(Tensor statistic, int batch) {
      return statistic
          .slice(0, batch, batch + 1)
          .reshape(statistic.size(2), statistic.size(1), statistic.size(3));
    }
  }

  void forward(Tensor q, Tensor k, Tensor v, Statistics statistics, Tensor out) {
    if (isPacked(q)) {
      var score =
          begun(FlashAttentionVarLenScore.builder(), q, k, v, statistics)
              .actualSeqQLen(call.actualSeqQLen())
              .actualSeqKvLen(call.actualSeqKvLen())
              .attentionOut(out)
              .build();
      recording.program().add(() -> score.run(recording.compute(), recording.workspace()));
    } else {
      var score =
          begun(FlashAttentionScore.builder(), q, k, v, statistics)
              .inputLayout(Layout.BSND)
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
    if (isPacked(inputs.q())) {
      var grad =
          begun(FlashAttentionUnpaddingScoreGrad.builder(), inputs, statistics, gradients)
              .actualSeqQLen(call.actualSeqQLen())
              .actualSeqKvLen(call.actualSeqKvLen())
              .build();
      recording.program().add(() -> grad.run(recording.compute(), recording.workspace()));
    } else {
      var grad =
          begun(FlashAttentionScoreGrad.builder(), inputs, statistics, gradients)
              .inputLayout(Layout.BSND)
              .build();
      recording.program().add(() -> grad.run(recording.compute(), recording.workspace()));
    }
  }

  private static boolean isPacked(Tensor q) {
    return q.shape().length == 3;
  }

  private <B extends FlashAttentionBuilder<B>> B begun(
      B builder, Tensor q, Tensor k, Tensor v, Statistics statistics) {
    return recording
        .masks()
        .apply(builder, call.mask(), call.q().length())
        .query(q)
        .key(k)
        .value(v)
        .scaleValue(recording.config().scale())
        .softmaxMax(statistics.max())
        .softmaxSum(statistics.sum());
  }

  private <B extends FlashAttentionGradBuilder<B>> B begun(
      B builder, LocalTensors inputs, Statistics statistics, LocalTensors.Gradients gradients) {
    return begun(builder, inputs.q(), inputs.k(), inputs.v(), statistics)
        .dy(gradients.out())
        .attentionIn(inputs.out())
        .dq(gradients.q())
        .dk(gradients.k())
        .dv(gradients.v());
  }
}
