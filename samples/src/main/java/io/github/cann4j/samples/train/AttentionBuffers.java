// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.ndarray.NDArray;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.PinnedBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.TensorOps;
import io.github.cann4j.aclnn.Workspace;
import io.github.cann4j.attention.AttentionConfig;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Device tensors of all layers' attention for a number of rows, and the pinned memory between them
 * and the framework's FLOAT32 arrays. Other types are cast on the device.
 */
final class AttentionBuffers implements AutoCloseable {
  private final AttentionConfig config;
  private final Device device;
  private final long rows;
  private final List<DeviceBuffer> owned = new ArrayList<>();
  private final Tensor[][] layers;
  private final Tensor[] gradients;
  private final PinnedBuffer pinned;
  private final DeviceBuffer stage;
  private final Workspace workspace;

  AttentionBuffers(Device device, AttentionConfig config, int layerCount, long rows) {
    this.device = device;
    this.config = config;
    this.rows = rows;
    layers = new Tensor[layerCount][];
    for (int layer = 0; layer < layerCount; layer++) {
      layers[layer] = likeInputsAndOutput();
    }
    gradients = likeInputsAndOutput();
    long bytes = rows * (config.heads() + 2L * config.kvHeads()) * config.headDim() * Float.BYTES;
    pinned = device.allocatePinned(bytes);
    if (config.dataType() == DataType.FLOAT) {
      stage = null;
      workspace = null;
    } else {
      stage = device.allocate(bytes);
      workspace = new Workspace(device);
    }
  }

  private Tensor[] likeInputsAndOutput() {
    int[] heads = {config.heads(), config.kvHeads(), config.kvHeads(), config.heads()};
    Tensor[] tensors = new Tensor[heads.length];
    for (int i = 0; i < heads.length; i++) {
      long bytes = rows * heads[i] * config.headDim() * config.dataType().byteSize();
      DeviceBuffer buffer = device.allocate(bytes);
      owned.add(buffer);
      tensors[i] = Tensor.of(buffer, config.dataType(), rows, heads[i], config.headDim());
    }
    return tensors;
  }

  long rows() {
    return rows;
  }

  Tensor q(int layer) {
    return layers[layer][0];
  }

  Tensor k(int layer) {
    return layers[layer][1];
  }

  Tensor v(int layer) {
    return layers[layer][2];
  }

  Tensor out(int layer) {
    return layers[layer][3];
  }

  Tensor dq() {
    return gradients[0];
  }

  Tensor dk() {
    return gradients[1];
  }

  Tensor dv() {
    return gradients[2];
  }

  Tensor dOut() {
    return gradients[3];
  }

  /** Submits copies of arrays to tensors; whoever changes the pinned memory next synchronizes. */
  void upload(List<NDArray> arrays, List<Tensor> tensors, Stream stream) {
    long offset = 0;
    for (int i = 0; i < arrays.size(); i++) {
      Tensor tensor = tensors.get(i);
      MemorySegment from = HostMemory.of(arrays.get(i));
      MemorySegment.copy(from, 0, pinned.segment(), offset, from.byteSize());
      if (stage == null) {
        tensor.buffer().copyFromAsync(0, pinned, offset, from.byteSize(), stream);
      } else {
        stage.copyFromAsync(offset, pinned, offset, from.byteSize(), stream);
        TensorOps.cast(staged(offset, tensor), tensor, stream, workspace);
      }
      offset += from.byteSize();
    }
  }

  /** Submits copies of tensors to the pinned memory, from which {@link #take} copies them. */
  void submitDownload(List<Tensor> tensors, Stream stream) {
    long offset = 0;
    for (Tensor tensor : tensors) {
      long bytes = tensor.elements() * Float.BYTES;
      if (stage == null) {
        tensor.buffer().copyToAsync(0, pinned, offset, bytes, stream);
      } else {
        TensorOps.cast(tensor, staged(offset, tensor), stream, workspace);
        stage.copyToAsync(offset, pinned, offset, bytes, stream);
      }
      offset += bytes;
    }
  }

  /** Fills arrays with the tensors of the last download, which is done. */
  void take(List<NDArray> arrays) {
    long offset = 0;
    for (NDArray array : arrays) {
      MemorySegment to = HostMemory.of(array);
      MemorySegment.copy(pinned.segment(), offset, to, 0, to.byteSize());
      offset += to.byteSize();
    }
  }

  private Tensor staged(long offset, Tensor like) {
    return Tensor.of(stage, offset, DataType.FLOAT, like.shape());
  }

  @Override
  public void close() {
    owned.forEach(DeviceBuffer::close);
    if (stage != null) {
      stage.close();
      workspace.close();
    }
    pinned.close();
  }
}
