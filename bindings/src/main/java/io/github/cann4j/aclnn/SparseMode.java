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
  /** RIGHT_DOWN_CAUSAL or a prefix of each sequence, with a full mask. */
  PREFIX(5),
  /** RIGHT_DOWN_CAUSAL or a prefix of each sequence, with a compressed mask of its own. */
  PREFIX_COMPRESSED(6),
  /** RIGHT_DOWN_CAUSAL, but BAND in the last sequence; TND only. */
  RIGHT_DOWN_CAUSAL_BAND(7),
  /** LEFT_UP_CAUSAL, but BAND in the first sequence; TND only. */
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

  /** Whether the mask is the 2048×2048 table with 1 above the diagonal. */
  boolean usesCompressedMask() {
    return switch (this) {
      case LEFT_UP_CAUSAL, RIGHT_DOWN_CAUSAL, BAND, RIGHT_DOWN_CAUSAL_BAND, BAND_LEFT_UP_CAUSAL ->
          true;
      default -> false;
    };
  }
}
