// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import java.util.Arrays;
import java.util.List;

/**
 * Operators that pick, place and join parts of tensors. Indices are INT32 or INT64 on the device;
 * one that is out of range is an error at the next synchronizing call. Each call checks its
 * arguments ({@link IllegalArgumentException}), submits one operator to the stream and returns;
 * what the toolkit refuses is an {@link AclnnException}. All tensors are on the stream's device,
 * views may be strided, and outputs overlap nothing. Platform threads only.
 */
public final class IndexOps {
  private IndexOps() {}

  /**
   * out = the slices of self that index names along a dimension ({@code aclnnIndexSelect}).
   *
   * @param self where to select from
   * @param dim the dimension; negative counts from the end
   * @param index one dimension
   * @param out of self's type and shape, with the number of indices at dim
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void indexSelect(
      Tensor self, int dim, Tensor index, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, self, index, out);
    int at = OperandChecks.requireDim(dim, self, "self");
    OperandChecks.requireIndices(index, "index");
    OperandChecks.requireRank(index, "index", 1);
    OperandChecks.requireSameType(out, "out", self, "self");
    long[] shape = self.shape();
    shape[at] = index.size(0);
    OperandChecks.requireShape(out, "out", shape);
    Overlap.refuse(out, "out", self, "self");
    Operator.run(
        "aclnnIndexSelect",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnIndexSelectGetWorkspaceSize(
                self.handle(), at, index.handle(), out.handle(), size, executor),
        cann_h.aclnnIndexSelect$address());
    Operator.keep(self, index, out);
  }

  /**
   * out = self with alpha · source added at the places that index names along a dimension ({@code
   * aclnnIndexAdd}). A place may occur several times.
   *
   * @param self the summand
   * @param dim the dimension; negative counts from the end
   * @param index one dimension
   * @param source self's type and shape, with the number of indices at dim
   * @param alpha factor of source; whole for integer types
   * @param out self's type and shape
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void indexAdd(
      Tensor self,
      int dim,
      Tensor index,
      Tensor source,
      double alpha,
      Tensor out,
      Stream stream,
      Workspace workspace) {
    OperandChecks.requireDevice(stream, self, index, source, out);
    int at = OperandChecks.requireDim(dim, self, "self");
    OperandChecks.requireIndices(index, "index");
    OperandChecks.requireRank(index, "index", 1);
    OperandChecks.requireSameType(source, "source", self, "self");
    OperandChecks.requireSameType(out, "out", self, "self");
    long[] shape = self.shape();
    OperandChecks.requireShape(out, "out", shape);
    shape[at] = index.size(0);
    OperandChecks.requireShape(source, "source", shape);
    Overlap.refuse(out, "out", source, "source");
    OperandChecks.refusePartialOverlap(out, self);
    try (ScalarValue factor = ScalarValue.of(alpha, self.dataType())) {
      Operator.run(
          "aclnnIndexAdd",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnIndexAddGetWorkspaceSize(
                  self.handle(),
                  at,
                  index.handle(),
                  source.handle(),
                  factor.pointer(),
                  out.handle(),
                  size,
                  executor),
          cann_h.aclnnIndexAdd$address());
      Operator.keep(self, index, source, out);
    }
  }

  /**
   * out[…, j, …] = self[…, index[…, j, …], …] along a dimension ({@code aclnnGather}).
   *
   * @param self where to gather from
   * @param dim the dimension; negative counts from the end
   * @param index as many dimensions as self; no larger than self but along dim
   * @param out self's type and the shape of index
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void gather(
      Tensor self, int dim, Tensor index, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, self, index, out);
    int at = OperandChecks.requireDim(dim, self, "self");
    OperandChecks.requireIndices(index, "index");
    OperandChecks.requireRank(index, "index", self.rank());
    OperandChecks.requireSameType(out, "out", self, "self");
    OperandChecks.requireShape(out, "out", index.shape());
    Overlap.refuse(out, "out", self, "self");
    Operator.run(
        "aclnnGather",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnGatherGetWorkspaceSize(
                self.handle(), at, index.handle(), out.handle(), size, executor),
        cann_h.aclnnGather$address());
    Operator.keep(self, index, out);
  }

  /**
   * out = every step-th slice of self from start, before end, along a dimension ({@code
   * aclnnSlice}). For a view without a copy see {@link Tensor#slice}.
   *
   * @param self what to copy from
   * @param dim the dimension; negative counts from the end
   * @param start the first slice; negative counts from the end
   * @param end behind the last slice; beyond the size it means the size
   * @param step at least 1
   * @param out self's type and shape, with the number of slices at dim
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void slice(
      Tensor self,
      int dim,
      long start,
      long end,
      long step,
      Tensor out,
      Stream stream,
      Workspace workspace) {
    OperandChecks.requireDevice(stream, self, out);
    int at = OperandChecks.requireDim(dim, self, "self");
    if (step < 1) {
      throw new IllegalArgumentException("step must be at least 1, not " + step);
    }
    OperandChecks.requireSameType(out, "out", self, "self");
    long slices = self.size(at);
    long from = Math.clamp(start < 0 ? start + slices : start, 0, slices);
    long to = Math.clamp(end < 0 ? end + slices : end, from, slices);
    long[] shape = self.shape();
    shape[at] = Math.ceilDiv(to - from, step);
    OperandChecks.requireShape(out, "out", shape);
    Overlap.refuse(out, "out", self, "self");
    Operator.run(
        "aclnnSlice",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnSliceGetWorkspaceSize(
                self.handle(), at, from, to, step, out.handle(), size, executor),
        cann_h.aclnnSlice$address());
    Operator.keep(self, out);
  }

  /**
   * out = the tensors one after the other along a dimension ({@code aclnnCat}).
   *
   * @param tensors at least one; of one type, and of one shape but at dim
   * @param dim the dimension; negative counts from the end
   * @param out their type, with the sum of their sizes at dim
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void cat(
      List<Tensor> tensors, int dim, Tensor out, Stream stream, Workspace workspace) {
    if (tensors.isEmpty()) {
      throw new IllegalArgumentException("there is nothing to join");
    }
    Tensor first = tensors.getFirst();
    int at = OperandChecks.requireDim(dim, first, "tensors[0]");
    long[] shape = first.shape();
    shape[at] = 0;
    for (int i = 0; i < tensors.size(); i++) {
      Tensor tensor = tensors.get(i);
      String name = "tensors[" + i + "]";
      OperandChecks.requireDevice(stream, tensor);
      OperandChecks.requireSameType(tensor, name, first, "tensors[0]");
      OperandChecks.requireRank(tensor, name, first.rank());
      long[] own = tensor.shape();
      shape[at] += own[at];
      own[at] = first.size(at);
      if (!Arrays.equals(own, first.shape())) {
        throw new IllegalArgumentException(
            "%s (%s) differs from tensors[0] (%s) not only at dimension %d"
                .formatted(name, tensor, first, at));
      }
      Overlap.refuse(out, "out", tensor, name);
    }
    OperandChecks.requireDevice(stream, out);
    OperandChecks.requireSameType(out, "out", first, "tensors[0]");
    OperandChecks.requireShape(out, "out", shape);
    try (TensorList list = new TensorList(tensors)) {
      Operator.run(
          "aclnnCat",
          stream,
          workspace,
          (size, executor) ->
              cann_h.aclnnCatGetWorkspaceSize(list.pointer(), at, out.handle(), size, executor),
          cann_h.aclnnCat$address());
      Operator.keep(out);
    }
    Operator.keep(tensors.toArray(Tensor[]::new));
  }

  /**
   * out = the rows of weight that indices name ({@code aclnnEmbedding}).
   *
   * @param weight [rows, width]
   * @param indices any shape
   * @param out weight's type; the shape of indices and then the width
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void embedding(
      Tensor weight, Tensor indices, Tensor out, Stream stream, Workspace workspace) {
    OperandChecks.requireDevice(stream, weight, indices, out);
    OperandChecks.requireRank(weight, "weight", 2);
    OperandChecks.requireIndices(indices, "indices");
    OperandChecks.requireSameType(out, "out", weight, "weight");
    long[] shape = Arrays.copyOf(indices.shape(), indices.rank() + 1);
    shape[indices.rank()] = weight.size(1);
    OperandChecks.requireShape(out, "out", shape);
    Overlap.refuse(out, "out", weight, "weight");
    Operator.run(
        "aclnnEmbedding",
        stream,
        workspace,
        cann_h::aclnnEmbeddingGetWorkspaceSize,
        cann_h.aclnnEmbedding$address(),
        weight,
        indices,
        out);
  }

  /**
   * The gradient of {@link #embedding}: out[r] = the sum of the rows of grad whose index is r
   * ({@code aclnnEmbeddingDenseBackward}).
   *
   * @param grad the shape of indices and then the width
   * @param indices any shape
   * @param paddingIdx a row whose gradient stays 0; −1 for none
   * @param scaleGradByFreq whether a row is divided by how often it occurs
   * @param out [rows, width] in the type of grad
   * @param stream the stream
   * @param workspace the stream's workspace
   */
  public static void embeddingDenseBackward(
      Tensor grad,
      Tensor indices,
      long paddingIdx,
      boolean scaleGradByFreq,
      Tensor out,
      Stream stream,
      Workspace workspace) {
    OperandChecks.requireDevice(stream, grad, indices, out);
    OperandChecks.requireRank(out, "out", 2);
    OperandChecks.requireIndices(indices, "indices");
    OperandChecks.requireSameType(out, "out", grad, "grad");
    long[] shape = Arrays.copyOf(indices.shape(), indices.rank() + 1);
    shape[indices.rank()] = out.size(1);
    OperandChecks.requireShape(grad, "grad", shape);
    Overlap.refuse(out, "out", grad, "grad");
    Operator.run(
        "aclnnEmbeddingDenseBackward",
        stream,
        workspace,
        (size, executor) ->
            cann_h.aclnnEmbeddingDenseBackwardGetWorkspaceSize(
                grad.handle(),
                indices.handle(),
                out.size(0),
                paddingIdx,
                scaleGradByFreq,
                out.handle(),
                size,
                executor),
        cann_h.aclnnEmbeddingDenseBackward$address());
    Operator.keep(grad, indices, out);
  }
}
