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
 * Flash attention over packed sequences, TND ({@code aclnnFlashAttentionVarLenScore} to {@code
 * aclnnFlashAttentionVarLenScoreV4}). Query head n uses key head n / (query heads / key heads).
 * Each query sees keys of its own sequence only. Rows behind the last sequence stay undefined.
 * Statistics are FLOAT and declared as [T, N, 8].
 *
 * <p>Immutable; may be run any number of times, from platform threads. All tensors are on one
 * device, views may be strided, outputs overlap nothing.
 */
public final class FlashAttentionVarLenScore {
  private final AttentionInputs in;
  private final Operator.Call call;
  private final Tensor attentionOut;

  private FlashAttentionVarLenScore(Builder from) {
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
    in.requireFunction("aclnnFlashAttentionVarLenScore");
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
              "aclnnFlashAttentionVarLenScore",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionVarLenScoreGetWorkspaceSize(
                      in.query(),
                      in.key(),
                      in.value(),
                      in.realShift(),
                      in.dropMask(),
                      MemorySegment.NULL,
                      in.attenMask(),
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
                      in.softmaxMax(),
                      in.softmaxSum(),
                      in.unwritten(),
                      attentionOut.handle(),
                      size,
                      executor),
              cann_h.aclnnFlashAttentionVarLenScore$address());
      case V2 ->
          new Operator.Call(
              "aclnnFlashAttentionVarLenScoreV2",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionVarLenScoreV2GetWorkspaceSize(
                      in.query(),
                      in.key(),
                      in.value(),
                      in.realShift(),
                      in.dropMask(),
                      MemorySegment.NULL,
                      in.attenMask(),
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
                      in.softmaxMax(),
                      in.softmaxSum(),
                      in.unwritten(),
                      attentionOut.handle(),
                      size,
                      executor),
              cann_h.aclnnFlashAttentionVarLenScoreV2$address());
      case V3 ->
          new Operator.Call(
              "aclnnFlashAttentionVarLenScoreV3",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionVarLenScoreV3GetWorkspaceSize(
                      in.query(),
                      in.queryRope(),
                      in.key(),
                      in.keyRope(),
                      in.value(),
                      in.realShift(),
                      in.dropMask(),
                      MemorySegment.NULL,
                      in.attenMask(),
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
                      in.softmaxMax(),
                      in.softmaxSum(),
                      in.unwritten(),
                      attentionOut.handle(),
                      size,
                      executor),
              cann_h.aclnnFlashAttentionVarLenScoreV3$address());
      case V4 ->
          new Operator.Call(
              "aclnnFlashAttentionVarLenScoreV4",
              (size, executor) ->
                  cann_h.aclnnFlashAttentionVarLenScoreV4GetWorkspaceSize(
                      in.query(),
                      in.key(),
                      in.value(),
                      in.realShift(),
                      in.dropMask(),
                      MemorySegment.NULL,
                      in.attenMask(),
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
                      in.softmaxLayout(),
                      in.softmaxMax(),
                      in.softmaxSum(),
                      in.unwritten(),
                      attentionOut.handle(),
                      size,
                      executor),
              cann_h.aclnnFlashAttentionVarLenScoreV4$address());
    };
  }

  /** Collects the parts of a {@link FlashAttentionVarLenScore}. */
  public static final class Builder extends FlashAttentionBuilder<Builder> {
    private long[] actualSeqQLen = {};
    private long[] actualSeqKvLen = {};
    private Tensor queryRope;
    private Tensor keyRope;
    private SoftmaxLayout softmaxLayout = SoftmaxLayout.BY_SEQUENCE;
    private Tensor attentionOut;

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
    public FlashAttentionVarLenScore build() {
      return new FlashAttentionVarLenScore(this);
    }
  }
}
