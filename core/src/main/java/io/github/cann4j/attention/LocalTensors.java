// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.plan.RowRange;

/**
 * The tensors of one ring rank: {@code [batch, ring rows, heads of this rank, dim]}.
 *
 * @param q queries
 * @param k keys
 * @param v values
 * @param out attention output
 */
record LocalTensors(Tensor q, Tensor k, Tensor v, Tensor out) {

  /**
   * Their gradients, of the same shapes.
   *
   * @param out given
   * @param q computed
   * @param k computed
   * @param v computed
   */
  record Gradients(Tensor out, Tensor q, Tensor k, Tensor v) {
    /** One batch element, packed. */
    Gradients packed(int batch) {
      return new Gradients(
          LocalTensors.packed(out, batch),
          LocalTensors.packed(q, batch),
          LocalTensors.packed(k, batch),
          LocalTensors.packed(v, batch));
    }
  }

  /** One batch element as {@code [rows, heads, dim]} tensors. */
  LocalTensors packed(int batch) {
    return new LocalTensors(
        packed(q, batch), packed(k, batch), packed(v, batch), packed(out, batch));
  }

  private static Tensor packed(Tensor tensor, int batch) {
    return Recording.packedRows(tensor, batch, new RowRange(0, tensor.size(1)));
  }
}
