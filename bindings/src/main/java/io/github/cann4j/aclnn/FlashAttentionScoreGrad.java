// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;

/**
 * The gradient of flash attention over dense batches (BSH, SBH, BSND, BNSD), {@code
 * aclnnFlashAttentionScoreGrad}. With the final maxima, sums and output of a row that was attended
 * to block by block, the call gives the exact part of the gradients that one block contributes.
 *
 * <p>Immutable; a record may be run any number of times, from platform threads. All tensors are on
 * one device, views may be strided, outputs overlap nothing.
 *
 * @param query queries; FLOAT, FLOAT16 or BF16
 * @param key keys; their heads divide the query heads
 * @param value values; head size at most that of the keys
 * @param dy gradient of the output
 * @param attenMask mask, 1 = masked out; null for none
 * @param softmaxMax row maxima of the forward call; FLOAT, [B, N, Sq, 8], eight equal values per
 *     row
 * @param softmaxSum row sums of the forward call, as the maxima
 * @param attentionIn output of the forward call
 * @param scaleValue factor of the scores
 * @param keepProb 1
 * @param preTokens how far a query sees back, in modes with a window
 * @param nextTokens how far a query sees forward, in modes with a window
 * @param headNum query heads; 0 takes them from the query
 * @param inputLayout BSH, SBH, BSND or BNSD
 * @param innerPrecise 0, 1, or 2 for output 0 in rows that are masked out wholly
 * @param sparseMode how the mask is read
 * @param dq output: gradient of the queries, their shape and type
 * @param dk output: gradient of the keys, their shape and type
 * @param dv output: gradient of the values, their shape and type
 */
