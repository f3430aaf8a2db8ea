// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

/**
 * The fewest rows that ranks can send, counted from who sees what rather than from steps: a row
 * goes once to every rank that needs it, and in a ring once over every link up to the farthest of
 * these.
 */
final class TrafficBound {
  private final PlanGeometry geometry;
  private final boolean ring;

  TrafficBound(PlanGeometry geometry, ExchangePattern pattern) {
    this.geometry = geometry;
    ring = pattern == ExchangePattern.RING;
  }

  /** Rows of keys and values that a rank sends. */
  long forwardRows(int rank) {
    long rows = 0;
    for (int distance = 0; distance < geometry.ranks() - (ring ? 1 : 0); distance++) {
      // In a ring rows of the rank at this distance come by; later ranks may need them.
      rows +=
          ring
              ? needed(wrap(rank + distance), distance + 1, geometry.ranks() - 1)
              : needed(rank, distance, distance);
    }
    return rows;
  }

  /** Rows of gradients of keys and values that a rank sends. */
  long gradientRows(int rank) {
    long rows = 0;
    for (int distance = 1; distance < geometry.ranks(); distance++) {
      rows += needed(wrap(rank + distance), ring ? 1 : distance, distance);
    }
    return rows;
  }

  /** Rows of an owner that at least one of the ranks so far before it needs. */
  private long needed(int owner, int nearest, int farthest) {
    RowSet rows = RowSet.EMPTY;
    for (int distance = Math.max(1, nearest); distance <= farthest; distance++) {
      rows = rows.union(geometry.needed(wrap(owner - distance), owner));
    }
    return rows.rows();
  }

  private int wrap(int rank) {
    return Math.floorMod(rank, geometry.ranks());
  }
}
