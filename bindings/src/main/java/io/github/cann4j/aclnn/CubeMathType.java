// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

/** With which precision a matrix product may be computed. */
public enum CubeMathType {
  /** In the operands' type. */
  KEEP_DTYPE(0),
  /** FLOAT may be lowered to what the matrix unit has. */
  ALLOW_FP32_DOWN_PRECISION(1),
  /** In FLOAT16. */
  USE_FP16(2),
  /** FLOAT in HF32. */
  USE_HF32(3);

  private final byte code;

  CubeMathType(int code) {
    this.code = (byte) code;
  }

  /**
   * Returns CANN's number.
   *
   * @return 0 … 3
   */
  public byte code() {
    return code;
  }
}
