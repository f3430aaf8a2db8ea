// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.HalfFloats;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.packing.PackedTokens;
import io.github.cann4j.plan.RowRange;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The inputs of attention over a packed sequence, made where they are needed and kept nowhere: any
 * rows of q, k, v and of the output's gradient. Thread-safe.
 */
final class AttentionInputs {
  /** Rows on their way to a device. */
  private static final int BLOCK = 256;

  private final AttentionConfig config;
  private final int[] tokens;
  private final long[] positions;
  private final TokenProjection projection;

  /**
   * Inputs for the tokens of a sequence.
   *
   * @param resetPositions whether positions restart at 0 in each document
   */
  AttentionInputs(AttentionConfig config, PackedTokens packed, boolean resetPositions, long seed) {
    this.config = config;
    tokens = packed.tokens();
    positions = packed.sequence().positionIds(resetPositions);
    int maxPosition = (int) Arrays.stream(positions).max().orElse(0);
    projection =
        new TokenProjection(seed, config.heads(), config.kvHeads(), config.headDim(), maxPosition);
  }

  /** Heads of a part. */
  int heads(Part part) {
    return part == Part.KEY || part == Part.VALUE ? config.kvHeads() : config.heads();
  }

  /** Values in one row of a part. */
  int width(Part part) {
    return heads(part) * config.headDim();
  }

  /** Writes some heads of one row, in float and not yet rounded to the tensors' type. */
  void row(Part part, long row, int headBegin, int headEnd, float[] target, int offset) {
    if (part == Part.OUT_GRADIENT) {
      int dim = config.headDim();
      projection.outGradient(row, headBegin * dim, headEnd * dim, width(part), target, offset);
    } else {
      int r = Math.toIntExact(row);
      projection.project(part, tokens[r], (int) positions[r], headBegin, headEnd, target, offset);
    }
  }

  /** As {@link #row}, rounded to the tensors' type. */
  void roundedRow(Part part, long row, int headBegin, int headEnd, float[] target, int offset) {
    row(part, row, headBegin, headEnd, target, offset);
    if (config.dataType() == DataType.BF16) {
      int end = offset + (headEnd - headBegin) * config.headDim();
      for (int i = offset; i < end; i++) {
        target[i] = HalfFloats.bf16ToFloat(HalfFloats.floatToBf16(target[i]));
      }
    }
  }

  /**
   * Fills a device buffer with rows of a part, in the order of the ranges.
   *
   * @param target holds exactly these rows
   */
  void upload(Part part, List<RowRange> ranges, DeviceBuffer target) {
    int width = width(part);
    long rowBytes = (long) width * config.dataType().byteSize();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment encoded = arena.allocate(BLOCK * rowBytes, 64);
      long offset = 0;
      for (RowRange range : ranges) {
        for (long begin = range.begin(); begin < range.end(); begin += BLOCK) {
          int rows = (int) Math.min(BLOCK, range.end() - begin);
          float[] block = new float[rows * width];
          long first = begin;
          IntStream.range(0, rows)
              .parallel()
              .forEach(i -> row(part, first + i, 0, heads(part), block, i * width));
          MemorySegment bytes = encoded.asSlice(0, rows * rowBytes);
          HalfFloats.encode(config.dataType(), block, bytes);
          target.copyFrom(offset, bytes);
          offset += rows * rowBytes;
        }
      }
    }
  }
}
