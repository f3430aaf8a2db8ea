// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;

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
    OperandChecks.requireDevice(stream, self, out);
    OperandChecks.requireShape(out, self);
    Overlap.refuse(out, "out", self, "self");
    Operator.run(
        "aclnnCast",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnCastGetWorkspaceSize(
                self.handle(), out.dataType().aclCode(), out.handle(), size, executor),
        cann_h.aclnnCast$address());
    Operator.keep(self, out);
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
    OperandChecks.requireBinary(self, other, out, stream);
    try (ScalarValue factor = ScalarValue.of(alpha, out.dataType())) {
      Operator.run(
          "aclnnAdd",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnAddGetWorkspaceSize(
                  self.handle(), other.handle(), factor.pointer(), out.handle(), size, executor),
          cann_h.aclnnAdd$address());
    }
    Operator.keep(self, other, out);
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
    OperandChecks.requireBinary(self, other, self, stream);
    try (ScalarValue factor = ScalarValue.of(alpha, self.dataType())) {
      Operator.run(
          "aclnnInplaceAdd",
          stream,
          workspace,
          cann_h::aclnnInplaceAddGetWorkspaceSize,
          cann_h.aclnnInplaceAdd$address(),
          self,
          other,
          factor.pointer());
    }
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
    OperandChecks.requireBinary(self, other, out, stream);
    try (ScalarValue factor = ScalarValue.of(alpha, out.dataType())) {
      Operator.run(
          "aclnnSub",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnSubGetWorkspaceSize(
                  self.handle(), other.handle(), factor.pointer(), out.handle(), size, executor),
          cann_h.aclnnSub$address());
    }
    Operator.keep(self, other, out);
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
    OperandChecks.requireBinary(self, other, out, stream);
    Operator.run(
        "aclnnMul",
        stream,
        workspace,
        cann_h::aclnnMulGetWorkspaceSize,
        cann_h.aclnnMul$address(),
        self,
        other,
        out);
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
    OperandChecks.requireBinary(self, other, out, stream);
    Operator.run(
        "aclnnDiv",
        stream,
        workspace,
        cann_h::aclnnDivGetWorkspaceSize,
        cann_h.aclnnDiv$address(),
        self,
        other,
        out);
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
    OperandChecks.requireBinary(self, other, out, stream);
    Operator.run(
        "aclnnMaximum",
        stream,
        workspace,
        cann_h::aclnnMaximumGetWorkspaceSize,
        cann_h.aclnnMaximum$address(),
        self,
        other,
        out);
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
    OperandChecks.requireUnary(self, out, stream);
    Operator.run(
        "aclnnExp",
        stream,
        workspace,
        cann_h::aclnnExpGetWorkspaceSize,
        cann_h.aclnnExp$address(),
        self,
        out);
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
    OperandChecks.requireUnary(self, out, stream);
    try (ScalarValue scalar = ScalarValue.of(factor, self.dataType())) {
      Operator.run(
          "aclnnMuls",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnMulsGetWorkspaceSize(
                  self.handle(), scalar.pointer(), out.handle(), size, executor),
          cann_h.aclnnMuls$address());
    }
    Operator.keep(self, out);
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
    OperandChecks.requireDevice(stream, self);
    try (ScalarValue scalar = ScalarValue.of(factor, self.dataType())) {
      Operator.run(
          "aclnnInplaceMuls",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnInplaceMulsGetWorkspaceSize(
                  self.handle(), scalar.pointer(), size, executor),
          cann_h.aclnnInplaceMuls$address());
    }
    Operator.keep(self);
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
    OperandChecks.requireDevice(stream, self, src);
    OperandChecks.requireBroadcast(src, self);
    Overlap.refuse(self, "self", src, "src");
    Operator.run(
        "aclnnInplaceCopy",
        stream,
        workspace,
        cann_h::aclnnInplaceCopyGetWorkspaceSize,
        cann_h.aclnnInplaceCopy$address(),
        self,
        src);
  }

  /**
   * self = 0 ({@code aclnnInplaceZero}).
   *
   * @param self what to overwrite
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceZero(Tensor self, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, self);
    Operator.run(
        "aclnnInplaceZero",
        stream,
        workspace,
        cann_h::aclnnInplaceZeroGetWorkspaceSize,
        cann_h.aclnnInplaceZero$address(),
        self);
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
    OperandChecks.requireDevice(stream, self, out);
    Tensor view = self.permute(dims);
    OperandChecks.requireShape(out, view);
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
          cann_h.aclnnPermute$address());
    }
    Operator.keep(self, out);
  }

  /**
   * out = self + alpha · other for a number ({@code aclnnAdds}).
   *
   * @param self the tensor
   * @param other what to add; whole for integer types
   * @param alpha its factor; whole for integer types
   * @param out where to put the result, of the same shape; may be self
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void adds(
      Tensor self, double other, double alpha, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireUnary(self, out, stream);
    try (ScalarValue addend = ScalarValue.of(other, self.dataType());
        ScalarValue factor = ScalarValue.of(alpha, self.dataType())) {
      Operator.run(
          "aclnnAdds",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnAddsGetWorkspaceSize(
                  self.handle(), addend.pointer(), factor.pointer(), out.handle(), size, executor),
          cann_h.aclnnAdds$address());
      Operator.keep(self, out);
    }
  }

  /**
   * self += alpha · other for a number ({@code aclnnInplaceAdds}).
   *
   * @param self what to change
   * @param other what to add; whole for integer types
   * @param alpha its factor; whole for integer types
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceAdds(
      Tensor self, double other, double alpha, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, self);
    try (ScalarValue addend = ScalarValue.of(other, self.dataType());
        ScalarValue factor = ScalarValue.of(alpha, self.dataType())) {
      Operator.run(
          "aclnnInplaceAdds",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnInplaceAddsGetWorkspaceSize(
                  self.handle(), addend.pointer(), factor.pointer(), size, executor),
          cann_h.aclnnInplaceAdds$address());
      Operator.keep(self);
    }
  }

  /**
   * self −= alpha · other ({@code aclnnInplaceSub}).
   *
   * @param self what to change
   * @param other what to subtract; broadcasts to self
   * @param alpha its factor; whole for integer types
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceSub(
      Tensor self, Tensor other, double alpha, Stream stream, Workspace workspace) {
    OperandChecks.requireBinary(self, other, self, stream);
    try (ScalarValue factor = ScalarValue.of(alpha, self.dataType())) {
      Operator.run(
          "aclnnInplaceSub",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnInplaceSubGetWorkspaceSize(
                  self.handle(), other.handle(), factor.pointer(), size, executor),
          cann_h.aclnnInplaceSub$address());
      Operator.keep(self, other);
    }
  }

  /**
   * self *= other ({@code aclnnInplaceMul}).
   *
   * @param self what to change
   * @param other the factors; broadcasts to self
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceMul(Tensor self, Tensor other, Stream stream, Workspace workspace) {
    OperandChecks.requireBinary(self, other, self, stream);
    Operator.run(
        "aclnnInplaceMul",
        stream,
        workspace,
        cann_h::aclnnInplaceMulGetWorkspaceSize,
        cann_h.aclnnInplaceMul$address(),
        self,
        other);
  }

  /**
   * self /= other ({@code aclnnInplaceDiv}).
   *
   * @param self what to change
   * @param other the divisors; broadcasts to self
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceDiv(Tensor self, Tensor other, Stream stream, Workspace workspace) {
    OperandChecks.requireBinary(self, other, self, stream);
    Operator.run(
        "aclnnInplaceDiv",
        stream,
        workspace,
        cann_h::aclnnInplaceDivGetWorkspaceSize,
        cann_h.aclnnInplaceDiv$address(),
        self,
        other);
  }

  /**
   * out = −self ({@code aclnnNeg}).
   *
   * @param self the operand
   * @param out where to put the result, of the same shape; may be self
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void neg(Tensor self, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireUnary(self, out, stream);
    Operator.run(
        "aclnnNeg",
        stream,
        workspace,
        cann_h::aclnnNegGetWorkspaceSize,
        cann_h.aclnnNeg$address(),
        self,
        out);
  }

  /**
   * out = natural logarithm of self ({@code aclnnLog}).
   *
   * @param self the operand
   * @param out where to put the result, of the same shape; may be self
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void log(Tensor self, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireUnary(self, out, stream);
    Operator.run(
        "aclnnLog",
        stream,
        workspace,
        cann_h::aclnnLogGetWorkspaceSize,
        cann_h.aclnnLog$address(),
        self,
        out);
  }

  /**
   * out = self / (1 + e ^ −self) ({@code aclnnSilu}).
   *
   * @param self the operand
   * @param out where to put the result, of the same shape; may be self
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void silu(Tensor self, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireUnary(self, out, stream);
    Operator.run(
        "aclnnSilu",
        stream,
        workspace,
        cann_h::aclnnSiluGetWorkspaceSize,
        cann_h.aclnnSilu$address(),
        self,
        out);
  }

  /**
   * self = e ^ self ({@code aclnnInplaceExp}).
   *
   * @param self what to change
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceExp(Tensor self, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, self);
    Operator.run(
        "aclnnInplaceExp",
        stream,
        workspace,
        cann_h::aclnnInplaceExpGetWorkspaceSize,
        cann_h.aclnnInplaceExp$address(),
        self);
  }

  /**
   * self = value in every element ({@code aclnnInplaceFillScalar}).
   *
   * @param self what to overwrite
   * @param value the value; whole for integer types
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void inplaceFillScalar(
      Tensor self, double value, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, self);
    try (ScalarValue scalar = ScalarValue.of(value, self.dataType())) {
      Operator.run(
          "aclnnInplaceFillScalar",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnInplaceFillScalarGetWorkspaceSize(
                  self.handle(), scalar.pointer(), size, executor),
          cann_h.aclnnInplaceFillScalar$address());
      Operator.keep(self);
    }
  }

  /**
   * out = condition ? self : other, element by element ({@code aclnnSWhere}).
   *
   * @param condition BOOL; broadcasts to out
   * @param self where the condition is true; broadcasts to out
   * @param other where it is false; type of self, broadcasts to out
   * @param out where to put the result; overlaps the condition nowhere
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void sWhere(
      Tensor condition, Tensor self, Tensor other, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, condition);
    OperandChecks.requireType(condition, "condition", DataType.BOOL);
    OperandChecks.requireSameType(other, "other", self, "self");
    OperandChecks.requireBroadcast(condition, out);
    OperandChecks.requireDevice(stream, self, other, out);
    OperandChecks.requireBroadcast(self, out);
    OperandChecks.requireBroadcast(other, out);
    Overlap.refuse(out, "out", condition, "condition");
    OperandChecks.refusePartialOverlap(out, self);
    OperandChecks.refusePartialOverlap(out, other);
    Operator.run(
        "aclnnSWhere",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnSWhereGetWorkspaceSize(
                condition.handle(), self.handle(), other.handle(), out.handle(), size, executor),
        cann_h.aclnnSWhere$address());
    Operator.keep(condition, self, other, out);
  }
}
