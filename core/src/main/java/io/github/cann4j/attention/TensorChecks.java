// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.Layout;
import java.util.Arrays;

/** Checks one rank's tensors against the layer and the plan, and brings them to {@code [batch, rows, heads, dim]}. */
final class TensorChecks {
  private static final int ALIGNMENT = 32;

  private final AttentionConfig config;
  private final Device device;
  private final long rows;

  TensorChecks(AttentionConfig config, Device device, long rows) {
    this.config = config;
    this.device = device;
    this.rows = rows;
  }

  LocalTensors tensors(LocalTensors given) {
    LocalTensors checked =
        new LocalTensors(
            check("q", given.q(), config.heads(), config.headDim()),
            check("k", given.k(), config.kvHeads(), config.headDim()),
            check("v", given.v(), config.kvHeads(), config.headDimV()),
            check("out", given.out(), config.heads(), config.headDimV()));
    requireApart("out", given.out(), "q", given.q());
    requireApart("out", given.out(), "k", given.k());
    requireApart("out", given.out(), "v", given.v());
    return checked;
  }

  LocalTensors.Gradients gradients(LocalTensors.Gradients given, LocalTensors tensors) {
    LocalTensors.Gradients checked =
        new LocalTensors.Gradients(
            check("dOut", given.out(), config.heads(), config.headDimV()),
            check("dq", given.q(), config.heads(), config.headDim()),
            check("dk", given.k(), config.kvHeads(), config.headDim()),
            check("dv", given.v(), config.kvHeads(), config.headDimV()));
    requireApart("out", tensors.out(), "dOut", given.out());
    String[] writtenNames = {"dq", "dk", "dv"};
    Tensor[] written = {given.q(), given.k(), given.v()};
    String[] otherNames = {"q", "k", "v", "out", "dOut"};
    Tensor[] others = {tensors.q(), tensors.k(), tensors.v(), tensors.out(), given.out()};
    for (int i = 0; i < written.length; i++) {
      for (int j = 0; j < others.length; j++) {
        requireApart(writtenNames[i], written[i], otherNames[j], others[j]);
      }
      for (int j = 0; j < i; j++) {
        requireApart(writtenNames[i], written[i], writtenNames[j], written[j]);
      }
    }
    return checked;
  }

  private Tensor check(String name, Tensor tensor, long heads, long dim) {
    boolean packed = config.layout() == Layout.TND;
    long[] shape =
        packed
            ? new long[] {rows, heads, dim}
            : new long[] {config.batchSize(), rows, heads, dim};
    if (!Arrays.equals(tensor.shape(), shape)) {
      throw new IllegalArgumentException(
          "%s must be %s in %s, this rank's part of the plan, not %s"
              .formatted(
                  name, Arrays.toString(shape), config.layout(), Arrays.toString(tensor.shape())));
    }
    if (tensor.dataType() != config.dataType()) {
      throw new IllegalArgumentException(
          "%s must be %s like the layer, not %s"
              .formatted(name, config.dataType(), tensor.dataType()));
    }
    if (tensor.device().id() != device.id()) {
      throw new IllegalArgumentException(
          "%s is on device %d, this rank computes on device %d"
              .formatted(name, tensor.device().id(), device.id()));
    }
    if (!tensor.isContiguous()) {
      throw new IllegalArgumentException(
          "%s must be contiguous; its strides are %s"
              .formatted(name, Arrays.toString(tensor.strides())));
    }
    if (address(tensor) % ALIGNMENT != 0) {
      throw new IllegalArgumentException(
          "%s must begin at a multiple of %d bytes; it begins at byte %d of its buffer"
              .formatted(name, ALIGNMENT, tensor.byteOffset()));
    }
    return packed ? tensor.reshape(1, rows, heads, dim) : tensor;
  }

  private static void requireApart(String nameA, Tensor a, String nameB, Tensor b) {
    if (address(a) < address(b) + byteSize(b) && address(b) < address(a) + byteSize(a)) {
      throw new IllegalArgumentException(
          "%s is written and must not share memory with %s".formatted(nameA, nameB));
    }
  }

  private static long address(Tensor tensor) {
    return tensor.buffer().address() + tensor.byteOffset();
  }

  private static long byteSize(Tensor tensor) {
    return tensor.elements() * tensor.dataType().byteSize();
  }
}
