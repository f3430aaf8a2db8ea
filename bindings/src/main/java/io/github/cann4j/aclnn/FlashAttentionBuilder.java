// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Tensor;

/**
 * What the builders of the four flash-attention operators have in common. {@code build()} checks
 * everything and enqueues nothing; it chooses the oldest version of the C function that has what
 * was set. For one thread.
 *
 * @param <B> the builder's own type
 */
public abstract sealed class FlashAttentionBuilder<B extends FlashAttentionBuilder<B>>
    permits FlashAttentionScore.Builder,
        FlashAttentionVarLenScore.Builder,
        FlashAttentionGradBuilder {
  Tensor query;
  Tensor key;
  Tensor value;
  Tensor realShift;
  Tensor dropMask;
  Tensor attenMask;
  long[] prefix;
  PseType pseType;
  Long qStartIdx;
  Long kvStartIdx;
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
   * @param tensor UINT8 or BOOL, 1 = masked out; for the compressed modes [2048, 2048] with 1 above
   *     the diagonal ({@link SparseMode#PREFIX_COMPRESSED}: [3072, 2048]), else [Sq, Skv] or four
   *     dimensions. Null for none
   * @return this builder
   */
  public B attenMask(Tensor tensor) {
    attenMask = tensor;
    return self();
  }

  /**
   * Sets the positional bias of the scores.
   *
   * @param tensor for the outer types the query's type and shape [B, N, Sq, Skv], [1, N, Sq, Skv]
   *     or [B, N, 1, Skv], or with a causal mask and Sq = Skv &gt; 1024 its last 1024 rows; TND:
   *     one dimension, sequence after sequence [N][Sq][Skv] or [N][1][Skv]. For the inner types
   *     FLOAT slopes, [N] or [B, N]. Null for none
   * @return this builder
   */
  public B realShift(Tensor tensor) {
    realShift = tensor;
    return self();
  }

  /**
   * Sets how the bias enters.
   *
   * @param type {@link PseType#OUTER_ADD_MUL} by default
   * @return this builder
   */
  public B pseType(PseType type) {
    pseType = type;
    return self();
  }

  /**
   * Sets the position of the first query, for the inner types of bias.
   *
   * @param index default 0
   * @return this builder
   */
  public B qStartIdx(long index) {
    qStartIdx = index;
    return self();
  }

  /**
   * Sets the position of the first key, for the inner types of bias.
   *
   * @param index default 0
   * @return this builder
   */
  public B kvStartIdx(long index) {
    kvStartIdx = index;
    return self();
  }

  /**
   * Sets how many leading keys every query of a sequence sees, for the two modes with a prefix.
   *
   * @param keys one number per sequence, max(0, Skv − Sq) … Skv
   * @return this builder
   */
  public B prefix(long... keys) {
    prefix = keys.clone();
    return self();
  }

  /**
   * Sets which probabilities dropout keeps. The gradient takes the mask of the forward call.
   *
   * @param tensor UINT8, one bit per probability in the order [B][N][Sq][Skv] (TND: sequence after
   *     sequence [N][Sq][Skv]), 1 = kept, the least significant bit of a byte first. Null for none
   * @return this builder
   */
  public B dropMask(Tensor tensor) {
    dropMask = tensor;
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
   * @param probability in (0, 1], default 1; below 1 with {@link #dropMask}
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
   *     but stored as {@link SoftmaxLayout} says
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
