// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

/**
 * Rows that travel between two ring ranks, end to end in one block. The transfer of the other side
 * has the same owner and rows.
 *
 * @param peer ring rank at the other end
 * @param owner ring rank whose shard the rows are
 * @param rows never empty; in the owner's local memory order
 */
public record Transfer(int peer, int owner, RowSet rows) {
  /**
   * Checks the rows.
   *
   * @throws IllegalArgumentException if there are no rows
   */
  public Transfer {
    if (rows.isEmpty()) {
      throw new IllegalArgumentException("a transfer needs rows");
    }
  }
}
