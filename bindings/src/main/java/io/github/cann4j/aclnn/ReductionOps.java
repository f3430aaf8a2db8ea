// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import java.util.Arrays;

/**
 * Sums over dimensions, softmax and losses. Each call checks its arguments ({@link
 * IllegalArgumentException}), submits one operator to the stream and returns; what the toolkit
 * refuses is an {@link AclnnException}. All tensors are on the stream's device, views may be
 * strided, and outputs overlap nothing. Platform threads only.
 */
public final class ReductionOps {
  private ReductionOps() {}

  /**
   * out = the sum over dimensions, in the type of out ({@code aclnnReduceSum}).
   *
   * @param self what to sum
   * @param dims the dimensions, negative ones from the end; none means all
   * @param keepDims whether they stay, with size 1
   * @param out where to put the sums
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void reduceSum(
      Tensor self, int[] dims, boolean keepDims, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, self, out);
    OperandChecks.requireShape(out, "out", reduced(self, dims, keepDims));
    Overlap.refuse(out, "out", self, "self");
    try (IntArray array = new IntArray(dims)) {
      Operator.run(
          "aclnnReduceSum",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnReduceSumGetWorkspaceSize(
                  self.handle(),
                  array.pointer(),
                  keepDims,
                  out.dataType().aclCode(),
                  out.handle(),
                  size,
                  executor),
          cann_h.aclnnReduceSum$address());
      Operator.keep(self, out);
    }
  }

  /**
   * out = log of the sum of e ^ self over dimensions ({@code aclnnLogSumExp}).
   *
   * @param self FLOAT, FLOAT16 or BF16
   * @param dims the dimensions, negative ones from the end; at least one
   * @param keepDims whether they stay, with size 1
   * @param out where to put the results, of self's type
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void logSumExp(
      Tensor self, int[] dims, boolean keepDims, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, self, out);
    OperandChecks.requireFloating(self, "self");
    if (dims.length == 0) {
      throw new IllegalArgumentException("logSumExp needs at least one dimension");
    }
    OperandChecks.requireSameType(out, "out", self, "self");
    OperandChecks.requireShape(out, "out", reduced(self, dims, keepDims));
    Overlap.refuse(out, "out", self, "self");
    try (IntArray array = new IntArray(dims)) {
      Operator.run(
          "aclnnLogSumExp",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnLogSumExpGetWorkspaceSize(
                  self.handle(), array.pointer(), keepDims, out.handle(), size, executor),
          cann_h.aclnnLogSumExp$address());
      Operator.keep(self, out);
    }
  }

  /**
   * out = e ^ self, divided by its sum along a dimension ({@code aclnnSoftmax}).
   *
   * @param self FLOAT, FLOAT16 or BF16
   * @param dim the dimension; negative counts from the end
   * @param out where to put the result, of the same shape; may be self
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void softmax(Tensor self, int dim, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireUnary(self, out, stream);
    OperandChecks.requireFloating(self, "self");
    int at = OperandChecks.requireDim(dim, self, "self");
    Operator.run(
        "aclnnSoftmax",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnSoftmaxGetWorkspaceSize(self.handle(), at, out.handle(), size, executor),
        cann_h.aclnnSoftmax$address());
    Operator.keep(self, out);
  }

  private static long[] reduced(Tensor self, int[] dims, boolean keepDims) {
    boolean[] summed = new boolean[self.rank()];
    for (int dim : dims) {
      int at = OperandChecks.requireDim(dim, self, "self");
      if (summed[at]) {
        throw new IllegalArgumentException(
            "dimension %d occurs twice in %s".formatted(at, Arrays.toString(dims)));
      }
      summed[at] = true;
    }
    if (dims.length == 0) {
      Arrays.fill(summed, true);
    }
    long[] shape = new long[self.rank()];
    int rank = 0;
    for (int i = 0; i < shape.length; i++) {
      if (!summed[i]) {
        shape[rank++] = self.size(i);
      } else if (keepDims) {
        shape[rank++] = 1;
      }
    }
    return Arrays.copyOf(shape, rank);
  }
}
