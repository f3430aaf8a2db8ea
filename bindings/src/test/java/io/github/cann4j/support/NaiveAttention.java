// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.support;

/**
 * Attention of one sequence in fp64, written as the formulas are: rows of q, k and v are [S][N][D]
 * arrays, causal means j ≤ i + shift, and {@link Rules} say the rest.
 */
public final class NaiveAttention {
  /** Output [Sq][N][Dv]. */
  public final double[] out;

  /** Row maxima [N][Sq]. */
  public final double[] max;

  /** Row sums [N][Sq]. */
  public final double[] sum;

  /** Gradients in the shapes of q, k and v. */
  public final double[] dq;

  /** Gradient of k. */
  public final double[] dk;

  /** Gradient of v. */
  public final double[] dv;

  /** Sizes of a sequence; {@code shift} null for no mask. */
  public record Sizes(
      int sq, int skv, int heads, int kvHeads, int dim, int valueDim, Integer shift) {}

  /** What happens to the score of query i and key j in head n. */
  public interface Rules {
    /** Whether the key takes part. */
    default boolean sees(int i, int j) {
      return true;
    }

    /** What is added to the scaled score. */
    default double bias(int n, int i, int j) {
      return 0;
    }

    /** The factor of the probability under dropout. */
    default double kept(int n, int i, int j) {
      return 1;
    }
  }

  private final Rules rules;

  /** Computes all at once; {@code dy} null leaves out the gradients. */
  public NaiveAttention(Sizes s, double scale, float[] q, float[] k, float[] v, float[] dy) {
    this(
        s,
        scale,
        new Rules() {
          @Override
          public boolean sees(int i, int j) {
            return s.shift == null || j <= i + s.shift;
          }
        },
        q,
        k,
        v,
        dy);
  }

  /** Computes all at once. */
  public NaiveAttention(
      Sizes s, double scale, Rules rules, float[] q, float[] k, float[] v, float[] dy) {
    this.rules = rules;
    out = new double[s.sq * s.heads * s.valueDim];
    max = new double[s.heads * s.sq];
    sum = new double[s.heads * s.sq];
    dq = new double[q.length];
    dk = new double[k.length];
    dv = new double[v.length];
    for (int n = 0; n < s.heads; n++) {
      for (int i = 0; i < s.sq; i++) {
        row(s, scale, q, k, v, dy, n, i);
      }
    }
  }

  private void row(
      Sizes s, double scale, float[] q, float[] k, float[] v, float[] dy, int n, int i) {
    int kv = n / (s.heads / s.kvHeads);
    int qAt = (i * s.heads + n) * s.dim;
    int outAt = (i * s.heads + n) * s.valueDim;
    double[] p = new double[s.skv];
    double rowMax = Double.NEGATIVE_INFINITY;
    for (int j = 0; j < s.skv; j++) {
      if (rules.sees(i, j)) {
        int kAt = (j * s.kvHeads + kv) * s.dim;
        for (int d = 0; d < s.dim; d++) {
          p[j] += (double) q[qAt + d] * k[kAt + d];
        }
        p[j] = p[j] * scale + rules.bias(n, i, j);
        rowMax = Math.max(rowMax, p[j]);
      }
    }
    double rowSum = 0;
    for (int j = 0; j < s.skv; j++) {
      p[j] = rules.sees(i, j) ? Math.exp(p[j] - rowMax) : 0;
      rowSum += p[j];
    }
    max[n * s.sq + i] = rowMax;
    sum[n * s.sq + i] = rowSum;
    for (int j = 0; j < s.skv; j++) {
      p[j] /= rowSum;
      for (int d = 0; d < s.valueDim; d++) {
        out[outAt + d] += p[j] * rules.kept(n, i, j) * v[(j * s.kvHeads + kv) * s.valueDim + d];
      }
    }
    if (dy != null) {
      gradients(s, scale, q, k, v, dy, n, i, p);
    }
  }

  private void gradients(
      Sizes s,
      double scale,
      float[] q,
      float[] k,
      float[] v,
      float[] dy,
      int n,
      int i,
      double[] p) {
    int kv = n / (s.heads / s.kvHeads);
    int qAt = (i * s.heads + n) * s.dim;
    int outAt = (i * s.heads + n) * s.valueDim;
    double delta = 0;
    for (int d = 0; d < s.valueDim; d++) {
      delta += dy[outAt + d] * out[outAt + d];
    }
    for (int j = 0; j < s.skv; j++) {
      int kAt = (j * s.kvHeads + kv) * s.dim;
      int vAt = (j * s.kvHeads + kv) * s.valueDim;
      double dp = 0;
      double kept = rules.kept(n, i, j);
      for (int d = 0; d < s.valueDim; d++) {
        dp += (double) dy[outAt + d] * v[vAt + d] * kept;
        dv[vAt + d] += p[j] * kept * dy[outAt + d];
      }
      double ds = p[j] * (dp - delta) * scale;
      for (int d = 0; d < s.dim; d++) {
        dq[qAt + d] += ds * k[kAt + d];
        dk[kAt + d] += ds * q[qAt + d];
      }
    }
  }
}
