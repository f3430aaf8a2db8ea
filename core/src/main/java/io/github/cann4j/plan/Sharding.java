// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

/**
 * Which rows of the sequence a ring rank holds. With R ring ranks and S rows, chunk i of c begins
 * at row floor(i * S / c).
 */
public enum Sharding {
  /**
   * Ring rank r holds chunk r of R.
   *
   * <pre>
   * R = 4, rows as chunks:   0 1 2 3   ->   rank 0: 0   rank 1: 1   rank 2: 2   rank 3: 3
   * </pre>
   */
  CONTIGUOUS,
  /**
   * Ring rank r holds chunks r and 2R-1-r of 2R, in this order: one early and one late chunk, so
   * that one long causal document gives every rank the same work.
   *
   * <pre>
   * R = 4, rows as chunks:   0 1 2 3 4 5 6 7   ->
   *     rank 0: 0 7   rank 1: 1 6   rank 2: 2 5   rank 3: 3 4
   * </pre>
   */
  ZIGZAG
}
