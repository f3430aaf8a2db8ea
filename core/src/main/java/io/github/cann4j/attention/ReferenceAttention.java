// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.AttentionMask;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Attention over packed documents, causal or under any other mask, in double precision and plain
 * Java: the yardstick for every other implementation.
 *
 * <p>Layouts are TND: rows x heads x head dimension, dense, padding rows included. With T = {@code
 * sequence().length()}, N query heads and M key/value heads: query [T][N][D], key [T][M][D], value
 * [T][M][Dv], out and dy [T][N][Dv]; query head n uses key/value head n / (N / M). A row attends to
 * those rows of its document that the mask allows. Rows without any have output and gradients 0, as
 * padding rows do, whose inputs are not read.
 *
 * <p>Results do not depend on the number of threads; work runs on the common fork-join pool with
 * memory that is linear in T. Immutable and thread-safe.
 */
public final class ReferenceAttention {
  private final PackedSequence sequence;
  private final int heads;
  private final int kvHeads;
  private final int headDim;
  private final int headDimV;
  private final double scale;
  private final int rows;
  private final VisibleKeys visible;
  private final List<Block> blocks;

  /** Rows begin .. end - 1 of the document documentBegin .. documentEnd - 1. */
  private record Block(int begin, int end, int documentBegin, int documentEnd) {
    int rows() {
      return end - begin;
    }
  }

  /**
   * Result of forward.
   *
   * @param out [T][N][Dv]
   * @param softmaxMax [T][N]: the largest scaled score of a row, negative infinity in rows without
   *     keys and in padding
   * @param softmaxSum [T][N]: the sum of exp(score - softmaxMax) of a row, 0 in rows without keys
   *     and in padding
   */
  public record Forward(double[] out, double[] softmaxMax, double[] softmaxSum) {}

  /**
   * Result of backward, not divided by any number of tokens.
   *
   * @param dq [T][N][D]
   * @param dk [T][M][D], summed over the query heads that share a key head
   * @param dv [T][M][Dv], likewise
   */
  public record Gradients(double[] dq, double[] dk, double[] dv) {}

  /**
   * Causal attention. Checks the sizes; computes nothing.
   *
   * @param sequence documents and padding
   * @param heads query heads N, a multiple of {@code kvHeads}
   * @param kvHeads key/value heads M
   * @param headDim D of query and key
   * @param headDimV D of value and output, at most {@code headDim}
   * @param scale factor of the scores, usually 1 / sqrt(D)
   * @throws IllegalArgumentException if these do not fit together or the arrays would be too large
   */
  public ReferenceAttention(
      PackedSequence sequence, int heads, int kvHeads, int headDim, int headDimV, double scale) {
    this(sequence, AttentionMask.causal(), heads, kvHeads, headDim, headDimV, scale);
  }

  /**
   * Attention under a mask. Checks the sizes; computes nothing.
   *
   * @param sequence documents and padding
   * @param mask which keys of its document a row attends to
   * @param heads query heads N, a multiple of {@code kvHeads}
   * @param kvHeads key/value heads M
   * @param headDim D of query and key
   * @param headDimV D of value and output, at most {@code headDim}
   * @param scale factor of the scores, usually 1 / sqrt(D)
   * @throws IllegalArgumentException if these do not fit together or the arrays would be too large
   */
  public ReferenceAttention(
      PackedSequence sequence,
      AttentionMask mask,
      int heads,
      int kvHeads,
      int headDim,
      int headDimV,
      double scale) {
    mask.requireFits(sequence);
    if (kvHeads < 1 || heads < 1 || heads % kvHeads != 0) {
      throw new IllegalArgumentException(
          "query heads must be a multiple of key/value heads, not " + heads + " and " + kvHeads);
    }
    if (headDimV < 1 || headDimV > headDim) {
      throw new IllegalArgumentException(
          "head dimensions must be 1 <= Dv <= D, not D = " + headDim + " and Dv = " + headDimV);
    }
    if (sequence.length() * heads * headDim > PackedSequence.MAX_LENGTH) {
      throw new IllegalArgumentException(
          sequence.length() + " rows x " + heads + " heads x " + headDim + " exceed a Java array");
    }
    this.sequence = sequence;
    this.heads = heads;
    this.kvHeads = kvHeads;
    this.headDim = headDim;
    this.headDimV = headDimV;
    this.scale = scale;
    rows = (int) sequence.length();
    visible = new VisibleKeys(sequence, mask);
    blocks = new ArrayList<>();
    for (int i = 0; i < sequence.documentCount(); i++) {
      int begin = (int) sequence.documentBegin(i);
      int end = (int) sequence.documentEnd(i);
      for (int row = begin; row < end; row += BlockMath.SIZE) {
        blocks.add(new Block(row, Math.min(end, row + BlockMath.SIZE), begin, end));
      }
    }
  }

