// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

/**
 * How a positional bias enters the score of query i and key j, before the mask. The distance of the
 * inner types is |(i + qStartIdx) − (j + kvStartIdx)|.
 */
public enum PseType {
  /** scale · (q · k) + bias, with a tensor of biases. */
  OUTER_MUL_ADD(0),
  /** scale · (q · k + bias), with a tensor of biases. */
  OUTER_ADD_MUL(1),
  /** scale · (q · k) − slope · distance, with one slope per head (ALiBi). */
  INNER_MUL_ADD(2),
  /** scale · (q · k) − slope · √distance, with one slope per head. */
  INNER_MUL_ADD_SQRT(3);

  private final int code;

  PseType(int code) {
    this.code = code;
  }

  /**
   * Returns CANN's number.
   *
   * @return 0 … 3
   */
  public int code() {
    return code;
  }

  /** Whether the tensor holds slopes, and the bias follows from the distance. */
  boolean isInner() {
    return this == INNER_MUL_ADD || this == INNER_MUL_ADD_SQRT;
  }
}
