// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

/** Element types of tensors; acl and HCCL number them differently. */
public enum DataType {
  // Numbers, not the generated constants: naming a type must not need native access.

  /** IEEE single precision, {@code ACL_FLOAT}. */
  FLOAT(4, 0, 4),
  /** IEEE half precision, {@code ACL_FLOAT16}. */
  FLOAT16(2, 1, 3),
  /** The upper half of single precision, {@code ACL_BF16}. */
  BF16(2, 27, 11),
  /** {@code ACL_INT8}. */
  INT8(1, 2, 0),
  /** {@code ACL_INT32}. */
  INT32(4, 3, 2),
  /** {@code ACL_UINT8}. */
  UINT8(1, 4, 7),
  /** {@code ACL_INT16}. */
  INT16(2, 6, 1),
  /** {@code ACL_UINT16}. */
  UINT16(2, 7, 8),
  /** {@code ACL_UINT32}. */
  UINT32(4, 8, 9),
  /** {@code ACL_INT64}. */
  INT64(8, 9, 5),
  /** {@code ACL_UINT64}. */
  UINT64(8, 10, 6),
  /** IEEE double precision, {@code ACL_DOUBLE}. */
  DOUBLE(8, 11, 10),
  /** One byte, 0 or 1, {@code ACL_BOOL}; HCCL has no such type. */
  BOOL(1, 12, -1);

  private final int byteSize;
  private final int aclCode;
  private final int hcclCode;

  DataType(int byteSize, int aclCode, int hcclCode) {
    this.byteSize = byteSize;
    this.aclCode = aclCode;
    this.hcclCode = hcclCode;
  }

  /**
   * Returns the size of one element.
   *
   * @return its bytes
   */
  public int byteSize() {
    return byteSize;
  }

  /**
   * Returns the value of {@code aclDataType}.
   *
   * @return the code
   */
  public int aclCode() {
    return aclCode;
  }

  /**
   * Returns the value of {@code HcclDataType}.
   *
   * @return the code
   * @throws UnsupportedOperationException if HCCL has no such type
   */
  public int hcclCode() {
    if (hcclCode < 0) {
      throw new UnsupportedOperationException("HCCL has no " + this + "; UINT8 has the same bytes");
    }
    return hcclCode;
  }

  /**
   * Tells whether the elements are floating-point numbers.
   *
   * @return true for FLOAT, FLOAT16, BF16 and DOUBLE
   */
  public boolean isFloating() {
    return this == FLOAT || this == FLOAT16 || this == BF16 || this == DOUBLE;
  }
}