  /** {@return the documents} */
  public PackedSequence sequence() {
    return sequence;
  }

  /** {@return elements of query and dq} */
  public int queryElements() {
    return rows * heads * headDim;
  }

  /** {@return elements of key and dk} */
  public int keyElements() {
    return rows * kvHeads * headDim;
  }

  /** {@return elements of value and dv} */
  public int valueElements() {
    return rows * kvHeads * headDimV;
  }

  /** {@return elements of out and dy} */
  public int outElements() {
    return rows * heads * headDimV;
  }

  /**
   * Attention of all rows.
   *
   * @param query {@code [rows][heads][D]}
   * @param key {@code [rows][kvHeads][D]}
   * @param value {@code [rows][kvHeads][Dv]}
   * @return output and statistics
   * @throws IllegalArgumentException if an array has not the number of elements that its shape says
   */
  public Forward forward(double[] query, double[] key, double[] value) {
    check("query", query, queryElements());
    check("key", key, keyElements());
    check("value", value, valueElements());
    double[] out = new double[outElements()];
    double[] max = new double[rows * heads];
    double[] sum = new double[rows * heads];
    Arrays.fill(max, Double.NEGATIVE_INFINITY);
    forEach(heads, (block, head) -> forward(block, head, query, key, value, out, max, sum));
    return new Forward(out, max, sum);
  }

  /**
   * As {@link #forward(double[], double[], double[])} for inputs in single precision.
   *
   * @param query {@code [rows][heads][D]}
   * @param key {@code [rows][kvHeads][D]}
   * @param value {@code [rows][kvHeads][Dv]}
   * @return output and statistics
   */
  public Forward forward(float[] query, float[] key, float[] value) {
    return forward(widen(query), widen(key), widen(value));
  }

  /**
   * Gradients of {@code sum(dy * out)} with respect to query, key and value.
   *
   * @param query {@code [rows][heads][D]}
   * @param key {@code [rows][kvHeads][D]}
   * @param value {@code [rows][kvHeads][Dv]}
   * @param dy gradient of the output, {@code [rows][heads][Dv]}
   * @param forward what forward gave for the same inputs
   * @return the gradients
   * @throws IllegalArgumentException if an array has not the number of elements that its shape says
   */
  public Gradients backward(
      double[] query, double[] key, double[] value, double[] dy, Forward forward) {
    check("query", query, queryElements());
    check("key", key, keyElements());
    check("value", value, valueElements());
    check("dy", dy, outElements());
    check("out", forward.out(), outElements());
    double[] delta = new double[rows * heads];
    IntStream.range(0, (int) sequence.validLength() * heads)
        .parallel()
        .forEach(
            i -> {
              double dot = 0;
              for (int d = i * headDimV; d < (i + 1) * headDimV; d++) {
                dot += dy[d] * forward.out()[d];
              }
              delta[i] = dot;
            });
    double[] dq = new double[queryElements()];
    double[] dk = new double[keyElements()];
    double[] dv = new double[valueElements()];
    forEach(
        heads, (block, head) -> queryGrad(block, head, query, key, value, dy, forward, delta, dq));
    forEach(
        kvHeads,
        (block, kvHead) ->
            keyValueGrad(block, kvHead, query, key, value, dy, forward, delta, dk, dv));
    return new Gradients(dq, dk, dv);
  }

  /**
   * As the double version, forward included, for inputs in single precision.
   *
   * @param query {@code [rows][heads][D]}
   * @param key {@code [rows][kvHeads][D]}
   * @param value {@code [rows][kvHeads][Dv]}
   * @param dy gradient of the output, {@code [rows][heads][Dv]}
   * @return the gradients
   */
  public Gradients backward(float[] query, float[] key, float[] value, float[] dy) {
    double[] q = widen(query);
    double[] k = widen(key);
    double[] v = widen(value);
    return backward(q, k, v, widen(dy), forward(q, k, v));
  }

