// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Tensor;

/** Finds outputs that share memory with another operand. */
final class Overlap {
  private Overlap() {}

  /** Throws if the output shares elements with the other operand; either may be null. */
  static void refuse(Tensor output, String outputName, Tensor other, String otherName) {
    if (output == null || other == null || output.elements() == 0 || other.elements() == 0) {
      return;
    }
    if (output.device() != other.device()
        || output.address() >= end(other)
        || other.address() >= end(output)) {
      return;
    }
    // Strided views may interleave, as the parts of one packed q, k, v tensor do.
    boolean interleaved =
        !output.isContiguous() && !other.isContiguous() && output.address() != other.address();
    if (!interleaved) {
      throw new IllegalArgumentException(
          "%s (%s at 0x%x) and %s (%s at 0x%x) overlap; an output needs memory of its own"
              .formatted(outputName, output, output.address(), otherName, other, other.address()));
    }
  }

  private static long end(Tensor tensor) {
    long last = 0;
    if (tensor.isContiguous()) {
      last = tensor.elements() - 1;
    } else {
      for (int i = 0; i < tensor.rank(); i++) {
        last += (tensor.size(i) - 1) * tensor.stride(i);
      }
    }
    return tensor.address() + (last + 1) * tensor.dataType().byteSize();
  }
}
