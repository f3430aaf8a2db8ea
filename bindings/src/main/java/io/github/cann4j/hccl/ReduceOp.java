// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

/** How a reduction combines elements ({@code HcclReduceOp}). */
public enum ReduceOp {
  /** Sum. */
  SUM(0),
  /** Product. */
  PROD(1),
  /** Maximum. */
  MAX(2),
  /** Minimum. */
  MIN(3);

  private final int code;

  ReduceOp(int code) {
    this.code = code;
  }

  /**
   * Returns HCCL's number.
   *
   * @return the value of {@code HcclReduceOp}
   */
  public int code() {
    return code;
  }
}