  private interface Task {
    void run(Block block, int head);
  }

  private void forEach(int headCount, Task task) {
    IntStream.range(0, blocks.size() * headCount)
        .parallel()
        .forEach(i -> task.run(blocks.get(i / headCount), i % headCount));
  }

  private void forward(
      Block q,
      int head,
      double[] query,
      double[] key,
      double[] value,
      double[] out,
      double[] max,
      double[] sum) {
    int kvHead = head / (heads / kvHeads);
    double[] keys = new double[headDim * BlockMath.SIZE];
    double[] p = new double[BlockMath.SIZE];
    int endKey = visible.end(q.begin, q.end);
    for (int begin = visible.begin(q.begin, q.end); begin < endKey; begin += BlockMath.SIZE) {
      int width = Math.min(BlockMath.SIZE, endKey - begin);
      BlockMath.transpose(key, begin, width, kvHeads, kvHead, headDim, keys);
      for (int row = q.begin; row < q.end; row++) {
        int from = Math.max(0, visible.begin(row) - begin);
        int to = Math.min(width, visible.end(row) - begin);
        if (from >= to) {
          continue;
        }
        int stat = row * heads + head;
        BlockMath.multiply(query, stat * headDim, headDim, keys, p);
        BlockMath.scale(p, from, to - from, scale);
        visible.fillHoles(row, begin, from, to, p, Double.NEGATIVE_INFINITY);
        double blockMax = max[stat];
        for (int j = from; j < to; j++) {
          blockMax = Math.max(blockMax, p[j]);
        }
        if (blockMax == Double.NEGATIVE_INFINITY) {
          continue;
        }
        double shrink = Math.exp(max[stat] - blockMax);
        double total = sum[stat] * shrink;
        int o = stat * headDimV;
        BlockMath.scale(out, o, headDimV, shrink);
        for (int j = from; j < to; j++) {
          p[j] = Math.exp(p[j] - blockMax);
          total += p[j];
        }
        int v = ((begin + from) * kvHeads + kvHead) * headDimV;
        BlockMath.addRows(p, from, to - from, value, v, kvHeads * headDimV, out, o, headDimV);
        max[stat] = blockMax;
        sum[stat] = total;
      }
    }
    for (int row = q.begin; row < q.end; row++) {
      int stat = row * heads + head;
      if (sum[stat] > 0) {
        BlockMath.scale(out, stat * headDimV, headDimV, 1 / sum[stat]);
      }
    }
  }

  private void queryGrad(
      Block q,
      int head,
      double[] query,
      double[] key,
      double[] value,
      double[] dy,
      Forward forward,
      double[] delta,
      double[] dq) {
    int kvHead = head / (heads / kvHeads);
    double[] keys = new double[headDim * BlockMath.SIZE];
    double[] values = new double[headDimV * BlockMath.SIZE];
    double[] p = new double[BlockMath.SIZE];
    double[] ds = new double[BlockMath.SIZE];
    int endKey = visible.end(q.begin, q.end);
    for (int begin = visible.begin(q.begin, q.end); begin < endKey; begin += BlockMath.SIZE) {
      int width = Math.min(BlockMath.SIZE, endKey - begin);
      BlockMath.transpose(key, begin, width, kvHeads, kvHead, headDim, keys);
      BlockMath.transpose(value, begin, width, kvHeads, kvHead, headDimV, values);
      for (int row = q.begin; row < q.end; row++) {
        int from = Math.max(0, visible.begin(row) - begin);
        int to = Math.min(width, visible.end(row) - begin);
        if (from >= to) {
          continue;
        }
        int stat = row * heads + head;
        scoreGrad(stat, from, to, query, keys, dy, values, forward, delta, p, ds);
        visible.fillHoles(row, begin, from, to, ds, 0);
        int k = ((begin + from) * kvHeads + kvHead) * headDim;
        BlockMath.addRows(
            ds, from, to - from, key, k, kvHeads * headDim, dq, stat * headDim, headDim);
      }
    }
  }

