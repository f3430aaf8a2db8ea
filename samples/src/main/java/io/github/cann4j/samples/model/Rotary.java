// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;

/**
 * Rotary position embedding (Su et al., arXiv 2104.09864) in the order that Llama's weights have in
 * the Hugging Face form: element i of a head turns together with element i + D/2.
 */
public final class Rotary {
  private final NDArray cos;
  private final NDArray sin;

  /**
   * Angles of some rows.
   *
   * @param manager owns them
   * @param positions position id of each row
   * @param headDim elements D of a head
   * @param theta base of the frequencies
   */
  public Rotary(NDManager manager, long[] positions, int headDim, double theta) {
    double[] frequencies = new double[headDim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = Math.pow(theta, -2.0 * i / headDim);
    }
    // In double precision: late positions would lose their fraction of a turn in single.
    NDArray angles =
        manager
            .create(positions)
            .toType(DataType.FLOAT64, false)
            .reshape(positions.length, 1, 1)
            .mul(manager.create(frequencies));
    cos = angles.cos().toType(DataType.FLOAT32, false);
    sin = angles.sin().toType(DataType.FLOAT32, false);
  }

  /**
   * Turns each head by the angles of its row.
   *
   * @param x {@code [rows, heads, D]}
   * @return the same shape, contiguous
   */
  public NDArray rotate(NDArray x) {
    NDList halves = x.split(2, 2);
    NDArray first = halves.get(0);
    NDArray second = halves.get(1);
    return first.mul(cos).sub(second.mul(sin)).concat(second.mul(cos).add(first.mul(sin)), 2);
  }
}
