// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;

/**
 * Flash attention of equally long sequences ({@code aclnnFlashAttentionScore}, {@code
 * aclnnFlashAttentionScoreV2}). Query head n uses key head n / (query heads / key heads).
 * Statistics are FLOAT [B, N, Sq, 8].
 *
 * <p>Immutable; may be run any number of times, from platform threads. All tensors are on one
 * device, views may be strided, outputs overlap nothing.
 */
public final class FlashAttentionScore {
  private final AttentionInputs in;
  private final Operator.Call call;
  private final Tensor attentionOut;

  private FlashAttentionScore(Builder from) {
    AttentionChecks.dense(from.inputLayout, "FlashAttentionVarLenScore");
    in = new AttentionInputs(from, from.inputLayout, null);
    attentionOut = from.attentionOut;
    AttentionChecks.like(
        in.queryTensor(), attentionOut, "attentionOut", in.sizes().outputShape(in.inputLayout()));
    List<Operand> outputs = new ArrayList<>(in.statistics());
    outputs.add(new Operand("attentionOut", attentionOut));
    Operand.requireSameDevice(in.queryTensor(), outputs);
    Operand.requireDistinct(outputs, in.operands());
    call = describe();
  }

  /**
   * Starts a description.
   *
   * @return an empty builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Submits the operator.
   *
   * @param stream a stream of the tensors' device
   * @param workspace the stream's workspace
   * @throws AclnnException if the toolkit refuses the call
   */
  public void run(Stream stream, Workspace workspace) {
    AttentionChecks.streamDevice(stream, in.queryTensor());
    Operator.run(call, stream, workspace);
    // The views own the handles that the operator was given.
    Reference.reachabilityFence(this);
  }

  private Operator.Call describe() {
    return switch (in.version()) {
      case V1 ->
          new Operator.Call(
              "aclnnFlashAttentionScore",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionScoreGetWorkspaceSize(
                      in.query(),
                      in.key(),
                      in.value(),
                      in.realShift(),
                      in.dropMask(),
                      MemorySegment.NULL,
                      in.attenMask(),
                      in.arrays().prefix(),
                      in.scaleValue(),
                      in.keepProb(),
                      in.preTokens(),
                      in.nextTokens(),
                      in.headNum(),
                      in.layout(),
                      in.innerPrecise(),
                      in.sparseMode(),
                      in.softmaxMax(),
                      in.softmaxSum(),
                      in.unwritten(),
                      attentionOut.handle(),
                      size,
                      executor),
              cann_h.aclnnFlashAttentionScore$address());
      case V2 ->
          new Operator.Call(
              "aclnnFlashAttentionScoreV2",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionScoreV2GetWorkspaceSize(
                      in.query(),
                      in.key(),
                      in.value(),
                      in.realShift(),
                      in.dropMask(),
                      MemorySegment.NULL,
                      in.attenMask(),
                      in.arrays().prefix(),
                      in.arrays().qStartIdx(),
                      in.arrays().kvStartIdx(),
                      in.scaleValue(),
                      in.keepProb(),
                      in.preTokens(),
                      in.nextTokens(),
                      in.headNum(),
                      in.layout(),
                      in.innerPrecise(),
                      in.sparseMode(),
                      in.pseType(),
                      in.softmaxMax(),
                      in.softmaxSum(),
                      in.unwritten(),
                      attentionOut.handle(),
                      size,
                      executor),
              cann_h.aclnnFlashAttentionScoreV2$address());
      default -> throw new AssertionError(in.version());
    };
  }

  /** Collects the parts of a {@link FlashAttentionScore}. */
  public static final class Builder extends FlashAttentionBuilder<Builder> {
    private Layout inputLayout;
    private Tensor attentionOut;

    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /**
     * Sets the order of dimensions.
     *
     * @param layout BSH, SBH, BSND or BNSD
     * @return this builder
     */
    public Builder inputLayout(Layout layout) {
      inputLayout = layout;
      return this;
    }

    /**
     * Sets where to put the output.
     *
     * @param tensor the query's type and shape, with the head size of the values
     * @return this builder
     */
    public Builder attentionOut(Tensor tensor) {
      attentionOut = tensor;
      return this;
    }

    /**
     * Checks and makes the operator.
     *
     * @return the operator
     * @throws IllegalArgumentException if parts do not fit, with their values
     * @throws UnsupportedOperationException for a combination that CANN or this toolkit does not
     *     have, naming the nearest
     */
    public FlashAttentionScore build() {
      return new FlashAttentionScore(this);
    }
  }
}
