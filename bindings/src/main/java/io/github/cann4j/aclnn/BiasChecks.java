// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Checks of prefixes, positional bias, dropout and rotary parts. */
final class BiasChecks {
  private static final int COMPRESSED_ROWS = 1024;

  private BiasChecks() {}

  static void prefix(SparseMode mode, long[] prefix, SequenceLengths lengths) {
    if (!mode.usesPrefix()) {
      if (prefix.length > 0) {
        throw new IllegalArgumentException(
            "prefix has no effect with sparse mode %s; use %s"
                .formatted(mode, SparseMode.PREFIX_COMPRESSED));
      }
      return;
    }
    if (prefix.length != lengths.count()) {
      throw new IllegalArgumentException(
          "sparse mode %s needs one prefix per sequence: %d for %d"
              .formatted(mode, prefix.length, lengths.count()));
    }
    for (int i = 0; i < prefix.length; i++) {
      long least = Math.max(0, lengths.keys(i) - lengths.queries(i));
      if (prefix[i] < least || prefix[i] > lengths.keys(i)) {
        throw new IllegalArgumentException(
            "prefix %d is %d; with %d queries and %d keys it must be %d to %d"
                .formatted(
                    i, prefix[i], lengths.queries(i), lengths.keys(i), least, lengths.keys(i)));
      }
    }
  }

  static void bias(AttentionInputs in, PseType given, SequenceLengths lengths) {
    Tensor bias = in.realShiftTensor();
    if (bias == null) {
      if (given != null || in.hasStartIndex()) {
        throw new IllegalArgumentException(
            "pseType and start indices have no effect without realShift");
      }
      return;
    }
    if (in.mode() == SparseMode.RIGHT_DOWN_CAUSAL_BAND) {
      throw new UnsupportedOperationException(
          "CANN has no positional bias with sparse mode %s; split the call and use %s"
              .formatted(in.mode(), SparseMode.BAND));
    }
    if (lengths.anyEmpty()) {
      throw new IllegalArgumentException(
          "realShift does not go with sequences of length 0; leave them out");
    }
    if (in.hasStartIndex() && !in.pse().isInner()) {
      throw new IllegalArgumentException(
          "start indices have an effect with %s and %s only, not with %s"
              .formatted(PseType.INNER_MUL_ADD, PseType.INNER_MUL_ADD_SQRT, in.pse()));
    }
    if (in.pse().isInner()) {
      slopes(in, bias, lengths);
    } else {
      AttentionSizes.requireSameType(in.queryTensor(), bias, "realShift");
      long[] shape = bias.shape();
      List<long[]> accepted = shapes(in, lengths);
      if (accepted.stream().noneMatch(s -> Arrays.equals(s, shape))) {
        throw new IllegalArgumentException(
            "realShift must have shape %s, but is %s"
                .formatted(
                    String.join(" or ", accepted.stream().map(Arrays::toString).toList()), bias));
      }
    }
  }

  private static void slopes(AttentionInputs in, Tensor bias, SequenceLengths lengths) {
    if (bias.dataType() != DataType.FLOAT) {
      throw new IllegalArgumentException(
          "realShift of %s must be FLOAT, not %s".formatted(in.pse(), bias.dataType()));
    }
    long heads = in.headNum();
    long[] shape = bias.shape();
    if (!Arrays.equals(shape, new long[] {heads})
        && !Arrays.equals(shape, new long[] {lengths.count(), heads})) {
      throw new IllegalArgumentException(
          "realShift of %s must have shape [%d] or [%d, %d], one slope per head, but is %s"
              .formatted(in.pse(), heads, lengths.count(), heads, bias));
    }
    if (in.packed() == null && !lengths.square()) {
      throw new IllegalArgumentException(
          "%s in layout %s needs as many queries as keys, not %d and %d"
              .formatted(
                  in.pse(), in.inputLayout(), lengths.longestQueries(), lengths.longestKeys()));
    }
  }