public record FlashAttentionScoreGrad(
    Tensor query,
    Tensor key,
    Tensor value,
    Tensor dy,
    Tensor attenMask,
    Tensor softmaxMax,
    Tensor softmaxSum,
    Tensor attentionIn,
    double scaleValue,
    double keepProb,
    long preTokens,
    long nextTokens,
    long headNum,
    Layout inputLayout,
    long innerPrecise,
    SparseMode sparseMode,
    Tensor dq,
    Tensor dk,
    Tensor dv) {
  private static final String[] REQUIRED = {
    "query", "key", "value", "dy", "softmaxMax", "softmaxSum", "attentionIn", "dq", "dk", "dv"
  };
  private static final String[] INPUTS = {
    "query", "key", "value", "attenMask", "dy", "softmaxMax", "softmaxSum", "attentionIn"
  };
  private static final String[] OUTPUTS = {"dq", "dk", "dv"};

  /** Checks everything; throws as {@link FlashAttentionBuilder} says. */
  public FlashAttentionScoreGrad {
    AttentionChecks.present(
        REQUIRED, query, key, value, dy, softmaxMax, softmaxSum, attentionIn, dq, dk, dv);
    Objects.requireNonNull(inputLayout, "inputLayout");
    if (inputLayout == Layout.TND) {
      throw new UnsupportedOperationException(
          "layout TND needs sequence ends; use FlashAttentionUnpaddingScoreGrad");
    }
    AttentionChecks.sameDevice(
        query, INPUTS, query, key, value, attenMask, dy, softmaxMax, softmaxSum, attentionIn);
    AttentionChecks.sameDevice(query, OUTPUTS, dq, dk, dv);
    AttentionSizes sizes = AttentionSizes.of(inputLayout, query, key, value, headNum);
    headNum = sizes.queryHeads();
    AttentionChecks.attributes(scaleValue, keepProb, preTokens, nextTokens, innerPrecise);
    AttentionChecks.mask(
        attenMask, sparseMode, inputLayout, sizes, sizes.querySteps(), sizes.kvSteps());
    AttentionChecks.statistics(softmaxMax, softmaxSum, sizes.statisticsShape(inputLayout));
    AttentionSizes.requireSameType(query, dy, "dy");
    AttentionSizes.requireShape(dy, "dy", sizes.outputShape(inputLayout));
    AttentionSizes.requireSameType(query, attentionIn, "attentionIn");
    AttentionSizes.requireShape(attentionIn, "attentionIn", sizes.outputShape(inputLayout));
    AttentionSizes.requireSameType(query, dq, "dq");
    AttentionSizes.requireShape(dq, "dq", query.shape());
    AttentionSizes.requireSameType(query, dk, "dk");
    AttentionSizes.requireShape(dk, "dk", key.shape());
    AttentionSizes.requireSameType(query, dv, "dv");
    AttentionSizes.requireShape(dv, "dv", value.shape());
    AttentionChecks.outputs(
        OUTPUTS,
        new Tensor[] {dq, dk, dv},
        INPUTS,
        query,
        key,
        value,
        attenMask,
        dy,
        softmaxMax,
        softmaxSum,
        attentionIn);
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
    AttentionChecks.streamDevice(stream, query);
    MemorySegment mask = attenMask == null ? MemorySegment.NULL : attenMask.handle();
    Operator.run(
        "aclnnFlashAttentionScoreGrad",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnFlashAttentionScoreGradGetWorkspaceSize(
                query.handle(),
                key.handle(),
                value.handle(),
                dy.handle(),
                MemorySegment.NULL,
                MemorySegment.NULL,
                MemorySegment.NULL,
                mask,
                softmaxMax.handle(),
                softmaxSum.handle(),
                MemorySegment.NULL,
                attentionIn.handle(),
                MemorySegment.NULL,
                scaleValue,
                keepProb,
                preTokens,
                nextTokens,
                headNum,
                inputLayout.text(),
                innerPrecise,
                sparseMode.code(),
                dq.handle(),
                dk.handle(),
                dv.handle(),
                EmptyTensor.of(query.dataType()),
                size,
                executor),
        cann_h::aclnnFlashAttentionScoreGrad);
    // The views own the handles that the operator was given.
    Reference.reachabilityFence(this);
  }

  /** Collects the parts of a {@link FlashAttentionScoreGrad}. */
  public static final class Builder extends FlashAttentionBuilder<Builder> {
    private Layout inputLayout;
    private Tensor dy;
    private Tensor attentionIn;
    private Tensor dq;
    private Tensor dk;
    private Tensor dv;

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
     * Sets the gradient of the output.
     *
     * @param tensor shape and type of the output
     * @return this builder
     */
    public Builder dy(Tensor tensor) {
      dy = tensor;
      return this;
    }

    /**
     * Sets the output of the forward call.
     *
     * @param tensor shape and type of the output
     * @return this builder
     */
    public Builder attentionIn(Tensor tensor) {
      attentionIn = tensor;
      return this;
    }

    /**
     * Sets where to put the gradient of the queries, their shape and type.
     *
     * @param tensor shape and type of its counterpart
     * @return this builder
     */
    public Builder dq(Tensor tensor) {
      dq = tensor;
      return this;
    }

    /**
     * Sets where to put the gradient of the keys, their shape and type.
     *
     * @param tensor shape and type of its counterpart
     * @return this builder
     */
    public Builder dk(Tensor tensor) {
      dk = tensor;
      return this;
    }

    /**
     * Sets where to put the gradient of the values, their shape and type.
     *
     * @param tensor shape and type of its counterpart
     * @return this builder
     */
    public Builder dv(Tensor tensor) {
      dv = tensor;
      return this;
    }

    /**
     * Checks and makes the record.
     *
     * @return the record
     * @throws IllegalArgumentException if parts do not fit, with their values
     * @throws UnsupportedOperationException for a combination that CANN or these bindings do not
     *     have, naming the nearest
     */
    public FlashAttentionScoreGrad build() {
      return new FlashAttentionScoreGrad(
          query,
          key,
          value,
          dy,
          attenMask,
          softmaxMax,
          softmaxSum,
          attentionIn,
          scaleValue,
          keepProb,
          preTokens,
          nextTokens,
          headNum,
          inputLayout,
          innerPrecise,
          sparseMode,
          dq,
          dk,
          dv);
    }
  }
}
