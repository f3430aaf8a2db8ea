// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

/**
 * Which keys j a query i sees, both counted within their sequence, of Sq queries and Skv keys. All
 * modes need a mask tensor; without one every query sees every key.
 */
public enum SparseMode {
  /**
   * Where the full mask is 0, within the window i − preTokens ≤ j ≤ i + nextTokens (a hint that
   * must agree with the mask).
   */
  DEFAULT_MASK(0),
  /** Where the full mask is 0. */
  ALL_MASK(1),
  /** j ≤ i, with the compressed mask. */
  LEFT_UP_CAUSAL(2),
  /** j ≤ i + Skv − Sq, with the compressed mask. */
  RIGHT_DOWN_CAUSAL(3),
  /** i + Skv − Sq − preTokens ≤ j ≤ i + Skv − Sq + nextTokens, with the compressed mask. */
  BAND(4),
  /** j ≤ i + Skv − Sq or j &lt; prefix of the sequence, with a full mask; not for TND. */
  PREFIX(5),
  /** As PREFIX, with the compressed mask [3072, 2048]. */
  PREFIX_COMPRESSED(6),
  /** RIGHT_DOWN_CAUSAL, but j ≤ i + Skv − Sq + nextTokens in the last sequence; TND only. */
  RIGHT_DOWN_CAUSAL_BAND(7),
  /** LEFT_UP_CAUSAL, but j ≤ i + Skv − Sq + nextTokens in the first sequence; TND only. */
  BAND_LEFT_UP_CAUSAL(8);

  private final int code;

  SparseMode(int code) {
    this.code = code;
  }

  /**
   * Returns CANN's number.
   *
   * @return 0 … 8
   */
  public int code() {
    return code;
  }

  /**
   * The shape of the fixed table that this mode takes as mask: 1 above the diagonal in the first
   * 2048 rows, and for prefixes 1024 more rows with 1 from column 1024 on. Null if the mask is a
   * full one.
   */
  long[] compressedMaskShape() {
    return switch (this) {
      case DEFAULT_MASK, ALL_MASK, PREFIX -> null;
      case PREFIX_COMPRESSED -> new long[] {3072, 2048};
      default -> new long[] {2048, 2048};
    };
  }

  boolean usesPrefix() {
    return this == PREFIX || this == PREFIX_COMPRESSED;
  }
}
