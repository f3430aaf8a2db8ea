// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.Objects;

/**
 * The context-parallel ranks as a grid: Ulysses is the inner dimension, the ring the outer one.
 *
 * @param ringDegree ranks that exchange key/value rows; 1 for plain Ulysses
 * @param ulyssesDegree ranks that exchange heads for rows; 1 for a plain ring
 */
public record CpGrid(int ringDegree, int ulyssesDegree) {
  /**
   * Checks the degrees.
   *
   * @throws IllegalArgumentException if a degree is below 1 or their product is no int
   */
  public CpGrid {
    if (ringDegree < 1 || ulyssesDegree < 1) {
      throw new IllegalArgumentException(
          "degrees of a CP grid are at least 1, not ring "
              + ringDegree
              + " and Ulysses "
              + ulyssesDegree);
    }
    if ((long) ringDegree * ulyssesDegree > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "a CP grid of " + ringDegree + " x " + ulyssesDegree + " ranks is too large");
    }
  }

  /**
   * A ring of {@code size} ranks.
   *
   * @param size number of ranks
   * @return the grid
   */
  public static CpGrid ring(int size) {
    return new CpGrid(size, 1);
  }

  /**
   * A Ulysses group of {@code size} ranks.
   *
   * @param size number of ranks
   * @return the grid
   */
  public static CpGrid ulysses(int size) {
    return new CpGrid(1, size);
  }

  /** {@return number of CP ranks} */
  public int size() {
    return ringDegree * ulyssesDegree;
  }

  /**
   * Place of a CP rank in its ring.
   *
   * @param cpRank 0 … CP size − 1
   * @return 0 … ring degree − 1
   */
  public int ringRank(int cpRank) {
    return Objects.checkIndex(cpRank, size()) / ulyssesDegree;
  }

  /**
   * Place of a CP rank in its Ulysses group.
   *
   * @param cpRank 0 … CP size − 1
   * @return 0 … Ulysses degree − 1
   */
  public int ulyssesRank(int cpRank) {
    return Objects.checkIndex(cpRank, size()) % ulyssesDegree;
  }

  /**
   * The CP rank at a place of the grid.
   *
   * @param ringRank 0 … ring degree − 1
   * @param ulyssesRank 0 … Ulysses degree − 1
   * @return 0 … size − 1
   */
  public int cpRank(int ringRank, int ulyssesRank) {
    Objects.checkIndex(ringRank, ringDegree);
    Objects.checkIndex(ulyssesRank, ulyssesDegree);
    return ringRank * ulyssesDegree + ulyssesRank;
  }

  @Override
  public String toString() {
    return "CpGrid[ring=" + ringDegree + ", ulysses=" + ulyssesDegree + "]";
  }
}
