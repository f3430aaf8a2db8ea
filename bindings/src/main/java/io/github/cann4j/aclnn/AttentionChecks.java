// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import java.util.Arrays;
import java.util.Objects;

/** Checks that the attention records share, all before anything is enqueued. */
final class AttentionChecks {
  static final int MAX_SEQUENCES = 2048;
  private static final long[] COMPRESSED_MASK = {2048, 2048};

  private AttentionChecks() {}

  static void sameDevice(Tensor first, String[] names, Tensor... others) {
    for (int i = 0; i < others.length; i++) {
      Tensor other = others[i];
      if (other != null && other.device() != first.device()) {
        throw new IllegalArgumentException(
            "%s is on %s, but query is on %s".formatted(names[i], other.device(), first.device()));
      }
    }
  }

  static void present(String[] names, Tensor... tensors) {
    for (int i = 0; i < tensors.length; i++) {
      Objects.requireNonNull(tensors[i], names[i]);
    }
  }

  static void streamDevice(Stream stream, Tensor tensor) {
    Device device = tensor.device();
    if (stream.device() != device) {
      throw new IllegalArgumentException(
          "the tensors are on %s, but the stream is of %s".formatted(device, stream.device()));
    }
  }

  static void attributes(
      double scaleValue, double keepProb, long preTokens, long nextTokens, long innerPrecise) {
    if (!Double.isFinite(scaleValue)) {
      throw new IllegalArgumentException(
          Double.isNaN(scaleValue)
              ? "scaleValue is not set; usual is 1 / sqrt(head size)"
              : "scaleValue must be finite, not " + scaleValue);
    }
    if (!(keepProb > 0 && keepProb <= 1)) {
      throw new IllegalArgumentException("keepProb must be in (0, 1], not " + keepProb);
    }
    if (keepProb != 1) {
      throw new UnsupportedOperationException(
          "dropout (keepProb %s) is not supported; use keepProb 1".formatted(keepProb));
    }
    if (innerPrecise < 0 || innerPrecise > 2) {
      throw new IllegalArgumentException("innerPrecise must be 0, 1 or 2, not " + innerPrecise);
    }
    if ((preTokens < 0 || nextTokens < 0) && preTokens + nextTokens < 0) {
      throw new IllegalArgumentException(
          "the window is empty: preTokens %d, nextTokens %d".formatted(preTokens, nextTokens));
    }
  }

  static void mask(
      Tensor mask, SparseMode mode, Layout layout, AttentionSizes sizes, long maxQ, long maxKv) {
    Objects.requireNonNull(mode, "sparseMode");
    boolean packed = layout == Layout.TND;
    switch (mode) {
      case PREFIX, PREFIX_COMPRESSED ->
          throw new UnsupportedOperationException(
              "sparse mode %s is not supported; use %s with a full mask"
                  .formatted(mode, SparseMode.ALL_MASK));
      case RIGHT_DOWN_CAUSAL_BAND, BAND_LEFT_UP_CAUSAL -> {
        if (!packed) {
          throw new UnsupportedOperationException(
              "sparse mode %s exists for TND only, not for %s; use %s"
                  .formatted(mode, layout, SparseMode.BAND));
        }
      }
      default -> {}
    }
    if (mask == null) {
      if (mode != SparseMode.DEFAULT_MASK) {
        throw new IllegalArgumentException(
            "sparse mode %s has no effect without attenMask: CANN would attend to everything"
                .formatted(mode));
      }
      return;
    }
    if (mask.dataType() != DataType.UINT8 && mask.dataType() != DataType.BOOL) {
      throw new IllegalArgumentException("attenMask must be UINT8 or BOOL, not " + mask.dataType());
    }
    if (mode.usesCompressedMask()) {
      AttentionSizes.requireShape(mask, "attenMask of sparse mode " + mode, COMPRESSED_MASK);
    } else if (!isFullMask(mask.shape(), sizes, packed, maxQ, maxKv)) {
      throw new IllegalArgumentException(
          "attenMask of sparse mode %s must have shape %s, but is %s"
              .formatted(
                  mode,
                  packed
                      ? "[%d, %d]".formatted(maxQ, maxKv)
                      : "[%d, %d, %d, %d], with 1 for batch or heads, or [%d, %d]"
                          .formatted(sizes.batch(), sizes.queryHeads(), maxQ, maxKv, maxQ, maxKv),
                  mask));
    }
  }

