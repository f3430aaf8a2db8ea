// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.flash;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Event;
import io.github.cann4j.acl.HalfFloats;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionScore;
import io.github.cann4j.aclnn.FlashAttentionScoreGrad;
import io.github.cann4j.aclnn.FlashAttentionUnpaddingScoreGrad;
import io.github.cann4j.aclnn.FlashAttentionVarLenScore;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.aclnn.SparseMode;
import io.github.cann4j.aclnn.Workspace;
import io.github.cann4j.packing.CompressedCausalMask;
import io.github.cann4j.samples.run.ErrorMeter;
import io.github.cann4j.samples.run.Tolerance;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** One forward and one gradient call of CANN's flash attention, and how far off they are. */
public final class SingleDeviceAttention implements AutoCloseable {
  private final AttentionCase attention;
  private final Device device;
  private final Stream stream;
  private final Workspace workspace;
  private final List<DeviceBuffer> buffers = new ArrayList<>();
  private final Tensor mask;

  /**
   * What one layout gave.
   *
   * @param forwardMillis time of the forward call on the device
   * @param backwardMillis time of the gradient call
   * @param teraFlops operations of allowed pairs per second, both calls, in 10^12
   */
  public record Outcome(
      Layout layout,
      double forwardMillis,
      double backwardMillis,
      double teraFlops,
      ErrorMeter out,
      ErrorMeter queryGradient,
      ErrorMeter keyGradient,
      ErrorMeter valueGradient) {

    /** Whether all results are close enough to the reference. */
    public boolean passed() {
      return out.passed()
          && queryGradient.passed()
          && keyGradient.passed()
          && valueGradient.passed();
    }
  }

  public SingleDeviceAttention(Device device, AttentionCase attention) {
    this.device = device;
    this.attention = attention;
    stream = device.createStream();
    workspace = new Workspace(device);
    DeviceBuffer maskBuffer = allocate(CompressedCausalMask.BYTE_SIZE);
    try (Arena arena = Arena.ofConfined()) {
      maskBuffer.copyFrom(CompressedCausalMask.allocate(arena));
    }
    mask =
        Tensor.of(maskBuffer, DataType.UINT8, CompressedCausalMask.SIZE, CompressedCausalMask.SIZE);
  }

  private DeviceBuffer allocate(long bytes) {
    DeviceBuffer buffer = device.allocate(bytes);
    buffers.add(buffer);
    return buffer;
  }

  /** The calls of one layout, once as a warm-up and once timed. */
  private record Calls(Runnable forward, Runnable backward) {}

  /**
   * Runs forward and gradient.
   *
   * @param layout TND for documents of any length, BSND for documents of one length
   */
  public Outcome run(Layout layout) {
    Tensor query = input(layout, attention.query(), attention.heads());
    Tensor key = input(layout, attention.key(), attention.kvHeads());
    Tensor value = input(layout, attention.value(), attention.kvHeads());
    Tensor dy = input(layout, attention.outGradient(), attention.heads());
    Tensor out = empty(layout, attention.heads());
    Tensor dq = empty(layout, attention.heads());
    Tensor dk = empty(layout, attention.kvHeads());
    Tensor dv = empty(layout, attention.kvHeads());
    Tensor max = statistics(layout);
    Tensor sum = statistics(layout);
    Calls calls =
        switch (layout) {
          case TND -> varLen(query, key, value, dy, out, max, sum, dq, dk, dv);
          case BSND -> dense(query, key, value, dy, out, max, sum, dq, dk, dv);
          default -> throw new IllegalArgumentException("layout " + layout);
        };
    double[] millis = new double[2];
    try (Event begin = device.createTimingEvent();
        Event middle = device.createTimingEvent();
        Event end = device.createTimingEvent()) {
      for (int i = 0; i < 2; i++) {
        stream.record(begin);
        calls.forward().run();
        stream.record(middle);
        calls.backward().run();
        stream.record(end);
        stream.synchronize();
      }
      millis[0] = middle.millisSince(begin);
      millis[1] = end.millisSince(middle);
    }
    double flops = 3.5 * 4 * attention.headDim() * attention.heads() * attention.pairs();
    return new Outcome(
        layout,
        millis[0],
        millis[1],
        flops / (millis[0] + millis[1]) * 1e-9,
        compare(out, attention.expectedOut(), false),
        compare(dq, attention.expectedQueryGradient(), true),
        compare(dk, attention.expectedKeyGradient(), true),
        compare(dv, attention.expectedValueGradient(), true));
  }

