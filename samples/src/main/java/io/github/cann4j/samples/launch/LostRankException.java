// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

/** The job ended here because another rank was lost; the message is one line for the user. */
public final class LostRankException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient LostRank lost;

  LostRankException(LostRank lost) {
    super(lost.message());
    this.lost = lost;
  }

  /** The rank that was lost. */
  public LostRank lost() {
    return lost;
  }
}