  private static boolean isFullMask(
      long[] shape, AttentionSizes sizes, boolean packed, long maxQ, long maxKv) {
    if (shape.length == 2) {
      return shape[0] == maxQ && shape[1] == maxKv;
    }
    if (packed || shape.length != 4 || shape[2] != maxQ || shape[3] != maxKv) {
      return false;
    }
    boolean perBatch = shape[0] == sizes.batch();
    boolean perHead = perBatch && shape[1] == sizes.queryHeads();
    return perHead || shape[1] == 1 && (perBatch || shape[0] == 1);
  }

  static void statistics(Tensor max, Tensor sum, long[] shape) {
    for (int i = 0; i < 2; i++) {
      Tensor one = i == 0 ? max : sum;
      String name = i == 0 ? "softmaxMax" : "softmaxSum";
      if (one.dataType() != DataType.FLOAT) {
        throw new IllegalArgumentException(name + " must be FLOAT, not " + one.dataType());
      }
      AttentionSizes.requireShape(one, name, shape);
    }
  }

  static void outputs(String[] outputNames, Tensor[] outputs, String[] names, Tensor... inputs) {
    for (int i = 0; i < outputs.length; i++) {
      for (int j = 0; j < i; j++) {
        Overlap.refuse(outputs[i], outputNames[i], outputs[j], outputNames[j]);
      }
      for (int j = 0; j < inputs.length; j++) {
        Overlap.refuse(outputs[i], outputNames[i], inputs[j], names[j]);
      }
    }
  }

  /** Checks cumulative sequence ends against the tensors and the mode. */
  static void sequences(
      long[] queryEnds, long[] kvEnds, AttentionSizes sizes, SparseMode mode, boolean masked) {
    if (queryEnds.length == 0 || queryEnds.length != kvEnds.length) {
      throw new IllegalArgumentException(
          "actualSeqQLen and actualSeqKvLen need one end per sequence each: %d and %d"
              .formatted(queryEnds.length, kvEnds.length));
    }
    if (queryEnds.length > MAX_SEQUENCES) {
      throw new UnsupportedOperationException(
          "CANN takes up to %d sequences per call, not %d; split the call"
              .formatted(MAX_SEQUENCES, queryEnds.length));
    }
    requireEnds(queryEnds, sizes.querySteps(), "actualSeqQLen");
    requireEnds(kvEnds, sizes.kvSteps(), "actualSeqKvLen");
    if (!masked || mode != SparseMode.RIGHT_DOWN_CAUSAL) {
      return;
    }
    for (int i = 0; i < queryEnds.length; i++) {
      long queries = queryEnds[i] - (i == 0 ? 0 : queryEnds[i - 1]);
      long keys = kvEnds[i] - (i == 0 ? 0 : kvEnds[i - 1]);
      if (queries > keys) {
        throw new IllegalArgumentException(
            "sequence %d has %d queries and %d keys; sparse mode %s needs at least as many keys"
                .formatted(i, queries, keys, mode));
      }
    }
  }

  private static void requireEnds(long[] ends, long tokens, String name) {
    long previous = 0;
    for (int i = 0; i < ends.length; i++) {
      if (ends[i] < previous) {
        throw new IllegalArgumentException(
            "%s must not decrease: entry %d is %d after %d, in %s"
                .formatted(name, i, ends[i], previous, abbreviate(ends)));
      }
      previous = ends[i];
    }
    if (previous > tokens) {
      throw new IllegalArgumentException(
          "%s ends at %d, but there are %d tokens".formatted(name, previous, tokens));
    }
  }

  private static String abbreviate(long[] ends) {
    return ends.length <= 16
        ? Arrays.toString(ends)
        : Arrays.toString(Arrays.copyOf(ends, 16)).replace("]", ", …]");
  }

  static long longest(long[] ends) {
    long longest = 0;
    long previous = 0;
    for (long end : ends) {
      longest = Math.max(longest, end - previous);
      previous = end;
    }
    return longest;
  }
}
