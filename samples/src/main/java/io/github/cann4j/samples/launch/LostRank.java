// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

/**
 * A rank without which the job cannot go on.
 *
 * @param rank which one
 * @param how it was lost
 * @param message a line for the user that names it, as {@code rank 2 of 4 failed: ...}
 */
public record LostRank(int rank, How how, String message) {
  /** What the others know of the end. */
  public enum How {
    /** Its process ended without a word. */
    ENDED,
    /** It said why it cannot go on. */
    FAILED,
    /** Nothing was heard of it; its process may still be there. */
    UNHEARD
  }

  static LostRank gone(int rank, int size) {
    return new LostRank(
        rank,
        How.ENDED,
        "rank %d of %d was lost: its process ended without a word, killed or crashed"
            .formatted(rank, size));
  }

  static LostRank silent(int rank, int size, long seconds) {
    return new LostRank(
        rank,
        How.UNHEARD,
        "rank %d of %d was lost: nothing was heard of it for %d s; look at its host and network"
            .formatted(rank, size, seconds));
  }

  static LostRank failed(int rank, int size, String why) {
    return new LostRank(rank, How.FAILED, "rank %d of %d failed: %s".formatted(rank, size, why));
  }
}
