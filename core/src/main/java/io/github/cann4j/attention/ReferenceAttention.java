// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Causal attention over packed documents in double precision and plain Java: the yardstick for
 * every other implementation.
 *
 * <p>Layouts are TND: rows x heads x head dimension, dense, padding rows included. With T = {@code
 * sequence().length()}, N query heads and M key/value heads: query [T][N][D], key [T][M][D], value
 * [T][M][Dv], out and dy [T][N][Dv]; query head n uses key/value head n / (N / M). A row attends to
 * the rows of its document up to itself. Padding rows have output and gradients 0, and their inputs
 * are not read.
 *
 * <p>Results do not depend on the number of threads; work runs on the common fork-join pool with
 * memory that is linear in T. Immutable and thread-safe.
 */
public final class ReferenceAttention {
  private static final int BLOCK = 64;

  private final PackedSequence sequence;
  private final int heads;
  private final int kvHeads;
  private final int headDim;
  private final int headDimV;
  private final double scale;
  private final int rows;
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
   * @param softmaxMax [T][N]: the largest scaled score of a row, negative infinity in padding
   * @param softmaxSum [T][N]: the sum of exp(score - softmaxMax) of a row, 0 in padding
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
   * Checks the sizes; computes nothing.
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
    blocks = new ArrayList<>();
    for (int i = 0; i < sequence.documentCount(); i++) {
      int begin = (int) sequence.documentBegin(i);
      int end = (int) sequence.documentEnd(i);
      for (int row = begin; row < end; row += BLOCK) {
        blocks.add(new Block(row, Math.min(end, row + BLOCK), begin, end));
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
    double[] keys = new double[headDim * BLOCK];
    double[] p = new double[BLOCK];
    for (int begin = q.documentBegin; begin < q.end; begin += BLOCK) {
      int width = Math.min(BLOCK, q.end - begin);
      transpose(key, begin, width, kvHeads, kvHead, headDim, keys);
      for (int row = Math.max(q.begin, begin); row < q.end; row++) {
        int visible = Math.min(width, row + 1 - begin);
        int stat = row * heads + head;
        multiply(query, stat * headDim, headDim, keys, p);
        double blockMax = max[stat];
        for (int j = 0; j < visible; j++) {
          p[j] *= scale;
          blockMax = Math.max(blockMax, p[j]);
        }
        double shrink = Math.exp(max[stat] - blockMax);
        double total = sum[stat] * shrink;
        int o = stat * headDimV;
        scale(out, o, headDimV, shrink);
        for (int j = 0; j < visible; j++) {
          p[j] = Math.exp(p[j] - blockMax);
          total += p[j];
        }
        int v = (begin * kvHeads + kvHead) * headDimV;
        addRows(p, 0, visible, value, v, kvHeads * headDimV, out, o, headDimV);
        max[stat] = blockMax;
        sum[stat] = total;
      }
    }
    for (int row = q.begin; row < q.end; row++) {
      int stat = row * heads + head;
      scale(out, stat * headDimV, headDimV, 1 / sum[stat]);
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
    double[] keys = new double[headDim * BLOCK];
    double[] values = new double[headDimV * BLOCK];
    double[] p = new double[BLOCK];
    double[] ds = new double[BLOCK];
    for (int begin = q.documentBegin; begin < q.end; begin += BLOCK) {
      int width = Math.min(BLOCK, q.end - begin);
      transpose(key, begin, width, kvHeads, kvHead, headDim, keys);
      transpose(value, begin, width, kvHeads, kvHead, headDimV, values);
      for (int row = Math.max(q.begin, begin); row < q.end; row++) {
        int visible = Math.min(width, row + 1 - begin);
        int stat = row * heads + head;
        scoreGrad(stat, visible, query, keys, dy, values, forward, delta, p, ds);
        int k = (begin * kvHeads + kvHead) * headDim;
        addRows(ds, 0, visible, key, k, kvHeads * headDim, dq, stat * headDim, headDim);
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
    double[] keys = new double[headDim * BLOCK];
    double[] values = new double[headDimV * BLOCK];
    double[] p = new double[BLOCK];
    double[] ds = new double[BLOCK];
    // [key of the block][query row of a block]
    double[] pColumns = new double[BLOCK * BLOCK];
    double[] dsColumns = new double[BLOCK * BLOCK];
    transpose(key, kv.begin, kv.rows(), kvHeads, kvHead, headDim, keys);
    transpose(value, kv.begin, kv.rows(), kvHeads, kvHead, headDimV, values);
    int group = heads / kvHeads;
    for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
      for (int first = kv.begin; first < kv.documentEnd; first += BLOCK) {
        int queries = Math.min(BLOCK, kv.documentEnd - first);
        for (int i = 0; i < queries; i++) {
          int visible = Math.min(kv.rows(), first + i + 1 - kv.begin);
          int stat = (first + i) * heads + head;
          scoreGrad(stat, visible, query, keys, dy, values, forward, delta, p, ds);
          for (int j = 0; j < visible; j++) {
            pColumns[j * BLOCK + i] = p[j];
            dsColumns[j * BLOCK + i] = ds[j];
          }
        }
        for (int j = 0; j < kv.rows(); j++) {
          int hidden = Math.max(0, kv.begin + j - first);
          int column = j * BLOCK + hidden;
          int source = (first + hidden) * heads + head;
          int target = (kv.begin + j) * kvHeads + kvHead;
          addRows(
              dsColumns,
              column,
              queries - hidden,
              query,
              source * headDim,
              heads * headDim,
              dk,
              target * headDim,
              headDim);
          addRows(
              pColumns,
              column,
              queries - hidden,
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

  /** Probabilities and scaled score gradients of one row against a block of keys. */
  private void scoreGrad(
      int stat,
      int visible,
      double[] query,
      double[] keys,
      double[] dy,
      double[] values,
      Forward forward,
      double[] delta,
      double[] p,
      double[] ds) {
    multiply(query, stat * headDim, headDim, keys, p);
    multiply(dy, stat * headDimV, headDimV, values, ds);
    double max = forward.softmaxMax()[stat];
    double sum = forward.softmaxSum()[stat];
    for (int j = 0; j < visible; j++) {
      p[j] = Math.exp(p[j] * scale - max) / sum;
      ds[j] = p[j] * (ds[j] - delta[stat]) * scale;
    }
  }

  /** result[j] = sum over d of vector[offset + d] * transposed[d][j], for all columns. */
  private static void multiply(
      double[] vector, int offset, int dims, double[] transposed, double[] result) {
    Arrays.fill(result, 0);
    addRows(vector, offset, dims, transposed, 0, BLOCK, result, 0, BLOCK);
  }

  /**
   * Adds {@code count} weighted rows of {@code width} elements to the target. Four rows at a time,
   * because loading and storing the target is what takes the time.
   */
  private static void addRows(
      double[] weights,
      int weight,
      int count,
      double[] source,
      int begin,
      int stride,
      double[] target,
      int to,
      int width) {
    int row = 0;
    for (; row + 4 <= count; row += 4) {
      double a = weights[weight + row];
      double b = weights[weight + row + 1];
      double c = weights[weight + row + 2];
      double d = weights[weight + row + 3];
      int s = begin + row * stride;
      int t = s + stride;
      int u = t + stride;
      int v = u + stride;
      for (int i = 0; i < width; i++) {
        target[to + i] +=
            (a * source[s + i] + b * source[t + i]) + (c * source[u + i] + d * source[v + i]);
      }
    }
    for (; row < count; row++) {
      double a = weights[weight + row];
      int s = begin + row * stride;
      for (int i = 0; i < width; i++) {
        target[to + i] += a * source[s + i];
      }
    }
  }

  private static void scale(double[] x, int begin, int n, double factor) {
    for (int i = begin; i < begin + n; i++) {
      x[i] *= factor;
    }
  }

  /** Columns past {@code width} keep what they had; their results are not used. */
  private static void transpose(
      double[] source, int row, int width, int heads, int head, int dims, double[] target) {
    for (int j = 0; j < width; j++) {
      int begin = ((row + j) * heads + head) * dims;
      for (int d = 0; d < dims; d++) {
        target[d * BLOCK + j] = source[begin + d];
      }
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
