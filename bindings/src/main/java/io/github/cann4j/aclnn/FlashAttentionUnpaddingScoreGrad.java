// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/**
 * The gradient of flash attention over packed sequences, TND ({@code
 * aclnnFlashAttentionUnpaddingScoreGrad} to {@code aclnnFlashAttentionUnpaddingScoreGradV4}). With
 * the final maxima, sums and output of a row that was attended to block by block, the call gives
 * the exact part of the gradients that one block contributes.
 *
 * <p>Immutable; may be run any number of times, from platform threads. All tensors are on one
 * device, views may be strided, outputs overlap nothing.
 */
public final class FlashAttentionUnpaddingScoreGrad {
  private final AttentionInputs in;
  private final Operator.Call call;
  private final FlashAttentionGradBuilder.Gradients gradients;
  private final Tensor dqRope;
  private final Tensor dkRope;

  private FlashAttentionUnpaddingScoreGrad(Builder from) {
    in =
        new AttentionInputs(
            from,
            Layout.TND,
            new PackedInputs(
                from.queryRope,
                from.keyRope,
                from.actualSeqQLen.clone(),
                from.actualSeqKvLen.clone(),
                from.softmaxLayout));
    in.requireFunction("aclnnFlashAttentionUnpaddingScoreGrad");
    dqRope = from.dqRope;
    dkRope = from.dkRope;
    if (in.hasRope()) {
      AttentionChecks.like(in.queryTensor(), dqRope, "dqRope", from.queryRope.shape());
      AttentionChecks.like(in.queryTensor(), dkRope, "dkRope", from.keyRope.shape());
      gradients = from.gradients(in, new Operand("dqRope", dqRope), new Operand("dkRope", dkRope));
    } else {
      gradients = from.gradients(in);
    }
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
              "aclnnFlashAttentionUnpaddingScoreGrad",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionUnpaddingScoreGradGetWorkspaceSize(
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
                      in.arrays().actualSeqQLen(),
                      in.arrays().actualSeqKvLen(),
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
              cann_h.aclnnFlashAttentionUnpaddingScoreGrad$address());
      case V2 ->
          new Operator.Call(
              "aclnnFlashAttentionUnpaddingScoreGradV2",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionUnpaddingScoreGradV2GetWorkspaceSize(
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
                      in.arrays().actualSeqQLen(),
                      in.arrays().actualSeqKvLen(),
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
              cann_h.aclnnFlashAttentionUnpaddingScoreGradV2$address());
      case V3 ->
          new Operator.Call(
              "aclnnFlashAttentionUnpaddingScoreGradV3",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionUnpaddingScoreGradV3GetWorkspaceSize(
                      in.query(),
                      in.queryRope(),
                      in.key(),
                      in.keyRope(),
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
                      in.arrays().actualSeqQLen(),
                      in.arrays().actualSeqKvLen(),
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
                      dqRope.handle(),
                      gradients.dk().handle(),
                      dkRope.handle(),
                      gradients.dv().handle(),
                      in.unwritten(),
                      size,
                      executor),
              cann_h.aclnnFlashAttentionUnpaddingScoreGradV3$address());
      case V4 ->
          new Operator.Call(
              "aclnnFlashAttentionUnpaddingScoreGradV4",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionUnpaddingScoreGradV4GetWorkspaceSize(
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
                      in.arrays().actualSeqQLen(),
                      in.arrays().actualSeqKvLen(),
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
                      in.softmaxLayout(),
                      size,
                      executor),
              cann_h.aclnnFlashAttentionUnpaddingScoreGradV4$address());
    };
  }

  /** Collects the parts of a {@link FlashAttentionUnpaddingScoreGrad}. */
  public static final class Builder extends FlashAttentionGradBuilder<Builder> {
    private long[] actualSeqQLen = {};
    private long[] actualSeqKvLen = {};
    private Tensor queryRope;
    private Tensor keyRope;
    private SoftmaxLayout softmaxLayout = SoftmaxLayout.BY_SEQUENCE;
    private Tensor dqRope;
    private Tensor dkRope;

    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /**
     * Sets the cumulative ends of the query sequences, without a leading 0.
     *
     * @param ends not decreasing; the last at most the number of tokens
     * @return this builder
     */
    public Builder actualSeqQLen(long... ends) {
      actualSeqQLen = ends.clone();
      return this;
    }

    /**
     * Sets the cumulative ends of the key sequences, one per query sequence.
     *
     * @param ends not decreasing; the last at most the number of tokens
     * @return this builder
     */
    public Builder actualSeqKvLen(long... ends) {
      actualSeqKvLen = ends.clone();
      return this;
    }

    /**
     * Sets the rotary part of the queries, with {@link #keyRope}: scores are scaleValue · (query ·
     * key + queryRope · keyRope).
     *
     * @param tensor BF16, [T, N, D] with D a multiple of 8, not above that of the queries
     * @return this builder
     */
    public Builder queryRope(Tensor tensor) {
      queryRope = tensor;
      return this;
    }

    /**
     * Sets the rotary part of the keys.
     *
     * @param tensor BF16, with the keys' heads and the head size of {@link #queryRope}
     * @return this builder
     */
    public Builder keyRope(Tensor tensor) {
      keyRope = tensor;
      return this;
    }

    /**
     * Sets the order of the statistics in memory.
     *
     * @param layout {@link SoftmaxLayout#BY_SEQUENCE} by default
     * @return this builder
     */
    public Builder softmaxLayout(SoftmaxLayout layout) {
      softmaxLayout = layout;
      return this;
    }

    /**
     * Sets where to put the gradient of {@link #queryRope}.
     *
     * @param tensor its shape and type
     * @return this builder
     */
    public Builder dqRope(Tensor tensor) {
      dqRope = tensor;
      return this;
    }

    /**
     * Sets where to put the gradient of {@link #keyRope}.
     *
     * @param tensor its shape and type
     * @return this builder
     */
    public Builder dkRope(Tensor tensor) {
      dkRope = tensor;
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
    public FlashAttentionUnpaddingScoreGrad build() {
      return new FlashAttentionUnpaddingScoreGrad(this);
    }
  }
}