  private void keyValueGrad(
      Block kv,
      int kvHead,
      double[] query,
      double[] key,
      double[] value,
      double[] dy,
      Forward forward,
      double[] delta,
      double[] dk,
      double[] dv) {
    double[] keys = new double[headDim * BlockMath.SIZE];
    double[] values = new double[headDimV * BlockMath.SIZE];
    double[] p = new double[BlockMath.SIZE];
    double[] ds = new double[BlockMath.SIZE];
    // [key of the block][query row of a block]
    double[] pColumns = new double[BlockMath.SIZE * BlockMath.SIZE];
    double[] dsColumns = new double[BlockMath.SIZE * BlockMath.SIZE];
    BlockMath.transpose(key, kv.begin, kv.rows(), kvHeads, kvHead, headDim, keys);
    BlockMath.transpose(value, kv.begin, kv.rows(), kvHeads, kvHead, headDimV, values);
    // Queries of a block that see a key of this one: firstSeeing[j] ... endSeeing[j] - 1, all but
    // holes.
    int[] firstSeeing = new int[BlockMath.SIZE];
    int[] endSeeing = new int[BlockMath.SIZE];
    int group = heads / kvHeads;
    int endRow = visible.endRow(kv.documentBegin, kv.documentEnd, kv.end);
    for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
      int firstRow = visible.firstRow(kv.documentBegin, kv.documentEnd, kv.begin);
      for (int first = firstRow; first < endRow; first += BlockMath.SIZE) {
        int queries = Math.min(BlockMath.SIZE, endRow - first);
        Arrays.fill(firstSeeing, queries);
        Arrays.fill(endSeeing, 0);
        for (int i = 0; i < queries; i++) {
          int row = first + i;
          int from = Math.max(0, visible.begin(row) - kv.begin);
          int to = Math.min(kv.rows(), visible.end(row) - kv.begin);
          if (from < to) {
            int stat = row * heads + head;
            scoreGrad(stat, from, to, query, keys, dy, values, forward, delta, p, ds);
            visible.fillHoles(row, kv.begin, from, to, p, 0);
            visible.fillHoles(row, kv.begin, from, to, ds, 0);
          }
          for (int j = 0; j < kv.rows(); j++) {
            boolean sees = from <= j && j < to;
            pColumns[j * BlockMath.SIZE + i] = sees ? p[j] : 0;
            dsColumns[j * BlockMath.SIZE + i] = sees ? ds[j] : 0;
            if (sees) {
              firstSeeing[j] = Math.min(firstSeeing[j], i);
              endSeeing[j] = i + 1;
            }
          }
        }
        for (int j = 0; j < kv.rows(); j++) {
          int seeing = endSeeing[j] - firstSeeing[j];
          if (seeing <= 0) {
            continue;
          }
          int column = j * BlockMath.SIZE + firstSeeing[j];
          int source = (first + firstSeeing[j]) * heads + head;
          int target = (kv.begin + j) * kvHeads + kvHead;
          BlockMath.addRows(
              dsColumns,
              column,
              seeing,
              query,
              source * headDim,
              heads * headDim,
              dk,
              target * headDim,
              headDim);
          BlockMath.addRows(
              pColumns,
              column,
              seeing,
              dy,
              source * headDimV,
              heads * headDimV,
              dv,
              target * headDimV,
              headDimV);
        }
      }
    }
  }

  /**
   * Probabilities and scaled score gradients of one row against keys {@code from .. to - 1} of a
   * block.
   */
  private void scoreGrad(
      int stat,
      int from,
      int to,
      double[] query,
      double[] keys,
      double[] dy,
      double[] values,
      Forward forward,
      double[] delta,
      double[] p,
      double[] ds) {
    BlockMath.multiply(query, stat * headDim, headDim, keys, p);
    BlockMath.multiply(dy, stat * headDimV, headDimV, values, ds);
    double max = forward.softmaxMax()[stat];
    double sum = forward.softmaxSum()[stat];
    for (int j = from; j < to; j++) {
      p[j] = Math.exp(p[j] * scale - max) / sum;
      ds[j] = p[j] * (ds[j] - delta[stat]) * scale;
    }
  }

  private static double[] widen(float[] values) {
    double[] wide = new double[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    return wide;
  }

  private static void check(String name, double[] array, int elements) {
    if (array.length != elements) {
      throw new IllegalArgumentException(
          name + " has " + array.length + " elements, its shape says " + elements);
    }
  }
}
