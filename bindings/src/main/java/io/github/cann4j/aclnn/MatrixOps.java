// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Matrix products. Sums are kept in fp32 or better. Each call checks its arguments ({@link
 * IllegalArgumentException}), submits one operator to the stream and returns; what the toolkit
 * refuses is an {@link AclnnException}. All tensors are on the stream's device, views may be
 * strided, and outputs overlap nothing. Platform threads only.
 */
public final class MatrixOps {
  private MatrixOps() {}

  /**
   * out = self · mat2 for matrices ({@code aclnnMm}).
   *
   * @param self [m, k]; FLOAT, FLOAT16 or BF16
   * @param mat2 [k, n] of the same type
   * @param out [m, n]
   * @param math the precision
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void mm(
      Tensor self, Tensor mat2, Tensor out, CubeMathType math, Stream stream, Workspace workspace) {
    OperandChecks.requireRank(self, "self", 2);
    OperandChecks.requireRank(mat2, "mat2", 2);
    requireInner(self, mat2);
    long[] shape = {self.size(0), mat2.size(1)};
    run(
        "aclnnMm",
        cann_h::aclnnMmGetWorkspaceSize,
        cann_h.aclnnMm$address(),
        self,
        mat2,
        out,
        shape,
        math,
        stream,
        workspace);
  }

  /**
   * out[b] = self[b] · mat2[b] ({@code aclnnBatchMatMul}).
   *
   * @param self [b, m, k]; FLOAT, FLOAT16 or BF16
   * @param mat2 [b, k, n] of the same type
   * @param out [b, m, n]
   * @param math the precision
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void batchMatMul(
      Tensor self, Tensor mat2, Tensor out, CubeMathType math, Stream stream, Workspace workspace) {
    OperandChecks.requireRank(self, "self", 3);
    OperandChecks.requireRank(mat2, "mat2", 3);
    OperandChecks.requireShape(mat2, "mat2", self.size(0), self.size(2), mat2.size(2));
    long[] shape = {self.size(0), self.size(1), mat2.size(2)};
    run(
        "aclnnBatchMatMul",
        cann_h::aclnnBatchMatMulGetWorkspaceSize,
        cann_h.aclnnBatchMatMul$address(),
        self,
        mat2,
        out,
        shape,
        math,
        stream,
        workspace);
  }

  /**
   * out = self · mat2 ({@code aclnnMatmul}): of the last two dimensions, the ones before broadcast;
   * a single dimension is a row of self and a column of mat2 that the result does not have.
   *
   * @param self one to six dimensions; FLOAT, FLOAT16 or BF16
   * @param mat2 one to six dimensions of the same type
   * @param out the broadcast dimensions and then [m, n]
   * @param math the precision
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void matmul(
      Tensor self, Tensor mat2, Tensor out, CubeMathType math, Stream stream, Workspace workspace) {
    requireInner(self, mat2);
    long[] shape = productShape(self, mat2);
    run(
        "aclnnMatmul",
        cann_h::aclnnMatmulGetWorkspaceSize,
        cann_h.aclnnMatmul$address(),
        self,
        mat2,
        out,
        shape,
        math,
        stream,
        workspace);
  }

  /** {@code …GetWorkspaceSize} of a product. */
  @FunctionalInterface
  private interface Plan {
    int call(
        MemorySegment self,
        MemorySegment mat2,
        MemorySegment out,
        byte math,
        MemorySegment workspaceSize,
        MemorySegment executor);
  }

  private static void run(
      String name,
      Plan plan,
      MemorySegment launch,
      Tensor self,
      Tensor mat2,
      Tensor out,
      long[] shape,
      CubeMathType math,
      Stream stream,
      Workspace workspace) {
    OperandChecks.requireDevice(stream, self, mat2, out);
    OperandChecks.requireFloating(self, "self");
    OperandChecks.requireSameType(mat2, "mat2", self, "self");
    OperandChecks.requireShape(out, "out", shape);
    Overlap.refuse(out, "out", self, "self");
    Overlap.refuse(out, "out", mat2, "mat2");
    Operator.run(
        name,
        stream,
        workspace,
        (size, executor) ->
            plan.call(self.handle(), mat2.handle(), out.handle(), math.code(), size, executor),
        launch);
    Operator.keep(self, mat2, out);
  }

  private static void requireInner(Tensor self, Tensor mat2) {
    for (Tensor tensor : new Tensor[] {self, mat2}) {
      if (tensor.rank() < 1 || tensor.rank() > 6) {
        throw new IllegalArgumentException("operands have 1 to 6 dimensions, not " + tensor);
      }
    }
    long columns = self.size(self.rank() - 1);
    long rows = mat2.size(Math.max(0, mat2.rank() - 2));
    if (columns != rows) {
      throw new IllegalArgumentException(
          "self (%s) has rows of %d and mat2 (%s) columns of %d"
              .formatted(self, columns, mat2, rows));
    }
  }

  private static long[] productShape(Tensor self, Tensor mat2) {
    int batchRank = Math.max(0, Math.max(self.rank(), mat2.rank()) - 2);
    long[] shape = new long[batchRank + 2];
    for (int i = 0; i < batchRank; i++) {
      long a = batchSize(self, batchRank - i);
      long b = batchSize(mat2, batchRank - i);
      if (a != b && a != 1 && b != 1) {
        throw new IllegalArgumentException("%s and %s do not broadcast".formatted(self, mat2));
      }
      shape[i] = a == 1 ? b : a;
    }
    int rank = batchRank;
    if (self.rank() > 1) {
      shape[rank++] = self.size(self.rank() - 2);
    }
    if (mat2.rank() > 1) {
      shape[rank++] = mat2.size(mat2.rank() - 1);
    }
    return Arrays.copyOf(shape, rank);
  }

  /** The size of the batch dimension that is so many before the matrix. */
  private static long batchSize(Tensor tensor, int before) {
    int dim = tensor.rank() - 2 - before;
    return dim < 0 ? 1 : tensor.size(dim);
  }
}
