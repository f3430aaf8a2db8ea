// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * What the builders of the two gradients have in common.
 *
 * @param <B> the builder's own type
 */
public abstract sealed class FlashAttentionGradBuilder<B extends FlashAttentionGradBuilder<B>>
    extends FlashAttentionBuilder<B>
    permits FlashAttentionScoreGrad.Builder, FlashAttentionUnpaddingScoreGrad.Builder {
  /** The tensors that only a gradient has. */
  record Gradients(Tensor dy, Tensor attentionIn, Tensor dq, Tensor dk, Tensor dv) {}

  private Tensor dy;
  private Tensor attentionIn;
  private Tensor dq;
  private Tensor dk;
  private Tensor dv;

  FlashAttentionGradBuilder() {}

  /**
   * Sets the gradient of the output.
   *
   * @param tensor shape and type of the output
   * @return this builder
   */
  public B dy(Tensor tensor) {
    dy = tensor;
    return self();
  }

  /**
   * Sets the output of the forward call.
   *
   * @param tensor shape and type of the output
   * @return this builder
   */
  public B attentionIn(Tensor tensor) {
    attentionIn = tensor;
    return self();
  }

  /**
   * Sets where to put the gradient of the queries.
   *
   * @param tensor the queries' shape and type
   * @return this builder
   */
  public B dq(Tensor tensor) {
    dq = tensor;
    return self();
  }

  /**
   * Sets where to put the gradient of the keys.
   *
   * @param tensor the keys' shape and type
   * @return this builder
   */
  public B dk(Tensor tensor) {
    dk = tensor;
    return self();
  }

  /**
   * Sets where to put the gradient of the values.
   *
   * @param tensor the values' shape and type
   * @return this builder
   */
  public B dv(Tensor tensor) {
    dv = tensor;
    return self();
  }

  /** Checks what only a gradient has; {@code more} are outputs of the caller. */
  Gradients gradients(AttentionInputs in, Operand... more) {
    Tensor like = in.queryTensor();
    long[] out = in.sizes().outputShape(in.inputLayout());
    AttentionChecks.like(like, dy, "dy", out);
    AttentionChecks.like(like, attentionIn, "attentionIn", out);
    AttentionChecks.like(like, dq, "dq", like.shape());
    AttentionChecks.like(like, dk, "dk", in.keyTensor().shape());
    AttentionChecks.like(like, dv, "dv", in.valueTensor().shape());
    List<Operand> outputs = new ArrayList<>(List.of(more));
    outputs.add(new Operand("dq", dq));
    outputs.add(new Operand("dk", dk));
    outputs.add(new Operand("dv", dv));
    List<Operand> inputs = new ArrayList<>(in.operands());
    inputs.addAll(in.statistics());
    inputs.add(new Operand("dy", dy));
    inputs.add(new Operand("attentionIn", attentionIn));
    Operand.requireSameDevice(like, inputs);
    Operand.requireSameDevice(like, outputs);
    Operand.requireDistinct(outputs, inputs);
    return new Gradients(dy, attentionIn, dq, dk, dv);
  }
}
