// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

/** The rules of CANN's sparse modes about preTokens, nextTokens and lengths; a mask is given. */
final class WindowChecks {
  private WindowChecks() {}

  static void check(SparseMode mode, long pre, long next, Layout layout, SequenceLengths lengths) {
    switch (mode) {
      case DEFAULT_MASK -> topLeft(pre, next, layout, lengths);
      case RIGHT_DOWN_CAUSAL -> {
        if (layout == Layout.TND) {
          enoughKeys(mode, lengths);
        }
      }
      case BAND -> band(pre, next, layout, lengths);
      case RIGHT_DOWN_CAUSAL_BAND -> {
        enoughKeys(mode, lengths);
        cut(mode, lengths.lastUsed(), pre, next, lengths);
        if (next > 0) {
          throw new IllegalArgumentException(
              "nextTokens of sparse mode %s must not be positive: %d".formatted(mode, next));
        }
      }
      case BAND_LEFT_UP_CAUSAL -> cut(mode, lengths.firstUsed(), pre, next, lengths);
      default -> {}
    }
  }

  private static void notEmpty(long pre, long next) {
    if ((pre < 0 || next < 0) && pre + next < 0) {
      throw new IllegalArgumentException(
          "the window is empty: preTokens %d, nextTokens %d".formatted(pre, next));
    }
  }

  private static void topLeft(long pre, long next, Layout layout, SequenceLengths lengths) {
    notEmpty(pre, next);
    boolean packed = layout == Layout.TND;
    for (int i = 0; i < (packed ? lengths.count() : Math.min(1, lengths.count())); i++) {
      long queries = lengths.queries(i);
      long keys = lengths.keys(i);
      boolean fits =
          packed
              ? next >= 0 && keys + pre >= queries
              : next >= 0 || -next < queries || queries == 0;
      if (!fits) {
        throw new IllegalArgumentException(
            "sequence %d has %d queries and %d keys; with preTokens %d and nextTokens %d %s"
                .formatted(i, queries, keys, pre, next, "some rows of it see no key"));
      }
    }
  }

  private static void band(long pre, long next, Layout layout, SequenceLengths lengths) {
    notEmpty(pre, next);
    if (layout != Layout.TND) {
      return;
    }
    if (pre < 0) {
      throw new IllegalArgumentException(
          "preTokens of sparse mode %s in TND must not be negative: %d"
              .formatted(SparseMode.BAND, pre));
    }
    for (int i = 0; i < lengths.count(); i++) {
      reaches(SparseMode.BAND, i, next, lengths);
    }
  }

  /** The one sequence that is a band has all its keys in the window on the left. */
  private static void cut(
      SparseMode mode, int sequence, long pre, long next, SequenceLengths lengths) {
    if (sequence < 0) {
      return;
    }
    if (pre < lengths.keys(sequence)) {
      throw new IllegalArgumentException(
          "preTokens of sparse mode %s must be at least the %d keys of sequence %d, not %d"
              .formatted(mode, lengths.keys(sequence), sequence, pre));
    }
    reaches(mode, sequence, next, lengths);
  }

  private static void reaches(SparseMode mode, int i, long next, SequenceLengths lengths) {
    if (lengths.queries(i) > 0
        && lengths.keys(i) > 0
        && lengths.queries(i) - next > lengths.keys(i)) {
      throw new IllegalArgumentException(
          "nextTokens of sparse mode %s must be at least %d for the %d queries and %d keys of"
                  .formatted(
                      mode,
                      lengths.queries(i) - lengths.keys(i),
                      lengths.queries(i),
                      lengths.keys(i))
              + " sequence %d, not %d".formatted(i, next));
    }
  }

  private static void enoughKeys(SparseMode mode, SequenceLengths lengths) {
    for (int i = 0; i < lengths.count(); i++) {
      if (lengths.queries(i) > lengths.keys(i)) {
        throw new IllegalArgumentException(
            "sequence %d has %d queries and %d keys; sparse mode %s needs at least as many keys"
                .formatted(i, lengths.queries(i), lengths.keys(i), mode));
      }
    }
  }
}
