// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.NativeHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;

/**
 * An immutable view of a device buffer: element type, shape, strides and offset. It owns nothing;
 * using it after its buffer was closed is an {@link IllegalStateException}. Shapes and strides
 * count elements, offsets count bytes where a name says so. A dimension may be 0.
 *
 * <p>The {@code aclTensor} behind the view is made at its first use and kept until the view is
 * garbage. Any thread may make views; operations on them need a platform thread.
 */
public final class Tensor {
  /** The largest number of dimensions that CANN's operators take. */
  public static final int MAX_RANK = 8;

  private final DeviceBuffer buffer;
  private final DataType dataType;
  private final long byteOffset;
  private final long[] shape;
  private final long[] strides;
  private final long elements;
  private final boolean contiguous;
  private volatile NativeHandle handle;

  private Tensor(
      DeviceBuffer buffer, DataType dataType, long byteOffset, long[] shape, long[] strides) {
    this.buffer = Objects.requireNonNull(buffer, "buffer");
    this.dataType = Objects.requireNonNull(dataType, "dataType");
    this.byteOffset = byteOffset;
    this.shape = shape;
    this.strides = strides;
    if (shape.length > MAX_RANK) {
      throw new IllegalArgumentException(
          "a tensor has at most %d dimensions, not %d: %s"
              .formatted(MAX_RANK, shape.length, Arrays.toString(shape)));
    }
    if (strides.length != shape.length) {
      throw new IllegalArgumentException(
          "shape %s and strides %s differ in length"
              .formatted(Arrays.toString(shape), Arrays.toString(strides)));
    }
    long count = 1;
    long last = 0;
    for (int i = 0; i < shape.length; i++) {
      if (shape[i] < 0 || strides[i] < 0) {
        throw new IllegalArgumentException(
            "negative size or stride: shape %s, strides %s"
                .formatted(Arrays.toString(shape), Arrays.toString(strides)));
      }
      count = multiply(count, shape[i]);
      last = Math.addExact(last, multiply(Math.max(0, shape[i] - 1), strides[i]));
    }
    this.elements = count;
    this.contiguous = count == 0 || isDense(shape, strides);
    int size = dataType.byteSize();
    long end = count == 0 ? 0 : multiply(Math.addExact(last, 1), size);
    if (byteOffset < 0 || byteOffset > buffer.byteSize() - end) {
      throw new IllegalArgumentException(
          "%s of shape %s with strides %s takes %d bytes from offset %d, but the buffer has %d"
              .formatted(
                  dataType,
                  Arrays.toString(shape),
                  Arrays.toString(strides),
                  end,
                  byteOffset,
                  buffer.byteSize()));
    }
    if (byteOffset % size != 0) {
      throw new IllegalArgumentException(
          "offset %d is not a multiple of the %d bytes of %s"
              .formatted(byteOffset, size, dataType));
    }
  }

  private long multiply(long a, long b) {
    long product;
    if (Math.multiplyHigh(a, b) != 0 || (product = a * b) < 0) {
      throw new IllegalArgumentException(
          "more elements than a long can count: shape %s, strides %s"
              .formatted(Arrays.toString(shape), Arrays.toString(strides)));
    }
    return product;
  }

