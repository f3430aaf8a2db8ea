// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.TensorOps;
import io.github.cann4j.aclnn.Workspace;
import io.github.cann4j.plan.RowRange;
import java.util.ArrayList;
import java.util.List;

/**
 * What the recorders of one program share: where operations go, buffers, and the local problem, in which every tensor
 * is {@code [batch, rows, heads, dim]} (TND is a batch of one).
 *
 * @param program receives the operations
 * @param compute the stream of all operations that are no transfers
 * @param exchange the stream of all transfers
 * @param workspace kernel workspace of the compute stream
 * @param buffers of this program
 * @param masks of the calls
 * @param config the layer with the heads that this rank computes
 */
record Recording(
    Program program,
    Stream compute,
    Stream exchange,
    Workspace workspace,
    BufferPool.Lease buffers,
    CallMasks masks,
    AttentionConfig config) {

  /** Copies of one statistic that CANN keeps per row. */
  static final int STATISTIC_COPIES = 8;

  /** The same for a layer with other head counts. */
  Recording withHeads(int heads, int kvHeads) {
    AttentionConfig other =
        new AttentionConfig(
            heads,
            kvHeads,
            config.headDim(),
            config.headDimV(),
            config.dataType(),
            config.layout(),
            config.batchSize(),
            config.scale());
    return new Recording(program, compute, exchange, workspace, buffers, masks, other);
  }

  int batch() {
    return config.batchSize();
  }

  DataType dataType() {
    return config.dataType();
  }

  /** Records target ← source, with conversion. */
  void copy(Tensor target, Tensor source) {
    program.add(() -> TensorOps.inplaceCopy(target, source, compute, workspace));
  }

  /** Records target ← target + other. */
  void add(Tensor target, Tensor other) {
    program.add(() -> TensorOps.inplaceAdd(target, other, 1, compute, workspace));
  }

  void zero(Tensor target) {
    program.add(() -> TensorOps.inplaceZero(target, compute, workspace));
  }

  /** Records zeroes in the rows of a {@code [batch, rows, heads, dim]} tensor that no range has. */
  void zeroOutside(List<RowRange> ranges, Tensor tensor) {
    for (RowRange gap : gaps(ranges, tensor.size(1))) {
      for (int b = 0; b < batch(); b++) {
        zero(packedRows(tensor, b, gap));
      }
    }
  }

  /** The rows from 0 to an end that none of some ranges has, which come in the order of their beginnings. */
  static List<RowRange> gaps(List<RowRange> ranges, long end) {
    List<RowRange> gaps = new ArrayList<>();
    long begin = 0;
    for (RowRange range : ranges) {
      if (begin < range.begin()) {
        gaps.add(new RowRange(begin, range.begin()));
      }
      begin = Math.max(begin, range.end());
    }
    if (begin < end) {
      gaps.add(new RowRange(begin, end));
    }
    return gaps;
  }

  Tensor scratch(String name, DataType type, long... shape) {
    return Tensor.of(buffers.scratch(name, byteSize(type, shape)), type, shape);
  }

  Tensor kept(DataType type, long... shape) {
    DeviceBuffer buffer = buffers.keep(byteSize(type, shape));
    return Tensor.of(buffer, type, shape);
  }

  static long byteSize(DataType type, long... shape) {
    long bytes = type.byteSize();
    for (long dim : shape) {
      bytes = Math.multiplyExact(bytes, dim);
    }
    return bytes;
  }

  /** Rows of a {@code [batch, rows, heads, dim]} tensor. */
  static Tensor rows(Tensor tensor, RowRange rows) {
    return tensor.slice(1, rows.begin(), rows.end());
  }

  /** Rows of one batch element as {@code [rows, heads, dim]}, contiguous because rows are. */
  static Tensor packedRows(Tensor tensor, int batch, RowRange rows) {
    return tensor
        .slice(0, batch, batch + 1)
        .slice(1, rows.begin(), rows.end())
        .reshape(rows.length(), tensor.size(2), tensor.size(3));
  }
}
