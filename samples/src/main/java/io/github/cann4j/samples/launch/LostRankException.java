// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

/** The job ended here because another rank was lost; the message is one line for the user. */
public final class LostRankException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient LostRank lost;
  private final boolean reported;

  LostRankException(LostRank lost, boolean reported) {
    super(lost.message());
    this.lost = lost;
    this.reported = reported;
  }

  static LostRankException of(RankEnvironment environment, LostRank lost) {
    return new LostRankException(lost, !ProcessEnd.reports(environment, lost));
  }

  /** The rank that was lost. */
  public LostRank lost() {
    return lost;
  }

  /** Whether the user is told by {@link RankSession#onLost}'s action or by another process. */
  public boolean isReported() {
    return reported;
  }
}