  private static List<long[]> shapes(AttentionInputs in, SequenceLengths lengths) {
    long heads = in.headNum();
    long batch = lengths.count();
    long queries = lengths.longestQueries();
    long keys = lengths.longestKeys();
    boolean causal =
        switch (in.mode()) {
          case LEFT_UP_CAUSAL, RIGHT_DOWN_CAUSAL -> true;
          default -> in.preTokens() >= queries && in.nextTokens() == 0;
        };
    List<long[]> shapes = new ArrayList<>();
    if (in.packed() == null) {
      shapes.add(new long[] {batch, heads, queries, keys});
      shapes.add(new long[] {1, heads, queries, keys});
      shapes.add(new long[] {batch, heads, 1, keys});
    } else {
      shapes.add(new long[] {heads * lengths.pairs()});
      shapes.add(new long[] {heads * lengths.allKeys()});
    }
    if (causal && lengths.square() && (in.packed() != null || keys > COMPRESSED_ROWS)) {
      shapes.add(new long[] {batch, heads, COMPRESSED_ROWS, keys});
      shapes.add(new long[] {1, heads, COMPRESSED_ROWS, keys});
    }
    return shapes;
  }

  /** {@code elements} is the number of probabilities, one bit each. */
  static void dropout(Tensor mask, double keepProb, long elements) {
    if (mask == null) {
      if (keepProb != 1) {
        throw new IllegalArgumentException(
            "keepProb %s needs dropMask, the bits of what is kept".formatted(keepProb));
      }
      return;
    }
    if (keepProb == 1) {
      throw new IllegalArgumentException("dropMask has no effect with keepProb 1; leave it out");
    }
    if (mask.dataType() != DataType.UINT8) {
      throw new IllegalArgumentException("dropMask must be UINT8, not " + mask.dataType());
    }
    long bytes = Math.ceilDiv(elements, 8);
    if (mask.elements() < bytes || !mask.isContiguous()) {
      throw new IllegalArgumentException(
          "dropMask needs %d contiguous bytes for %d probabilities, but is %s"
              .formatted(bytes, elements, mask));
    }
  }

  static void rope(AttentionInputs in) {
    PackedInputs packed = in.packed();
    if (packed == null || packed.queryRope() == null && packed.keyRope() == null) {
      return;
    }
    if (packed.queryRope() == null || packed.keyRope() == null) {
      throw new IllegalArgumentException("queryRope and keyRope come together; one is null");
    }
    if (in.queryTensor().dataType() != DataType.BF16) {
      throw new UnsupportedOperationException(
          "queryRope and keyRope exist for BF16 only, not for %s; append them to query and key"
              .formatted(in.queryTensor().dataType()));
    }
    AttentionSizes.requireSameType(in.queryTensor(), packed.queryRope(), "queryRope");
    AttentionSizes.requireSameType(in.queryTensor(), packed.keyRope(), "keyRope");
    long dim = packed.queryRope().rank() == 3 ? packed.queryRope().size(2) : 0;
    if (dim < 1 || dim > in.sizes().headDim() || dim % 8 != 0) {
      throw new IllegalArgumentException(
          "queryRope must be [T, N, D] with D a multiple of 8 up to %d, but is %s"
              .formatted(in.sizes().headDim(), packed.queryRope()));
    }
    OperandChecks.requireShape(
        packed.queryRope(),
        "queryRope",
        new long[] {in.sizes().querySteps(), in.sizes().queryHeads(), dim});
    OperandChecks.requireShape(
        packed.keyRope(), "keyRope", new long[] {in.sizes().kvSteps(), in.sizes().kvHeads(), dim});
    if (in.realShiftTensor() != null || in.keepProb() != 1 || !in.hasMask()) {
      throw new UnsupportedOperationException(
          "with queryRope CANN takes no realShift and no dropout, and needs attenMask;"
              + " append the rotary parts to query and key instead");
    }
  }
}
