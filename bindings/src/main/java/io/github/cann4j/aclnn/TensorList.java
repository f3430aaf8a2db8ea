// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.NativeHandle;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * An {@code aclTensorList} for the length of one call. A list destroys its tensors, so it gets
 * tensors of its own, not those behind the views.
 */
final class TensorList implements AutoCloseable {
  private final MemorySegment pointer;

  TensorList(List<Tensor> tensors) {
    MemorySegment[] made = new MemorySegment[tensors.size()];
    int count = 0;
    try {
      for (Tensor tensor : tensors) {
        made[count++] = create(tensor);
      }
      MemorySegment block = Scratch.get().block(8L * count);
      for (int i = 0; i < count; i++) {
        block.setAtIndex(ValueLayout.ADDRESS, i, made[i]);
      }
      pointer = cann_h.aclCreateTensorList(block, count);
      NativeHandle.requireCreated(pointer, "aclCreateTensorList", count + " tensors");
    } catch (RuntimeException e) {
      for (MemorySegment tensor : made) {
        if (tensor != null) {
          cann_h.aclDestroyTensor(tensor);
        }
      }
      throw e;
    }
  }

  private static MemorySegment create(Tensor tensor) {
    int rank = tensor.rank();
    long[] shape = tensor.shape();
    long[] strides = tensor.strides();
    long span = 1;
    for (int i = 0; i < rank; i++) {
      span += Math.max(0, shape[i] - 1) * strides[i];
    }
    MemorySegment block = Scratch.get().block(8L * (2 * rank + 1));
    MemorySegment.copy(shape, 0, block, ValueLayout.JAVA_LONG, 0, rank);
    MemorySegment.copy(strides, 0, block, ValueLayout.JAVA_LONG, 8L * rank, rank);
    MemorySegment storage = block.asSlice(16L * rank);
    storage.set(ValueLayout.JAVA_LONG, 0, span);
    MemorySegment created =
        cann_h.aclCreateTensor(
            block,
            rank,
            tensor.dataType().aclCode(),
            block.asSlice(8L * rank),
            0,
            cann_h.ACL_FORMAT_ND(),
            storage,
            1,
            MemorySegment.ofAddress(tensor.address()));
    NativeHandle.requireCreated(created, "aclCreateTensor", tensor);
    return created;
  }

  MemorySegment pointer() {
    return pointer;
  }

  @Override
  public void close() {
    cann_h.aclDestroyTensorList(pointer);
  }
}
