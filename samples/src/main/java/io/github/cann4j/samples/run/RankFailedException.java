// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

/** The first failure among ranks; the cause is what the rank threw. */
public final class RankFailedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int rank;

  RankFailedException(int rank, int ranks, Throwable cause, String others) {
    super("rank %d of %d failed: %s%s".formatted(rank, ranks, describe(cause), others), cause);
    this.rank = rank;
  }

  private static String describe(Throwable cause) {
    return cause.getMessage() == null ? cause.toString() : cause.getMessage();
  }

  /** The rank that failed first. */
  public int rank() {
    return rank;
  }
}
