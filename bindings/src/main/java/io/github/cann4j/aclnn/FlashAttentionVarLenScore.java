// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/**
 * Flash attention over packed sequences (TND), {@code aclnnFlashAttentionVarLenScore}. Query head n
 * uses key head n / (query heads / key heads). Each query sees keys of its own sequence only. Rows
 * behind the last sequence stay undefined.
 *
 * <p>Immutable; a record may be run any number of times, from platform threads. All tensors are on
 * one device, views may be strided, outputs overlap nothing.
 *
 * @param query queries; FLOAT, FLOAT16 or BF16
 * @param key keys; their heads divide the query heads
 * @param value values; head size at most that of the keys
 * @param attenMask mask, 1 = masked out; null for none
 * @param actualSeqQLen cumulative ends of the query sequences, without a leading 0
 * @param actualSeqKvLen cumulative ends of the key sequences, one per query sequence
 * @param scaleValue factor of the scores
 * @param keepProb 1
 * @param preTokens how far a query sees back, in modes with a window
 * @param nextTokens how far a query sees forward, in modes with a window
 * @param headNum query heads; 0 takes them from the query
 * @param innerPrecise 0, 1, or 2 for output 0 in rows that are masked out wholly
 * @param sparseMode how the mask is read
 * @param softmaxMax output: row maxima of the scaled, masked scores; FLOAT, declared as [T, N, 8],
 *     but stored sequence after sequence as [N][its rows][8]
 * @param softmaxSum output: row sums of exp(score − maximum), as the maxima
 * @param attentionOut output, the query's shape with the head size of the values
 */
public record FlashAttentionVarLenScore(
    Tensor query,
    Tensor key,
    Tensor value,
    Tensor attenMask,
    long[] actualSeqQLen,
    long[] actualSeqKvLen,
    double scaleValue,
    double keepProb,
    long preTokens,
    long nextTokens,
    long headNum,
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
  public FlashAttentionVarLenScore {
    AttentionChecks.present(REQUIRED, query, key, value, softmaxMax, softmaxSum, attentionOut);
    actualSeqQLen = actualSeqQLen.clone();
    actualSeqKvLen = actualSeqKvLen.clone();
    AttentionChecks.sameDevice(query, INPUTS, query, key, value, attenMask);
    AttentionChecks.sameDevice(query, OUTPUTS, softmaxMax, softmaxSum, attentionOut);
    AttentionSizes sizes = AttentionSizes.of(Layout.TND, query, key, value, headNum);
    headNum = sizes.queryHeads();
    AttentionChecks.attributes(scaleValue, keepProb, preTokens, nextTokens, innerPrecise);
    AttentionChecks.sequences(actualSeqQLen, actualSeqKvLen, sizes, sparseMode, attenMask != null);
    long maxQ = AttentionChecks.longest(actualSeqQLen);
    long maxKv = AttentionChecks.longest(actualSeqKvLen);
    AttentionChecks.mask(attenMask, sparseMode, Layout.TND, sizes, maxQ, maxKv);
    AttentionChecks.statistics(softmaxMax, softmaxSum, sizes.statisticsShape(Layout.TND));
    AttentionSizes.requireSameType(query, attentionOut, "attentionOut");
    AttentionSizes.requireShape(attentionOut, "attentionOut", sizes.outputShape(Layout.TND));
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
   * Returns the cumulative ends of the query sequences.
   *
   * @return a new array
   */
  @Override
  public long[] actualSeqQLen() {
    return actualSeqQLen.clone();
  }

  /**
   * Returns the cumulative ends of the key sequences.
   *
   * @return a new array
   */
  @Override
  public long[] actualSeqKvLen() {
    return actualSeqKvLen.clone();
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
    try (IntArray queryEnds = new IntArray(actualSeqQLen);
        IntArray kvEnds = new IntArray(actualSeqKvLen)) {
      Operator.run(
          "aclnnFlashAttentionVarLenScore",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnFlashAttentionVarLenScoreGetWorkspaceSize(
                  query.handle(),
                  key.handle(),
                  value.handle(),
                  MemorySegment.NULL,
                  MemorySegment.NULL,
                  MemorySegment.NULL,
                  mask,
                  MemorySegment.NULL,
                  queryEnds.pointer(),
                  kvEnds.pointer(),
                  scaleValue,
                  keepProb,
                  preTokens,
                  nextTokens,
                  headNum,
                  Layout.TND.text(),
                  innerPrecise,
                  sparseMode.code(),
                  softmaxMax.handle(),
                  softmaxSum.handle(),
                  EmptyTensor.of(query.dataType()),
                  attentionOut.handle(),
                  size,
                  executor),
          cann_h::aclnnFlashAttentionVarLenScore);
    }
    // The views own the handles that the operator was given.
    Reference.reachabilityFence(this);
  }

  /** Collects the parts of a {@link FlashAttentionVarLenScore}. */
  public static final class Builder extends FlashAttentionBuilder<Builder> {
    private long[] actualSeqQLen = new long[0];
    private long[] actualSeqKvLen = new long[0];
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
    public FlashAttentionVarLenScore build() {
      return new FlashAttentionVarLenScore(
          query,
          key,
          value,
          attenMask,
          actualSeqQLen,
          actualSeqKvLen,
          scaleValue,
          keepProb,
          preTokens,
          nextTokens,
          headNum,
          innerPrecise,
          sparseMode,
          softmaxMax,
          softmaxSum,
          attentionOut);
    }
  }
}
