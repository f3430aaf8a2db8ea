// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

/**
 * Which rows of the sequence a ring rank holds; all hold as many. With R ring ranks and S rows,
 * chunk i of c begins at row floor(i * S / c).
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
  ZIGZAG,
  /**
   * {@link #ZIGZAG} in every document, with chunks rounded so that all ring ranks have as many
   * rows. Work is even whatever the lengths, but nearly all rows of a document are needed by all
   * ranks: for comparison rather than use.
   *
   * <pre>
   * R = 2, documents of 4 rows:   0 1 2 3 | 4 5 6 7   ->   rank 0: 0 3 4 7   rank 1: 1 2 5 6
   * </pre>
   */
  ZIGZAG_PER_DOCUMENT,
  /**
   * Equal row counts and nearly equal work for all ring ranks, with few rows to send: whole
   * documents where they fit, and of longer ones the late rows, which have most work, together with
   * short documents. Work is that of the plan's mask. The rank with most work has about 2 % more
   * than the mean, on up to 64 ranks never more than 5 %, unless documents are so few and short
   * that the work of single rows decides.
   */
  BALANCED
}
