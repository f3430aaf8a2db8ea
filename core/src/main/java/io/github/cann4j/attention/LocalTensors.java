// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;

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
  record Gradients(Tensor out, Tensor q, Tensor k, Tensor v) {}
}
