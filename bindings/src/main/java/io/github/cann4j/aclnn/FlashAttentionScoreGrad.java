// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/**
 * The gradient of flash attention of equally long sequences ({@code aclnnFlashAttentionScoreGrad},
 * {@code aclnnFlashAttentionScoreGradV2}). With the final maxima, sums and output of a row that was
 * attended to block by block, the call gives the exact part of the gradients that one block
 * contributes.
 *
 * <p>Immutable; may be run any number of times, from platform threads. All tensors are on one
 * device, views may be strided, outputs overlap nothing.
 */
public final class FlashAttentionScoreGrad {
  private final AttentionInputs in;
  private final Operator.Call call;
  private final FlashAttentionGradBuilder.Gradients gradients;

  private FlashAttentionScoreGrad(Builder from) {
    AttentionChecks.dense(from.inputLayout, "FlashAttentionUnpaddingScoreGrad");
    in = new AttentionInputs(from, from.inputLayout, null);
    gradients = from.gradients(in);
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
              "aclnnFlashAttentionScoreGrad",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionScoreGradGetWorkspaceSize(
                      in.query(),
                      in.key(),
                      in.value(),
                      gradients.dy().handle(),
                      in.realShift(),
                      in.dropMask(),
                      MemorySegment.NULL,
                      in.attenMask(),
                      in.softmaxMax(),
                      in.softmaxSum(),
                      MemorySegment.NULL,
                      gradients.attentionIn().handle(),
                      in.arrays().prefix(),
                      in.scaleValue(),
                      in.keepProb(),
                      in.preTokens(),
                      in.nextTokens(),
                      in.headNum(),
                      in.layout(),
                      in.innerPrecise(),
                      in.sparseMode(),
                      gradients.dq().handle(),
                      gradients.dk().handle(),
                      gradients.dv().handle(),
                      in.unwritten(),
                      size,
                      executor),
              cann_h.aclnnFlashAttentionScoreGrad$address());
      case V2 ->
          new Operator.Call(
              "aclnnFlashAttentionScoreGradV2",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionScoreGradV2GetWorkspaceSize(
                      in.query(),
                      in.key(),
                      in.value(),
                      gradients.dy().handle(),
                      in.realShift(),
                      in.dropMask(),
                      MemorySegment.NULL,
                      in.attenMask(),
                      in.softmaxMax(),
                      in.softmaxSum(),
                      MemorySegment.NULL,
                      gradients.attentionIn().handle(),
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
                      gradients.dq().handle(),
                      gradients.dk().handle(),
                      gradients.dv().handle(),
                      in.unwritten(),
                      size,
                      executor),
              cann_h.aclnnFlashAttentionScoreGradV2$address());
      default -> throw new AssertionError(in.version());
    };
  }

  /** Collects the parts of a {@link FlashAttentionScoreGrad}. */
  public static final class Builder extends FlashAttentionGradBuilder<Builder> {
    private Layout inputLayout;

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
     * Checks and makes the operator.
     *
     * @return the operator
     * @throws IllegalArgumentException if parts do not fit, with their values
     * @throws UnsupportedOperationException for a combination that CANN or this toolkit does not
     *     have, naming the nearest
     */
    public FlashAttentionScoreGrad build() {
      return new FlashAttentionScoreGrad(this);
    }
  }
}