  private static boolean isDense(long[] shape, long[] strides) {
    long expected = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      if (shape[i] != 1 && strides[i] != expected) {
        return false;
      }
      expected *= shape[i];
    }
    return true;
  }

  private static long[] denseStrides(long[] shape) {
    long[] strides = new long[shape.length];
    long next = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      strides[i] = next;
      next *= Math.max(1, shape[i]);
    }
    return strides;
  }

  /**
   * Views the start of a buffer as a contiguous tensor.
   *
   * @param buffer the memory
   * @param dataType the element type
   * @param shape sizes, outermost first; none for a single element
   * @return the view
   */
  public static Tensor of(DeviceBuffer buffer, DataType dataType, long... shape) {
    return of(buffer, 0, dataType, shape);
  }

  /**
   * Views a part of a buffer as a contiguous tensor.
   *
   * @param buffer the memory
   * @param byteOffset where the view begins, a multiple of the element size. CANN wants views whose
   *     address is a multiple of 32 bytes (see {@link #isAligned})
   * @param dataType the element type
   * @param shape sizes, outermost first; none for a single element
   * @return the view
   */
  public static Tensor of(DeviceBuffer buffer, long byteOffset, DataType dataType, long... shape) {
    long[] sizes = shape.clone();
    return new Tensor(buffer, dataType, byteOffset, sizes, denseStrides(sizes));
  }

  /**
   * Views a part of a buffer with any strides.
   *
   * @param buffer the memory
   * @param byteOffset where the first element is, a multiple of the element size
   * @param dataType the element type
   * @param shape sizes, outermost first
   * @param strides for each dimension the distance of neighbours, in elements, not negative
   * @return the view
   */
  public static Tensor strided(
      DeviceBuffer buffer, long byteOffset, DataType dataType, long[] shape, long[] strides) {
    return new Tensor(buffer, dataType, byteOffset, shape.clone(), strides.clone());
  }

  /**
   * Views a range of one dimension.
   *
   * @param dim 0 … rank − 1
   * @param begin first index
   * @param end index after the last, at least {@code begin}
   * @return the view
   */
  public Tensor slice(int dim, long begin, long end) {
    requireDim(dim);
    if (begin < 0 || end < begin || end > shape[dim]) {
      throw new IllegalArgumentException(
          "[%d, %d) is not a range of dimension %d of %s".formatted(begin, end, dim, this));
    }
    long[] sizes = shape.clone();
    sizes[dim] = end - begin;
    long offset = byteOffset + begin * strides[dim] * dataType.byteSize();
    return new Tensor(buffer, dataType, offset, sizes, strides);
  }

  /**
   * Views the same elements, in the same order, with another shape.
   *
   * @param newShape sizes with the same product
   * @return the view
   * @throws IllegalArgumentException if the product differs or this view is not contiguous
   */
  public Tensor reshape(long... newShape) {
    long[] sizes = newShape.clone();
    long product = Arrays.stream(sizes).reduce(1, (a, b) -> a * b);
    if (product != elements || !contiguous) {
      throw new IllegalArgumentException(
          "cannot view %s%s as shape %s"
              .formatted(contiguous ? "" : "the non-contiguous ", this, Arrays.toString(sizes)));
    }
    return new Tensor(buffer, dataType, byteOffset, sizes, denseStrides(sizes));
  }

  /**
   * Views the dimensions in another order; nothing is copied.
   *
   * @param dims for each new dimension the old one
   * @return the view
   */
  public Tensor permute(int... dims) {
    int[] sorted = dims.clone();
    Arrays.sort(sorted);
    boolean valid = dims.length == rank();
    for (int i = 0; valid && i < sorted.length; i++) {
      valid = sorted[i] == i;
    }
    if (!valid) {
      throw new IllegalArgumentException(
          "%s is not an order of the dimensions of %s".formatted(Arrays.toString(dims), this));
    }
    long[] sizes = new long[dims.length];
    long[] steps = new long[dims.length];
    for (int i = 0; i < dims.length; i++) {
      sizes[i] = shape[dims[i]];
      steps[i] = strides[dims[i]];
    }
    return new Tensor(buffer, dataType, byteOffset, sizes, steps);
  }

  /**
   * Returns the element type.
   *
   * @return the type
   */
  public DataType dataType() {
    return dataType;
  }

  /**
   * Returns the number of dimensions.
   *
   * @return 0 … {@link #MAX_RANK}
   */
  public int rank() {
    return shape.length;
  }

  /**
   * Returns the size of one dimension.
   *
   * @param dim 0 … rank − 1
   * @return elements
   */
  public long size(int dim) {
    requireDim(dim);
    return shape[dim];
  }

  private void requireDim(int dim) {
    if (dim < 0 || dim >= shape.length) {
      throw new IllegalArgumentException("%s has no dimension %d".formatted(this, dim));
    }
  }

  /**
   * Returns the sizes.
   *
   * @return a new array, outermost first
   */
  public long[] shape() {
    return shape.clone();
  }

  /**
   * Tells whether the view has these sizes, without allocating.
   *
   * @param other a view
   * @return whether both shapes are equal
   */
  public boolean hasShapeOf(Tensor other) {
    return Arrays.equals(shape, other.shape);
  }

  /**
   * Returns the stride of one dimension.
   *
   * @param dim 0 … rank − 1
   * @return elements
   */
  public long stride(int dim) {
    requireDim(dim);
    return strides[dim];
  }

  /**
   * Tells whether the view has these strides, without allocating.
   *
   * @param other a view
   * @return whether all strides are equal
   */
  public boolean hasStridesOf(Tensor other) {
    return Arrays.equals(strides, other.strides);
  }

  /**
   * Returns the strides.
   *
   * @return a new array, in elements
   */
  public long[] strides() {
    return strides.clone();
  }

  /**
   * Returns the number of elements.
   *
   * @return the product of the sizes
   */
  public long elements() {
    return elements;
  }

  /**
   * Returns the size of the elements.
   *
   * @return bytes, gaps between strided elements not counted
   */
  public long byteSize() {
    return elements * dataType.byteSize();
  }

  /**
   * Returns where the first element is.
   *
   * @return bytes from the start of the buffer
   */
  public long byteOffset() {
    return byteOffset;
  }

  /**
   * Tells whether the elements lie densely in row-major order.
   *
   * @return whether there are no gaps
   */
  public boolean isContiguous() {
    return contiguous;
  }

  /**
   * Tells whether the first element lies on a multiple of 32 bytes, which CANN asks of operands.
   *
   * @return whether it does
   */
  public boolean isAligned() {
    return address() % 32 == 0;
  }

  /**
   * Returns the memory.
   *
   * @return the buffer below this view
   */
  public DeviceBuffer buffer() {
    return buffer;
  }

  /**
   * Returns the device.
   *
   * @return the device of the buffer
   */
  public Device device() {
    return buffer.device();
  }

  /**
   * Returns the address of the first element on the device.
   *
   * @return the address
   * @throws IllegalStateException if the buffer is closed
   */
  public long address() {
    return buffer.address() + byteOffset;
  }

  /**
   * Returns the {@code aclTensor} of this view, for code that calls CANN without these bindings. It
   * belongs to the view: keep the view reachable, and do not destroy or change it.
   *
   * @return the handle
   * @throws IllegalStateException if the buffer is closed
   * @throws CannException if {@code aclCreateTensor} fails
   */
  public MemorySegment handle() {
    MemorySegment base = buffer.segment();
    NativeHandle known = handle;
    return known == null ? createHandle(base) : known.pointer();
  }

  private synchronized MemorySegment createHandle(MemorySegment base) {
    if (handle == null) {
      int rank = shape.length;
      int size = dataType.byteSize();
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment numbers = arena.allocate(ValueLayout.JAVA_LONG, 2L * rank + 1);
        MemorySegment.copy(shape, 0, numbers, ValueLayout.JAVA_LONG, 0, rank);
        MemorySegment steps = numbers.asSlice(8L * rank);
        MemorySegment.copy(strides, 0, steps, ValueLayout.JAVA_LONG, 0, rank);
        MemorySegment storage = numbers.asSlice(16L * rank);
        storage.set(ValueLayout.JAVA_LONG, 0, buffer.byteSize() / size);
        MemorySegment created =
            cann_h.aclCreateTensor(
                numbers,
                rank,
                dataType.aclCode(),
                steps,
                byteOffset / size,
                cann_h.ACL_FORMAT_ND(),
                storage,
                1,
                base);
        handle = NativeHandle.ofTensor(created, this);
      }
    }
    return handle.pointer();
  }

  @Override
  public String toString() {
    return "%s%s on %s".formatted(dataType, Arrays.toString(shape), buffer.device());
  }
}