  private Calls varLen(
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor dy,
      Tensor out,
      Tensor max,
      Tensor sum,
      Tensor dq,
      Tensor dk,
      Tensor dv) {
    long[] ends = attention.documents().actualSeqLen();
    FlashAttentionVarLenScore forward =
        FlashAttentionVarLenScore.builder()
            .query(query)
            .key(key)
            .value(value)
            .attenMask(mask)
            .actualSeqQLen(ends)
            .actualSeqKvLen(ends)
            .scaleValue(attention.scale())
            .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
            .softmaxMax(max)
            .softmaxSum(sum)
            .attentionOut(out)
            .build();
    FlashAttentionUnpaddingScoreGrad backward =
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
            .scaleValue(attention.scale())
            .sparseMode(SparseMode.RIGHT_DOWN_CAUSAL)
            .dq(dq)
            .dk(dk)
            .dv(dv)
            .build();
    return new Calls(() -> forward.run(stream, workspace), () -> backward.run(stream, workspace));
  }

  private Calls dense(
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor dy,
      Tensor out,
      Tensor max,
      Tensor sum,
      Tensor dq,
      Tensor dk,
      Tensor dv) {
    FlashAttentionScore forward =
        FlashAttentionScore.builder()
            .query(query)
            .key(key)
            .value(value)
            .attenMask(mask)
            .inputLayout(Layout.BSND)
            .scaleValue(attention.scale())
            .sparseMode(SparseMode.LEFT_UP_CAUSAL)
            .softmaxMax(max)
            .softmaxSum(sum)
            .attentionOut(out)
            .build();
    FlashAttentionScoreGrad backward =
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
            .scaleValue(attention.scale())
            .sparseMode(SparseMode.LEFT_UP_CAUSAL)
            .dq(dq)
            .dk(dk)
            .dv(dv)
            .build();
    return new Calls(() -> forward.run(stream, workspace), () -> backward.run(stream, workspace));
  }

  private Tensor input(Layout layout, float[] values, int heads) {
    Tensor tensor = empty(layout, heads);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment encoded = arena.allocate(tensor.buffer().byteSize(), 64);
      HalfFloats.encode(attention.type(), values, encoded);
      tensor.buffer().copyFrom(encoded);
    }
    return tensor;
  }

  private Tensor empty(Layout layout, int heads) {
    long rows = attention.documents().length();
    long dim = attention.headDim();
    DeviceBuffer buffer = allocate(rows * heads * dim * attention.type().byteSize());
    long batch = attention.documents().documentCount();
    return layout == Layout.TND
        ? Tensor.of(buffer, attention.type(), rows, heads, dim)
        : Tensor.of(buffer, attention.type(), batch, rows / batch, heads, dim);
  }

  /** Row maxima or sums, fp32, each repeated eight times as CANN has it. */
  private Tensor statistics(Layout layout) {
    long rows = attention.documents().length();
    int heads = attention.heads();
    DeviceBuffer buffer = allocate(rows * heads * 8 * DataType.FLOAT.byteSize());
    long batch = attention.documents().documentCount();
    return layout == Layout.TND
        ? Tensor.of(buffer, DataType.FLOAT, rows, heads, 8)
        : Tensor.of(buffer, DataType.FLOAT, batch, heads, rows / batch, 8);
  }

  private ErrorMeter compare(Tensor tensor, double[] expected, boolean gradient) {
    float[] actual;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment encoded = arena.allocate(tensor.buffer().byteSize(), 64);
      tensor.buffer().copyTo(encoded);
      actual = HalfFloats.decode(attention.type(), encoded);
    }
    ErrorMeter meter = new ErrorMeter(Tolerance.of(attention.type(), gradient));
    int width = actual.length / (int) attention.documents().length();
    for (int i = 0; i < actual.length; i++) {
      meter.add(i / width, actual[i], expected[i]);
    }
    return meter;
  }

  @Override
  public void close() {
    buffers.forEach(DeviceBuffer::close);
    workspace.close();
    stream.close();
  }
}
