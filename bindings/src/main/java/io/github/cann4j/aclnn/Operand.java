// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Tensor;
import java.util.List;

/** A tensor argument and its name; the tensor is null where an optional one is left out. */
record Operand(String name, Tensor tensor) {
  static void requireSameDevice(Tensor first, List<Operand> others) {
    for (Operand other : others) {
      if (other.tensor != null && other.tensor.device() != first.device()) {
        throw new IllegalArgumentException(
            "%s is on %s, but query is on %s"
                .formatted(other.name, other.tensor.device(), first.device()));
      }
    }
  }

  /** Throws if an output shares memory with an input or another output. */
  static void requireDistinct(List<Operand> outputs, List<Operand> inputs) {
    for (int i = 0; i < outputs.size(); i++) {
      Operand output = outputs.get(i);
      for (Operand other : outputs.subList(0, i)) {
        Overlap.refuse(output.tensor, output.name, other.tensor, other.name);
      }
      for (Operand input : inputs) {
        Overlap.refuse(output.tensor, output.name, input.tensor, input.name);
      }
    }
  }
}
