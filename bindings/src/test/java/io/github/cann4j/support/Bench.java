// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.support;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.HalfFloats;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.Workspace;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** A device with a stream, a workspace and tensors that live as long as it. */
public final class Bench implements AutoCloseable {
  /** The device. */
  public final Device device;

  /** Its stream. */
  public final Stream stream;

  /** The stream's workspace. */
  public final Workspace workspace;

  private final List<DeviceBuffer> buffers = new ArrayList<>();

  /** Opens a device; where there are fewer, one of those. */
  public Bench(int id) {
    device = Device.open(id % Device.count());
    stream = device.createStream();
    workspace = new Workspace(device);
  }

  /** A tensor that holds garbage: bytes of 0xff, which are NaN in all floating types. */
  public Tensor garbage(DataType type, long... shape) {
    long elements = 1;
    for (long size : shape) {
      elements *= size;
    }
    DeviceBuffer buffer = device.allocate(Math.max(1, elements) * type.byteSize());
    buffers.add(buffer);
    buffer.fillAsync(0, buffer.byteSize(), (byte) 0xff, stream);
    stream.synchronize();
    return Tensor.of(buffer, type, shape);
  }

  /** A tensor of floating values, rounded to the type. */
  public Tensor of(DataType type, float[] values, long... shape) {
    Tensor tensor = garbage(type, shape);
    if (values.length > 0) {
      byte[] bytes = new byte[values.length * type.byteSize()];
      HalfFloats.encode(type, values, MemorySegment.ofArray(bytes));
      tensor.buffer().copyFrom(MemorySegment.ofArray(bytes));
    }
    return tensor;
  }

  /** A tensor of standard normal values, rounded to the type. */
  public Tensor normal(Random random, DataType type, long... shape) {
    int elements = 1;
    for (long size : shape) {
      elements = Math.toIntExact(elements * size);
    }
    float[] values = new float[elements];
    for (int i = 0; i < elements; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return of(type, values, shape);
  }

  /** A tensor of INT64. */
  public Tensor longs(long... values) {
    Tensor tensor = garbage(DataType.INT64, values.length);
    tensor.buffer().copyFrom(MemorySegment.ofArray(values));
    return tensor;
  }

  /** A tensor of INT32. */
  public Tensor ints(int... values) {
    Tensor tensor = garbage(DataType.INT32, values.length);
    tensor.buffer().copyFrom(MemorySegment.ofArray(values));
    return tensor;
  }

  /** The compressed causal mask. */
  public Tensor causalMask() {
    byte[] mask = new byte[2048 * 2048];
    for (int row = 0; row < 2048; row++) {
      for (int column = row + 1; column < 2048; column++) {
        mask[row * 2048 + column] = 1;
      }
    }
    Tensor tensor = garbage(DataType.UINT8, 2048, 2048);
    tensor.buffer().copyFrom(MemorySegment.ofArray(mask));
    return tensor;
  }

  /** The values of a contiguous tensor after the stream's work. */
  public float[] floats(Tensor tensor) {
    stream.synchronize();
    byte[] bytes = new byte[Math.toIntExact(tensor.byteSize())];
    tensor.buffer().copyTo(tensor.byteOffset(), MemorySegment.ofArray(bytes));
    return HalfFloats.decode(tensor.dataType(), MemorySegment.ofArray(bytes));
  }

  /** The values of a contiguous INT32 tensor after the stream's work. */
  public int[] intsOf(Tensor tensor) {
    stream.synchronize();
    int[] values = new int[Math.toIntExact(tensor.elements())];
    tensor.buffer().copyTo(tensor.byteOffset(), MemorySegment.ofArray(values));
    return values;
  }

  @Override
  public void close() {
    workspace.close();
    buffers.forEach(DeviceBuffer::close);
    stream.close();
  }
}
