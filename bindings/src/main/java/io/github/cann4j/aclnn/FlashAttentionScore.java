// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;

/**
 * Flash attention over dense batches (BSH, SBH, BSND, BNSD), {@code aclnnFlashAttentionScore}.
 * Query head n uses key head n / (query heads / key heads).
 *
 * <p>Immutable; a record may be run any number of times, from platform threads. All tensors are on
 * one device, views may be strided, outputs overlap nothing.
 *
 * @param query queries; FLOAT, FLOAT16 or BF16
 * @param key keys; their heads divide the query heads
 * @param value values; head size at most that of the keys
 * @param attenMask mask, 1 = masked out; null for none
 * @param scaleValue factor of the scores
 * @param keepProb 1
 * @param preTokens how far a query sees back, in modes with a window
 * @param nextTokens how far a query sees forward, in modes with a window
 * @param headNum query heads; 0 takes them from the query
 * @param inputLayout BSH, SBH, BSND or BNSD
 * @param innerPrecise 0, 1, or 2 for output 0 in rows that are masked out wholly
 * @param sparseMode how the mask is read
 * @param softmaxMax output: row maxima of the scaled, masked scores; FLOAT, [B, N, Sq, 8], eight
 *     equal values per row
 * @param softmaxSum output: row sums of exp(score − maximum), as the maxima
 * @param attentionOut output, the query's shape with the head size of the values
 */
public record FlashAttentionScore(
    Tensor query,
    Tensor key,
    Tensor value,
    Tensor attenMask,
    double scaleValue,
    double keepProb,
    long preTokens,
    long nextTokens,
    long headNum,
    Layout inputLayout,
    long innerPrecise,
    SparseMode sparseMode,
    Tensor softmaxMax,
    Tensor softmaxSum,
    Tensor attentionOut) {
  private static final String[] REQUIRED = {
    "query", "key", "value", "softmaxMax", "softmaxSum", "attentionOut"
  };
  private static final String[] INPUTS = {"query", "key", "value", "attenMask"};
  private static final String[] OUTPUTS = {"softmaxMax", "softmaxSum", "attentionOut"};

  /** Checks everything; throws as {@link FlashAttentionBuilder} says. */
  public FlashAttentionScore {
    AttentionChecks.present(REQUIRED, query, key, value, softmaxMax, softmaxSum, attentionOut);
    Objects.requireNonNull(inputLayout, "inputLayout");
    if (inputLayout == Layout.TND) {
      throw new UnsupportedOperationException(
          "layout TND needs sequence ends; use FlashAttentionVarLenScore");
    }
    AttentionChecks.sameDevice(query, INPUTS, query, key, value, attenMask);
    AttentionChecks.sameDevice(query, OUTPUTS, softmaxMax, softmaxSum, attentionOut);
    AttentionSizes sizes = AttentionSizes.of(inputLayout, query, key, value, headNum);
    headNum = sizes.queryHeads();
    AttentionChecks.attributes(scaleValue, keepProb, preTokens, nextTokens, innerPrecise);
    AttentionChecks.mask(
        attenMask, sparseMode, inputLayout, sizes, sizes.querySteps(), sizes.kvSteps());
    AttentionChecks.statistics(softmaxMax, softmaxSum, sizes.statisticsShape(inputLayout));
    AttentionSizes.requireSameType(query, attentionOut, "attentionOut");
    AttentionSizes.requireShape(attentionOut, "attentionOut", sizes.outputShape(inputLayout));
    AttentionChecks.outputs(
        OUTPUTS,
        new Tensor[] {softmaxMax, softmaxSum, attentionOut},
        INPUTS,
        query,
        key,
        value,
        attenMask);
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
        "aclnnFlashAttentionScore",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnFlashAttentionScoreGetWorkspaceSize(
                query.handle(),
                key.handle(),
                value.handle(),
                MemorySegment.NULL,
                MemorySegment.NULL,
                MemorySegment.NULL,
                mask,
                MemorySegment.NULL,
                scaleValue,
                keepProb,
                preTokens,
                nextTokens,
                headNum,
                inputLayout.text(),
                innerPrecise,
                sparseMode.code(),
                softmaxMax.handle(),
                softmaxSum.handle(),
                EmptyTensor.of(query.dataType()),
                attentionOut.handle(),
                size,
                executor),
        cann_h::aclnnFlashAttentionScore);
    // The views own the handles that the operator was given.
    Reference.reachabilityFence(this);
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
     * Checks and makes the record.
     *
     * @return the record
     * @throws IllegalArgumentException if parts do not fit, with their values
     * @throws UnsupportedOperationException for a combination that CANN or these bindings do not
     *     have, naming the nearest
     */
    public FlashAttentionScore build() {
      return new FlashAttentionScore(
          query,
          key,
          value,
          attenMask,
          scaleValue,
          keepProb,
          preTokens,
          nextTokens,
          headNum,
          inputLayout,
          innerPrecise,
          sparseMode,
          softmaxMax,
          softmaxSum,
          attentionOut);
    }
  }
}
