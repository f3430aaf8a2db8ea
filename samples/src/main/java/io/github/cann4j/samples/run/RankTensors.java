// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.plan.RowRange;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** The eight tensors of one rank, in device memory that it owns: inputs and results. */
final class RankTensors implements AutoCloseable {
  private final Device device;
  private final AttentionConfig config;
  private final AttentionInputs inputs;
  private final long rows;
  private final Map<Part, DeviceBuffer> inputBuffers = new EnumMap<>(Part.class);
  private final Map<OutputPart, DeviceBuffer> outputBuffers = new EnumMap<>(OutputPart.class);

  /**
   * Allocates the tensors and fills the inputs.
   *
   * @param shard the global rows of this rank in local order
   */
  RankTensors(Device device, AttentionConfig config, AttentionInputs inputs, List<RowRange> shard) {
    this.device = device;
    this.config = config;
    this.inputs = inputs;
    rows = shard.stream().mapToLong(RowRange::length).sum();
    for (Part part : Part.values()) {
      DeviceBuffer buffer = allocate(part);
      inputBuffers.put(part, buffer);
      inputs.upload(part, shard, buffer);
    }
    for (OutputPart part : OutputPart.values()) {
      outputBuffers.put(part, allocate(part.shapedLike()));
    }
  }

  private DeviceBuffer allocate(Part part) {
    return device.allocate(rows * inputs.width(part) * config.dataType().byteSize());
  }

  Tensor input(Part part) {
    return view(inputBuffers.get(part), part);
  }

  Tensor output(OutputPart part) {
    return view(outputBuffers.get(part), part.shapedLike());
  }

  private Tensor view(DeviceBuffer buffer, Part part) {
    int heads = inputs.heads(part);
    return config.layout() == Layout.TND
        ? Tensor.of(buffer, config.dataType(), rows, heads, config.headDim())
        : Tensor.of(buffer, config.dataType(), 1, rows, heads, config.headDim());
  }

  /** The memory of a result: its rows one after the other, in both layouts. */
  DeviceBuffer outputBuffer(OutputPart part) {
    return outputBuffers.get(part);
  }

  /** Frees the inputs and keeps the results. */
  void closeInputs() {
    inputBuffers.values().forEach(DeviceBuffer::close);
  }

  @Override
  public void close() {
    closeInputs();
    outputBuffers.values().forEach(DeviceBuffer::close);
  }
}
