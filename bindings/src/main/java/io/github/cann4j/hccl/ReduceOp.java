// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import io.github.cann4j.internal.ffi.cann_h;

/** How a reduction combines elements ({@code HcclReduceOp}). */
public enum ReduceOp {
  /** Sum. */
  SUM(cann_h.HCCL_REDUCE_SUM()),
  /** Product. */
  PROD(cann_h.HCCL_REDUCE_PROD()),
  /** Maximum. */
  MAX(cann_h.HCCL_REDUCE_MAX()),
  /** Minimum. */
  MIN(cann_h.HCCL_REDUCE_MIN());

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
