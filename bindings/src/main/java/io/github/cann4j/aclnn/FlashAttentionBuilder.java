// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Tensor;

/**
 * What the builders of the four flash-attention records have in common. {@code build()} checks
 * everything and enqueues nothing. For one thread.
 *
 * @param <B> the builder's own type
 */
public abstract sealed class FlashAttentionBuilder<B extends FlashAttentionBuilder<B>>
    permits FlashAttentionScore.Builder,
        FlashAttentionVarLenScore.Builder,
        FlashAttentionScoreGrad.Builder,
        FlashAttentionUnpaddingScoreGrad.Builder {
  Tensor query;
  Tensor key;
  Tensor value;
  Tensor attenMask;
  double scaleValue = Double.NaN;
  double keepProb = 1;
  long preTokens = Integer.MAX_VALUE;
  long nextTokens = Integer.MAX_VALUE;
  long headNum;
  long innerPrecise;
  SparseMode sparseMode = SparseMode.DEFAULT_MASK;
  Tensor softmaxMax;
  Tensor softmaxSum;

  FlashAttentionBuilder() {}

  abstract B self();

  /**
   * Sets the queries.
   *
   * @param tensor FLOAT, FLOAT16 or BF16; shape by the layout
   * @return this builder
   */
  public B query(Tensor tensor) {
    query = tensor;
    return self();
  }

  /**
   * Sets the keys.
   *
   * @param tensor type and head size of the queries; the number of heads divides theirs
   * @return this builder
   */
  public B key(Tensor tensor) {
    key = tensor;
    return self();
  }

  /**
   * Sets the values.
   *
   * @param tensor type, heads and steps of the keys; the head size may be smaller
   * @return this builder
   */
  public B value(Tensor tensor) {
    value = tensor;
    return self();
  }

  /**
   * Sets the mask; without one every query sees every key of its sequence.
   *
   * @param tensor UINT8 or BOOL, 1 = masked out; [2048, 2048] with 1 above the diagonal for the
   *     compressed modes, else [Sq, Skv] or four dimensions. Null for none
   * @return this builder
   */
  public B attenMask(Tensor tensor) {
    attenMask = tensor;
    return self();
  }

  /**
   * Sets the factor of the scores; there is no default.
   *
   * @param factor usually 1 / sqrt(head size)
   * @return this builder
   */
  public B scaleValue(double factor) {
    scaleValue = factor;
    return self();
  }

  /**
   * Sets the share of probabilities that dropout keeps.
   *
   * @param probability 1, the default; less is not supported yet
   * @return this builder
   */
  public B keepProb(double probability) {
    keepProb = probability;
    return self();
  }

  /**
   * Sets how far a query sees back in the modes with a window.
   *
   * @param tokens default 2³¹ − 1
   * @return this builder
   */
  public B preTokens(long tokens) {
    preTokens = tokens;
    return self();
  }

  /**
   * Sets how far a query sees forward in the modes with a window.
   *
   * @param tokens default 2³¹ − 1
   * @return this builder
   */
  public B nextTokens(long tokens) {
    nextTokens = tokens;
    return self();
  }

  /**
   * Sets the number of query heads. It follows from the query's shape; only BSH and SBH need it.
   *
   * @param heads the number, or 0 for the query's
   * @return this builder
   */
  public B headNum(long heads) {
    headNum = heads;
    return self();
  }

  /**
   * Sets the treatment of rows that are masked out wholly.
   *
   * @param mode 0 (default) or 1: as they come; 2: their output is 0
   * @return this builder
   */
  public B innerPrecise(long mode) {
    innerPrecise = mode;
    return self();
  }

  /**
   * Sets how the mask is to be read.
   *
   * @param mode {@link SparseMode#DEFAULT_MASK} by default
   * @return this builder
   */
  public B sparseMode(SparseMode mode) {
    sparseMode = mode;
    return self();
  }

  /**
   * Sets the row maxima of the scaled, masked scores: an output of the forward operators, an input
   * of the gradients.
   *
   * @param tensor FLOAT, [B, N, Sq, 8] with eight equal values per row; TND: declared as [T, N, 8],
   *     but stored sequence after sequence as [N][its rows][8]
   * @return this builder
   */
  public B softmaxMax(Tensor tensor) {
    softmaxMax = tensor;
    return self();
  }

  /**
   * Sets the row sums of exp(score − maximum), stored as the maxima are.
   *
   * @param tensor FLOAT, shape of the maxima
   * @return this builder
   */
  public B softmaxSum(Tensor tensor) {
    softmaxSum = tensor;
    return self();
  }
}
