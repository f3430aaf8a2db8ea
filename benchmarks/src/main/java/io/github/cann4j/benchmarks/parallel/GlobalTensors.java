// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.parallel;

import io.github.cann4j.acl.HalfFloats;
import io.github.cann4j.attention.AttentionConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * The inputs of all rows, from which every rank takes its own, so that all cases compute the same.
 */
final class GlobalTensors {
  private static final int AT_ONCE = 1 << 16;

  /** The tensors of a layer. */
  enum Part {
    Q,
    K,
    V,
    OUT,
    D_OUT,
    D_Q,
    D_K,
    D_V;

    boolean isInput() {
      return this == Q || this == K || this == V || this == D_OUT;
    }

    int heads(AttentionConfig config) {
      return this == K || this == V || this == D_K || this == D_V
          ? config.kvHeads()
          : config.heads();
    }

    int dim(AttentionConfig config) {
      return this == Q || this == K || this == D_Q || this == D_K
          ? config.headDim()
          : config.headDimV();
    }

    long bytesPerRow(AttentionConfig config) {
      return (long) heads(config) * dim(config) * config.dataType().byteSize();
    }
  }

  private final Map<Part, MemorySegment> inputs = new EnumMap<>(Part.class);

  GlobalTensors(AttentionConfig config, long rows) {
    for (Part part : Part.values()) {
      if (part.isInput()) {
        inputs.put(part, random(config, part, rows));
      }
    }
  }

  private static MemorySegment random(AttentionConfig config, Part part, long rows) {
    RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(part.ordinal());
    MemorySegment values = Arena.ofAuto().allocate(rows * part.bytesPerRow(config), 64);
    long elements = rows * part.heads(config) * part.dim(config);
    for (long begin = 0; begin < elements; begin += AT_ONCE) {
      float[] some = new float[(int) Math.min(AT_ONCE, elements - begin)];
      for (int i = 0; i < some.length; i++) {
        some[i] = 2 * random.nextFloat() - 1;
      }
      HalfFloats.encode(
          config.dataType(),
          some,
          values.asSlice(
              begin * config.dataType().byteSize(),
              (long) some.length * config.dataType().byteSize()));
    }
    return values;
  }

  MemorySegment input(Part part) {
    return inputs.get(part);
  }
}
