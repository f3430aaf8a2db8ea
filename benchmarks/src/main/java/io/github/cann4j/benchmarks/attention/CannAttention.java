// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionScore;
import io.github.cann4j.aclnn.FlashAttentionScoreGrad;
import io.github.cann4j.aclnn.FlashAttentionUnpaddingScoreGrad;
import io.github.cann4j.aclnn.FlashAttentionVarLenScore;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.aclnn.SparseMode;
import io.github.cann4j.aclnn.Workspace;
import io.github.cann4j.benchmarks.attention.AttentionInputs.Input;
import io.github.cann4j.packing.CompressedCausalMask;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** cann4j's bindings on the toolkit that the loader finds: BSND, or TND for packed documents. */
final class CannAttention implements AttentionRunner {
  private final Device device = Device.open(0);
  private final Stream stream = device.createStream();
  private final Workspace workspace = new Workspace(device);
  private final DeviceBuffer maskBuffer = device.allocate(CompressedCausalMask.BYTE_SIZE);
  private final Tensor mask =
      Tensor.of(maskBuffer, DataType.UINT8, CompressedCausalMask.SIZE, CompressedCausalMask.SIZE);

  CannAttention() {
    try (Arena arena = Arena.ofConfined()) {
      maskBuffer.copyFrom(CompressedCausalMask.allocate(arena));
    }
  }

  @Override
  public String description() {
    return "%s toolkit %s".formatted(Cann.toolkit().backend(), Cann.toolkit().version());
  }

  @Override
  public Prepared prepare(AttentionShape shape) {
    return new Case(shape);
  }

  @Override
  public void close() {
    maskBuffer.close();
    workspace.close();
    stream.close();
  }

  private final class Case implements Prepared {
    private final AttentionShape shape;
    private final List<DeviceBuffer> buffers = new ArrayList<>();
    private final Tensor[] results = new Tensor[Result.values().length];
    private final Runnable forward;
    private final Runnable backward;

    Case(AttentionShape shape) {
      this.shape = shape;
      Tensor query = input(Input.QUERY, shape.heads(), shape.dim());
      Tensor key = input(Input.KEY, shape.kvHeads(), shape.dim());
      Tensor value = input(Input.VALUE, shape.kvHeads(), shape.valueDim());
      Tensor dy = input(Input.OUT_GRADIENT, shape.heads(), shape.valueDim());
      Tensor max = statistics();
      Tensor sum = statistics();
      Tensor out = tensor(shape.heads(), shape.valueDim());
      Tensor dq = tensor(shape.heads(), shape.dim());
      Tensor dk = tensor(shape.kvHeads(), shape.dim());
      Tensor dv = tensor(shape.kvHeads(), shape.valueDim());
      results[Result.OUT.ordinal()] = out;
      results[Result.QUERY_GRADIENT.ordinal()] = dq;
      results[Result.KEY_GRADIENT.ordinal()] = dk;
      results[Result.VALUE_GRADIENT.ordinal()] = dv;
      double scale = 1 / Math.sqrt(shape.dim());
      if (shape.packed()) {
        long[] ends = shape.packedSequence().actualSeqLen();
        var score =
            FlashAttentionVarLenScore.builder()
                .query(query)
                .key(key)
                .value(value)
                .attenMask(mask)
                .actualSeqQLen(ends)
                .actualSeqKvLen(ends)
                .scaleValue(scale)
                .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
                .softmaxMax(max)
                .softmaxSum(sum)
                .attentionOut(out)
                .build();
        var gradient =
            FlashAttentionUnpaddingScoreGrad.builder()
                .query(query)
                .key(key)
                .value(value)
                .dy(dy)
                .attenMask(mask)
                .softmaxMax(max)
                .softmaxSum(sum)
                .attentionIn(out)
                .actualSeqQLen(ends)
                .actualSeqKvLen(ends)
                .scaleValue(scale)
                .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
                .dq(dq)
                .dk(dk)
                .dv(dv)
                .build();
        forward = () -> score.run(stream, workspace);
        backward = () -> gradient.run(stream, workspace);
      } else {
        var score =
            FlashAttentionScore.builder()
                .query(query)
                .key(key)
                .value(value)
                .attenMask(mask)
                .inputLayout(Layout.BSND)
                .scaleValue(scale)
                .sparseMode(SparseMode.LEFT_UP_CAUSAL)
                .softmaxMax(max)
                .softmaxSum(sum)
                .attentionOut(out)
                .build();
        var gradient =
            FlashAttentionScoreGrad.builder()
                .query(query)
                .key(key)
                .value(value)
                .dy(dy)
                .attenMask(mask)
                .softmaxMax(max)
                .softmaxSum(sum)
                .attentionIn(out)
                .inputLayout(Layout.BSND)
                .scaleValue(scale)
                .sparseMode(SparseMode.LEFT_UP_CAUSAL)
                .dq(dq)
                .dk(dk)
                .dv(dv)
                .build();
        forward = () -> score.run(stream, workspace);
        backward = () -> gradient.run(stream, workspace);
      }
    }

    private DeviceBuffer allocate(long bytes) {
      DeviceBuffer buffer = device.allocate(bytes);
      buffers.add(buffer);
      return buffer;
    }

    private Tensor tensor(long heads, long dim) {
      DeviceBuffer buffer = allocate(shape.length() * heads * dim * shape.type().byteSize());
      return shape.packed()
          ? Tensor.of(buffer, shape.type(), shape.length(), heads, dim)
          : Tensor.of(buffer, shape.type(), 1, shape.length(), heads, dim);
    }

    private Tensor input(Input input, long heads, long dim) {
      Tensor tensor = tensor(heads, dim);
      try (Arena arena = Arena.ofShared()) {
        MemorySegment values = arena.allocate(tensor.buffer().byteSize(), 64);
        AttentionInputs.fill(values, shape, input, false);
        tensor.buffer().copyFrom(values);
      }
      return tensor;
    }

    /** Row maxima or sums, fp32, each repeated eight times as CANN has it. */
    private Tensor statistics() {
      long rows = shape.length();
      long heads = shape.heads();
      DeviceBuffer buffer = allocate(rows * heads * 8 * Float.BYTES);
      return shape.packed()
          ? Tensor.of(buffer, DataType.FLOAT, rows, heads, 8)
          : Tensor.of(buffer, DataType.FLOAT, 1, heads, rows, 8);
    }

    @Override
    public void forward() {
      forward.run();
      stream.synchronize();
    }

    @Override
    public void backward() {
      backward.run();
      stream.synchronize();
    }

    @Override
    public double[] sample(Result result) {
      Tensor tensor = results[result.ordinal()];
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment values = arena.allocate(tensor.buffer().byteSize(), 64);
        tensor.buffer().copyTo(values);
        return AttentionInputs.sample(values, shape, result, false);
      }
    }

    @Override
    public void close() {
      buffers.forEach(DeviceBuffer::close);
    }
  }
}
