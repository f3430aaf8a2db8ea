// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Makes the query, key and value of a token: a seeded embedding, a seeded projection and a rotary
 * position embedding. The same seed, token and position give the same floats everywhere, so every
 * rank computes its own rows and no rank holds those of another. Thread-safe.
 *
 * <p>Values have mean 0 and variance about 1.
 */
final class TokenProjection {
  private static final int HIDDEN = 32;
  private static final double ROTARY_BASE = 1e6;
  private static final long MIX = 0x9E3779B97F4A7C15L;

  private final long seed;
  private final int headDim;
  private final float[][] query;
  private final float[][] key;
  private final float[][] value;
  private final float[][] rotation;

  /**
   * Draws the weights.
   *
   * @param maxPosition the largest position that a token will have
   */
  TokenProjection(long seed, int heads, int kvHeads, int headDim, int maxPosition) {
    this.seed = mix(seed);
    this.headDim = headDim;
    query = weights(1, heads * headDim);
    key = weights(2, kvHeads * headDim);
    value = weights(3, kvHeads * headDim);
    rotation = new float[maxPosition + 1][];
    IntStream.range(0, rotation.length).parallel().forEach(p -> rotation[p] = rotation(p));
  }

  private float[][] weights(int salt, int columns) {
    float[][] weights = new float[HIDDEN][columns];
    float norm = (float) (1 / Math.sqrt(HIDDEN));
    for (int row = 0; row < HIDDEN; row++) {
      for (int c = 0; c < columns; c++) {
        weights[row][c] = norm * random(salt, (long) row * columns + c);
      }
    }
    return weights;
  }

  /** Cosines, then sines; StrictMath, because ranks must get the same bits. */
  private float[] rotation(int position) {
    int half = headDim / 2;
    float[] row = new float[2 * half];
    for (int i = 0; i < half; i++) {
      double angle = position * StrictMath.pow(ROTARY_BASE, -2.0 * i / headDim);
      row[i] = (float) StrictMath.cos(angle);
      row[half + i] = (float) StrictMath.sin(angle);
    }
    return row;
  }

  /**
   * Writes some heads of one row.
   *
   * @param part query, key or value
   * @param target receives {@code (headEnd - headBegin) * headDim} values from the offset on
   */
  void project(
      Part part, int token, int position, int headBegin, int headEnd, float[] target, int offset) {
    float[][] weights =
        switch (part) {
          case QUERY -> query;
          case KEY -> key;
          case VALUE -> value;
          case OUT_GRADIENT -> throw new IllegalArgumentException("no projection makes " + part);
        };
    int first = headBegin * headDim;
    int width = (headEnd - headBegin) * headDim;
    Arrays.fill(target, offset, offset + width, 0f);
    for (int j = 0; j < HIDDEN; j++) {
      addScaled(random(0, (long) token * HIDDEN + j), weights[j], first, target, offset, width);
    }
    if (part != Part.VALUE) {
      for (int head = 0; head < headEnd - headBegin; head++) {
        rotate(rotation[position], target, offset + head * headDim);
      }
    }
  }

  private static void addScaled(
      float factor, float[] source, int from, float[] target, int to, int width) {
    for (int c = 0; c < width; c++) {
      target[to + c] += factor * source[from + c];
    }
  }

  private void rotate(float[] row, float[] target, int offset) {
    int half = headDim / 2;
    for (int i = 0; i < half; i++) {
      float a = target[offset + i];
      float b = target[offset + half + i];
      target[offset + i] = a * row[i] - b * row[half + i];
      target[offset + half + i] = a * row[half + i] + b * row[i];
    }
  }

  /** A seeded gradient of the output: one value per global row and column. */
  void outGradient(long row, int columnBegin, int columnEnd, long columns, float[] target, int to) {
    for (int c = columnBegin; c < columnEnd; c++) {
      target[to + c - columnBegin] = random(4, row * columns + c);
    }
  }

  /** Uniform with variance 1. */
  private float random(int salt, long index) {
    long bits = mix(seed + salt * MIX ^ mix(index + salt));
    return (float) (((bits >>> 40) * 0x1p-23 - 1) * 1.7320508075688772);
  }

  private static long mix(long value) {
    long z = value + MIX;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
