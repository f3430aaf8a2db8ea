// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import java.util.Arrays;

/** What operators check about their tensors before anything is enqueued. */
final class OperandChecks {
  private OperandChecks() {}

  static void requireUnary(Tensor self, Tensor out, Stream stream) {
    requireDevice(stream, self, out);
    requireShape(out, self);
    refusePartialOverlap(out, self);
  }

  static void requireBinary(Tensor self, Tensor other, Tensor out, Stream stream) {
    requireDevice(stream, self, other, out);
    requireBroadcast(self, out);
    requireBroadcast(other, out);
    for (int i = 0; i < out.rank(); i++) {
      if (out.size(i) != 1 && size(self, out, i) == 1 && size(other, out, i) == 1) {
        throw new IllegalArgumentException(
            "%s and %s do not broadcast to %s".formatted(self, other, out));
      }
    }
    refusePartialOverlap(out, self);
    refusePartialOverlap(out, other);
  }

  /** The size of an operand at a dimension of the result. */
  static long size(Tensor operand, Tensor out, int dim) {
    int own = dim - (out.rank() - operand.rank());
    return own < 0 ? 1 : operand.size(own);
  }

  static void requireBroadcast(Tensor operand, Tensor out) {
    boolean fits = operand.rank() <= out.rank();
    for (int i = 0; fits && i < out.rank(); i++) {
      long size = size(operand, out, i);
      fits = size == 1 || size == out.size(i);
    }
    if (!fits) {
      throw new IllegalArgumentException("%s does not broadcast to %s".formatted(operand, out));
    }
  }

  static void requireShape(Tensor out, Tensor expected) {
    if (!out.hasShapeOf(expected)) {
      throw new IllegalArgumentException(
          "out must have shape %s, but is %s".formatted(Arrays.toString(expected.shape()), out));
    }
  }

  // Elementwise results may replace an operand, element by element.
  static void refusePartialOverlap(Tensor out, Tensor operand) {
    boolean same =
        out == operand
            || out.address() == operand.address()
                && out.dataType() == operand.dataType()
                && out.hasShapeOf(operand)
                && out.hasStridesOf(operand);
    if (!same) {
      Overlap.refuse(out, "out", operand, "an operand");
    }
  }

  // Without an array for the usual numbers of tensors, so that a call allocates nothing.
  static void requireDevice(Stream stream, Tensor a) {
    AttentionChecks.streamDevice(stream, a);
  }

  static void requireDevice(Stream stream, Tensor a, Tensor b) {
    AttentionChecks.streamDevice(stream, a);
    AttentionChecks.streamDevice(stream, b);
  }

  static void requireDevice(Stream stream, Tensor a, Tensor b, Tensor c) {
    requireDevice(stream, a, b);
    AttentionChecks.streamDevice(stream, c);
  }

  static void requireDevice(Stream stream, Tensor... tensors) {
    for (Tensor tensor : tensors) {
      AttentionChecks.streamDevice(stream, tensor);
    }
  }

  static void requireShape(Tensor tensor, String name, long... expected) {
    if (!Arrays.equals(tensor.shape(), expected)) {
      throw new IllegalArgumentException(
          "%s must have shape %s, but is %s".formatted(name, Arrays.toString(expected), tensor));
    }
  }

  static void requireType(Tensor tensor, String name, DataType... accepted) {
    if (!Arrays.asList(accepted).contains(tensor.dataType())) {
      throw new IllegalArgumentException(
          "%s must be %s, not %s"
              .formatted(
                  name,
                  String.join(" or ", Arrays.stream(accepted).map(DataType::name).toList()),
                  tensor.dataType()));
    }
  }

  static void requireIndices(Tensor tensor, String name) {
    requireType(tensor, name, DataType.INT64, DataType.INT32);
  }

  static void requireFloating(Tensor tensor, String name) {
    requireType(tensor, name, DataType.FLOAT, DataType.FLOAT16, DataType.BF16);
  }

  static void requireSameType(Tensor tensor, String name, Tensor like, String likeName) {
    if (tensor.dataType() != like.dataType()) {
      throw new IllegalArgumentException(
          "%s is %s, but %s is %s".formatted(name, tensor.dataType(), likeName, like.dataType()));
    }
  }

  static void requireRank(Tensor tensor, String name, int rank) {
    if (tensor.rank() != rank) {
      throw new IllegalArgumentException(
          "%s must have %d dimensions, but is %s".formatted(name, rank, tensor));
    }
  }

  /** A dimension counted from the front; negative ones count from the end. */
  static int requireDim(int dim, Tensor tensor, String name) {
    int rank = tensor.rank();
    if (dim < -rank || dim >= rank) {
      throw new IllegalArgumentException(
          "dimension %d is not one of %s %s".formatted(dim, name, tensor));
    }
    return dim < 0 ? dim + rank : dim;
  }
}
