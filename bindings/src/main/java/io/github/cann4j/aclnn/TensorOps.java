// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.ref.Reference;
import java.util.Arrays;

/**
 * Elementwise operators, copies and casts. Operands broadcast as usual: shapes are aligned at their
 * last dimension, and a size of 1 repeats. Views may be strided. Each call checks its arguments
 * ({@link IllegalArgumentException}), submits one operator to the stream and returns; what the
 * toolkit refuses is an {@link AclnnException}. All tensors are on the stream's device. Platform
 * threads only.
 */
public final class TensorOps {
  private TensorOps() {}

  /**
   * Converts element types ({@code aclnnCast}).
   *
   * @param self what to convert
   * @param out where to, of the same shape; its type is the target
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void cast(Tensor self, Tensor out, Stream stream, Workspace workspace) {
    requireDevice(stream, self, out);
    requireShape(out, self);
    Overlap.refuse(out, "out", self, "self");
    Operator.run(
        "aclnnCast",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnCastGetWorkspaceSize(
                self.handle(), out.dataType().aclCode(), out.handle(), size, executor),
        cann_h::aclnnCast);
    keep(self, out);
  }

  /**
   * out = self + alpha · other ({@code aclnnAdd}).
   *
   * @param self first operand
   * @param other second operand
   * @param alpha factor of the second; whole for integer types
   * @param out where to put the result; may be self or other
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void add(
      Tensor self, Tensor other, double alpha, Tensor out, Stream stream, Workspace workspace) {
    requireBinary(self, other, out, stream);
    try (ScalarValue factor = new ScalarValue(alpha, out.dataType())) {
      Operator.run(
          "aclnnAdd",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnAddGetWorkspaceSize(
                  self.handle(), other.handle(), factor.pointer(), out.handle(), size, executor),
          cann_h::aclnnAdd);
    }
    keep(self, other, out);
  }

  /**
   * self += alpha · other ({@code aclnnInplaceAdd}).
   *
   * @param self what to change
   * @param other what to add; broadcasts to self
   * @param alpha its factor; whole for integer types
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceAdd(
      Tensor self, Tensor other, double alpha, Stream stream, Workspace workspace) {
    requireBinary(self, other, self, stream);
    try (ScalarValue factor = new ScalarValue(alpha, self.dataType())) {
      Operator.run(
          "aclnnInplaceAdd",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnInplaceAddGetWorkspaceSize(
                  self.handle(), other.handle(), factor.pointer(), size, executor),
          cann_h::aclnnInplaceAdd);
    }
    keep(self, other);
  }

  /**
   * out = self − alpha · other ({@code aclnnSub}).
   *
   * @param self first operand
   * @param other second operand
   * @param alpha factor of the second; whole for integer types
   * @param out where to put the result; may be self or other
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void sub(
      Tensor self, Tensor other, double alpha, Tensor out, Stream stream, Workspace workspace) {
    requireBinary(self, other, out, stream);
    try (ScalarValue factor = new ScalarValue(alpha, out.dataType())) {
      Operator.run(
          "aclnnSub",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnSubGetWorkspaceSize(
                  self.handle(), other.handle(), factor.pointer(), out.handle(), size, executor),
          cann_h::aclnnSub);
    }
    keep(self, other, out);
  }

  /**
   * out = self · other ({@code aclnnMul}).
   *
   * @param self first operand
   * @param other second operand
   * @param out where to put the result; may be self or other
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void mul(
      Tensor self, Tensor other, Tensor out, Stream stream, Workspace workspace) {
    requireBinary(self, other, out, stream);
    Operator.run(
        "aclnnMul",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnMulGetWorkspaceSize(
                self.handle(), other.handle(), out.handle(), size, executor),
        cann_h::aclnnMul);
    keep(self, other, out);
  }

  /**
   * out = self / other ({@code aclnnDiv}).
   *
   * @param self dividend
   * @param other divisor
   * @param out where to put the result; may be self or other
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void div(
      Tensor self, Tensor other, Tensor out, Stream stream, Workspace workspace) {
    requireBinary(self, other, out, stream);
    Operator.run(
        "aclnnDiv",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnDivGetWorkspaceSize(
                self.handle(), other.handle(), out.handle(), size, executor),
        cann_h::aclnnDiv);
    keep(self, other, out);
  }

  /**
   * out = max(self, other) ({@code aclnnMaximum}).
   *
   * @param self first operand
   * @param other second operand
   * @param out where to put the result; may be self or other
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void maximum(
      Tensor self, Tensor other, Tensor out, Stream stream, Workspace workspace) {
    requireBinary(self, other, out, stream);
    Operator.run(
        "aclnnMaximum",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnMaximumGetWorkspaceSize(
                self.handle(), other.handle(), out.handle(), size, executor),
        cann_h::aclnnMaximum);
    keep(self, other, out);
  }

  /**
   * out = e ^ self ({@code aclnnExp}).
   *
   * @param self the exponents
   * @param out where to put the result, of the same shape; may be self
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void exp(Tensor self, Tensor out, Stream stream, Workspace workspace) {
    requireDevice(stream, self, out);
    requireShape(out, self);
    refusePartialOverlap(out, self);
    Operator.run(
        "aclnnExp",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnExpGetWorkspaceSize(self.handle(), out.handle(), size, executor),
        cann_h::aclnnExp);
    keep(self, out);
  }

  /**
   * out = self · factor ({@code aclnnMuls}).
   *
   * @param self the tensor
   * @param factor the factor; whole for integer types
   * @param out where to put the result, of the same shape; may be self
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void muls(
      Tensor self, double factor, Tensor out, Stream stream, Workspace workspace) {
    requireDevice(stream, self, out);
    requireShape(out, self);
    refusePartialOverlap(out, self);
    try (ScalarValue scalar = new ScalarValue(factor, self.dataType())) {
      Operator.run(
          "aclnnMuls",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnMulsGetWorkspaceSize(
                  self.handle(), scalar.pointer(), out.handle(), size, executor),
          cann_h::aclnnMuls);
    }
    keep(self, out);
  }

  /**
   * self *= factor ({@code aclnnInplaceMuls}).
   *
   * @param self what to change
   * @param factor the factor; whole for integer types
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceMuls(Tensor self, double factor, Stream stream, Workspace workspace) {
    requireDevice(stream, self);
    try (ScalarValue scalar = new ScalarValue(factor, self.dataType())) {
      Operator.run(
          "aclnnInplaceMuls",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnInplaceMulsGetWorkspaceSize(
                  self.handle(), scalar.pointer(), size, executor),
          cann_h::aclnnInplaceMuls);
    }
    keep(self);
  }

  /**
   * self = src, converted to self's type ({@code aclnnInplaceCopy}); the operator for strided
   * copies.
   *
   * @param self what to overwrite
   * @param src what to copy; broadcasts to self and overlaps it nowhere
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceCopy(Tensor self, Tensor src, Stream stream, Workspace workspace) {
    requireDevice(stream, self, src);
    requireBroadcast(src, self);
    Overlap.refuse(self, "self", src, "src");
    Operator.run(
        "aclnnInplaceCopy",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnInplaceCopyGetWorkspaceSize(self.handle(), src.handle(), size, executor),
        cann_h::aclnnInplaceCopy);
    keep(self, src);
  }

  /**
   * self = 0 ({@code aclnnInplaceZero}).
   *
   * @param self what to overwrite
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceZero(Tensor self, Stream stream, Workspace workspace) {
    requireDevice(stream, self);
    Operator.run(
        "aclnnInplaceZero",
        stream,
        workspace,
        (size, executor) -> cann_h.aclnnInplaceZeroGetWorkspaceSize(self.handle(), size, executor),
        cann_h::aclnnInplaceZero);
    keep(self);
  }

  /**
   * Copies with the dimensions in another order ({@code aclnnPermute}).
   *
   * @param self what to copy
   * @param dims for each dimension of the result the one of self
   * @param out where to, of self's type and the permuted shape; overlaps self nowhere
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void permute(
      Tensor self, int[] dims, Tensor out, Stream stream, Workspace workspace) {
    requireDevice(stream, self, out);
    Tensor view = self.permute(dims);
    requireShape(out, view);
    if (out.dataType() != self.dataType()) {
      throw new IllegalArgumentException(
          "permuting keeps the type, but self is %s and out %s"
              .formatted(self.dataType(), out.dataType()));
    }
    Overlap.refuse(out, "out", self, "self");
    try (IntArray order = new IntArray(dims)) {
      Operator.run(
          "aclnnPermute",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnPermuteGetWorkspaceSize(
                  self.handle(), order.pointer(), out.handle(), size, executor),
          cann_h::aclnnPermute);
    }
    keep(self, out);
  }

  private static void requireBinary(Tensor self, Tensor other, Tensor out, Stream stream) {
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
  private static long size(Tensor operand, Tensor out, int dim) {
    int own = dim - (out.rank() - operand.rank());
    return own < 0 ? 1 : operand.size(own);
  }

  private static void requireBroadcast(Tensor operand, Tensor out) {
    boolean fits = operand.rank() <= out.rank();
    for (int i = 0; fits && i < out.rank(); i++) {
      long size = size(operand, out, i);
      fits = size == 1 || size == out.size(i);
    }
    if (!fits) {
      throw new IllegalArgumentException("%s does not broadcast to %s".formatted(operand, out));
    }
  }

  private static void requireShape(Tensor out, Tensor expected) {
    if (!out.hasShapeOf(expected)) {
      throw new IllegalArgumentException(
          "out must have shape %s, but is %s".formatted(Arrays.toString(expected.shape()), out));
    }
  }

  // Elementwise results may replace an operand, element by element.
  private static void refusePartialOverlap(Tensor out, Tensor operand) {
    boolean same =
        out == operand
            || out.address() == operand.address()
                && out.dataType() == operand.dataType()
                && out.hasShapeOf(operand)
                && Arrays.equals(out.strides(), operand.strides());
    if (!same) {
      Overlap.refuse(out, "out", operand, "an operand");
    }
  }

  private static void requireDevice(Stream stream, Tensor... tensors) {
    for (Tensor tensor : tensors) {
      AttentionChecks.streamDevice(stream, tensor);
    }
  }

  // The views own the handles that an operator was given.
  private static void keep(Tensor... tensors) {
    for (Tensor tensor : tensors) {
      Reference.reachabilityFence(tensor);
    }
  }
}
