// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;

/**
 * The sizes of one attention call, read from query, key and value after checking that they fit. For
 * TND the batch is 1 and the steps are all tokens.
 */
record AttentionSizes(
    long batch,
    long queryHeads,
    long kvHeads,
    long querySteps,
    long kvSteps,
    long headDim,
    long valueDim) {
  static final long MAX_HEADS = 256;
  static final long MAX_HEAD_DIM = 768;

  private record Dims(long batch, long steps, long heads, long dim) {}

  /** {@code headNum} 0 means the query's; BSH and SBH need it. */
  static AttentionSizes of(Layout layout, Tensor query, Tensor key, Tensor value, long headNum) {
    requireType(query);
    requireSameType(query, key, "key");
    requireSameType(query, value, "value");
    requireRank(layout, query, "query");
    requireRank(layout, key, "key");
    requireRank(layout, value, "value");
    Dims q;
    Dims k;
    Dims v;
    if (layout == Layout.BSH || layout == Layout.SBH) {
      if (headNum <= 0) {
        throw new IllegalArgumentException(
            "layout %s needs headNum, the number of query heads".formatted(layout));
      }
      q = merged(layout, query, "query", headNum);
      long kvHeads = divide(key.size(2), q.dim, "key", "the head size " + q.dim);
      k = merged(layout, key, "key", kvHeads);
      v = merged(layout, value, "value", kvHeads);
    } else {
      q = separate(layout, query);
      k = separate(layout, key);
      v = separate(layout, value);
    }
    if (headNum != 0 && headNum != q.heads) {
      throw new IllegalArgumentException(
          "headNum is %d, but query has %d heads: %s %s"
              .formatted(headNum, q.heads, layout, query));
    }
    if (q.batch != k.batch || k.batch != v.batch || k.steps != v.steps || k.heads != v.heads) {
      throw new IllegalArgumentException(
          "query, key and value do not fit (%s): %s, %s, %s".formatted(layout, query, key, value));
    }
    requireHeads(q, k, v);
    return new AttentionSizes(q.batch, q.heads, k.heads, q.steps, k.steps, q.dim, v.dim);
  }

  private static void requireHeads(Dims q, Dims k, Dims v) {
    if (k.heads == 0 || q.heads % k.heads != 0) {
      throw new IllegalArgumentException(
          "%d query heads are not a multiple of %d key heads".formatted(q.heads, k.heads));
    }
    if (q.heads > MAX_HEADS) {
      throw new UnsupportedOperationException(
          "CANN's flash attention takes up to %d heads, not %d".formatted(MAX_HEADS, q.heads));
    }
    if (q.dim != k.dim || v.dim > q.dim || v.dim == 0) {
      throw new IllegalArgumentException(
          "head sizes do not fit: query %d, key %d (equal), value %d (1 to the others')"
              .formatted(q.dim, k.dim, v.dim));
    }
    if (q.dim > MAX_HEAD_DIM) {
      throw new UnsupportedOperationException(
          "CANN's flash attention takes head sizes up to %d, not %d"
              .formatted(MAX_HEAD_DIM, q.dim));
    }
  }

  private static void requireType(Tensor query) {
    DataType type = query.dataType();
    if (type != DataType.FLOAT && type != DataType.FLOAT16 && type != DataType.BF16) {
      throw new UnsupportedOperationException(
          "flash attention takes FLOAT, FLOAT16 and BF16, not %s; cast the query to FLOAT"
              .formatted(type));
    }
  }

  static void requireSameType(Tensor query, Tensor other, String name) {
    OperandChecks.requireSameType(other, name, query, "query");
  }

  private static void requireRank(Layout layout, Tensor tensor, String name) {
    int rank = layout.name().length();
    if (tensor.rank() != rank) {
      throw new IllegalArgumentException(
          "layout %s has %d dimensions, but %s is %s".formatted(layout, rank, name, tensor));
    }
  }

  private static Dims separate(Layout layout, Tensor t) {
    return switch (layout) {
      case TND -> new Dims(1, t.size(0), t.size(1), t.size(2));
      case BSND -> new Dims(t.size(0), t.size(1), t.size(2), t.size(3));
      case BNSD -> new Dims(t.size(0), t.size(2), t.size(1), t.size(3));
      default -> throw new AssertionError(layout);
    };
  }

  private static Dims merged(Layout layout, Tensor t, String name, long heads) {
    long dim = divide(t.size(2), heads, name, heads + " heads");
    return layout == Layout.BSH
        ? new Dims(t.size(0), t.size(1), heads, dim)
        : new Dims(t.size(1), t.size(0), heads, dim);
  }

  private static long divide(long hidden, long by, String name, String what) {
    if (by == 0 || hidden % by != 0) {
      throw new IllegalArgumentException(
          "the last dimension of %s, %d, does not divide by %s".formatted(name, hidden, what));
    }
    return hidden / by;
  }

  /** The shape of the output, and of its gradient. */
  long[] outputShape(Layout layout) {
    return switch (layout) {
      case TND -> new long[] {querySteps, queryHeads, valueDim};
      case BSND -> new long[] {batch, querySteps, queryHeads, valueDim};
      case BNSD -> new long[] {batch, queryHeads, querySteps, valueDim};
      case BSH -> new long[] {batch, querySteps, queryHeads * valueDim};
      case SBH -> new long[] {querySteps, batch, queryHeads * valueDim};
    };
  }

  /** The shape of softmax max and sum. */
  long[] statisticsShape(Layout layout) {
    return layout == Layout.TND
        ? new long[] {querySteps, queryHeads, 8}
        : new long[] {batch, queryHeads, querySteps, 8};
  }
}
