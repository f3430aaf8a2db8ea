// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** Checks that the attention records share, all before anything is enqueued. */
final class AttentionChecks {
  private AttentionChecks() {}

  static void dense(Layout layout, String forTnd) {
    Objects.requireNonNull(layout, "inputLayout");
    if (layout == Layout.TND) {
      throw new UnsupportedOperationException("layout TND needs sequence ends; use " + forTnd);
    }
  }

  static void streamDevice(Stream stream, Tensor tensor) {
    Device device = tensor.device();
    if (stream.device() != device) {
      throw new IllegalArgumentException(
          "the tensors are on %s, but the stream is of %s".formatted(device, stream.device()));
    }
  }

  static void attributes(double scaleValue, double keepProb, long innerPrecise) {
    if (!Double.isFinite(scaleValue)) {
      throw new IllegalArgumentException(
          Double.isNaN(scaleValue)
              ? "scaleValue is not set; usual is 1 / sqrt(head size)"
              : "scaleValue must be finite, not " + scaleValue);
    }
    if (!(keepProb > 0 && keepProb <= 1)) {
      throw new IllegalArgumentException("keepProb must be in (0, 1], not " + keepProb);
    }
    if (innerPrecise < 0 || innerPrecise > 2) {
      throw new IllegalArgumentException("innerPrecise must be 0, 1 or 2, not " + innerPrecise);
    }
  }

  static void mask(
      Tensor mask, SparseMode mode, Layout layout, AttentionSizes sizes, SequenceLengths lengths) {
    boolean packed = layout == Layout.TND;
    if (packed && mode == SparseMode.PREFIX) {
      throw new UnsupportedOperationException(
          "sparse mode %s does not exist for TND; use %s"
              .formatted(mode, SparseMode.PREFIX_COMPRESSED));
    }
    if (!packed
        && (mode == SparseMode.RIGHT_DOWN_CAUSAL_BAND || mode == SparseMode.BAND_LEFT_UP_CAUSAL)) {
      throw new UnsupportedOperationException(
          "sparse mode %s exists for TND only, not for %s; use %s"
              .formatted(mode, layout, SparseMode.BAND));
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
    long[] compressed = mode.compressedMaskShape();
    if (compressed != null) {
      OperandChecks.requireShape(mask, "attenMask of sparse mode " + mode, compressed);
      return;
    }
    List<long[]> accepted = fullMasks(mode, packed, sizes, lengths);
    long[] shape = mask.shape();
    if (accepted.stream().noneMatch(s -> Arrays.equals(s, shape))) {
      throw new IllegalArgumentException(
          "attenMask of sparse mode %s must have shape %s, but is %s"
              .formatted(
                  mode,
                  String.join(" or ", accepted.stream().map(Arrays::toString).toList()),
                  mask));
    }
  }

  private static List<long[]> fullMasks(
      SparseMode mode, boolean packed, AttentionSizes sizes, SequenceLengths lengths) {
    long queries = lengths.longestQueries();
    long keys = lengths.longestKeys();
    if (packed) {
      return List.of(new long[] {queries, keys});
    }
    List<long[]> shapes =
        List.of(
            new long[] {sizes.batch(), sizes.queryHeads(), queries, keys},
            new long[] {sizes.batch(), 1, queries, keys},
            new long[] {1, 1, queries, keys},
            new long[] {queries, keys});
    return mode == SparseMode.PREFIX ? shapes.subList(0, 2) : shapes;
  }

  static void statistics(Tensor max, Tensor sum, long[] shape) {
    for (int i = 0; i < 2; i++) {
      Tensor one = i == 0 ? max : sum;
      String name = i == 0 ? "softmaxMax" : "softmaxSum";
      if (one.dataType() != DataType.FLOAT) {
        throw new IllegalArgumentException(name + " must be FLOAT, not " + one.dataType());
      }
      OperandChecks.requireShape(one, name, shape);
    }
  }

  /** Checks a tensor that has the query's type and a given shape. */
  static void like(Tensor query, Tensor tensor, String name, long[] shape) {
    Objects.requireNonNull(tensor, name);
    AttentionSizes.requireSameType(query, tensor, name);
    OperandChecks.requireShape(tensor, name, shape);
  }
}
