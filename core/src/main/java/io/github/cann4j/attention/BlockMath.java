// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import java.util.Arrays;

/** Loops over blocks of rows in double precision, which the compiler vectorises. */
final class BlockMath {
  /** Rows of a block. */
  static final int SIZE = 64;

  private BlockMath() {}

  /** result[j] = sum over d of vector[offset + d] * transposed[d][j], for all columns. */
  static void multiply(
      double[] vector, int offset, int dims, double[] transposed, double[] result) {
    Arrays.fill(result, 0);
    addRows(vector, offset, dims, transposed, 0, SIZE, result, 0, SIZE);
  }

  /**
   * Adds {@code count} weighted rows of {@code width} elements to the target. Four rows at a time,
   * because loading and storing the target is what takes the time.
   */
  static void addRows(
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

  static void scale(double[] x, int begin, int n, double factor) {
    for (int i = begin; i < begin + n; i++) {
      x[i] *= factor;
    }
  }

  /** Columns past {@code width} keep what they had; their results are not used. */
  static void transpose(
      double[] source, int row, int width, int heads, int head, int dims, double[] target) {
    for (int j = 0; j < width; j++) {
      int begin = ((row + j) * heads + head) * dims;
      for (int d = 0; d < dims; d++) {
        target[d * SIZE + j] = source[begin + d];
      }
    }
  }
}
