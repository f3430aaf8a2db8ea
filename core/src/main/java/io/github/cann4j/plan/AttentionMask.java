// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.Arrays;
import java.util.Objects;

/**
 * Which keys of its document a query attends to. That documents do not see each other is the
 * sequence's part, not the mask's; where only the mask shall say, plan on {@link
 * PackedSequence#asOneDocument()}. Rows and keys are counted from 0.
 */
public sealed interface AttentionMask {
  /** Every key up to the query itself. */
  record Causal() implements AttentionMask {}

  /** Every key of the document, also later ones. */
  record Full() implements AttentionMask {}

  /**
   * Key j for query i where {@code i - left <= j <= i + right}. A decoder's window of w tokens,
   * itself among them, is {@code left = w - 1, right = 0}.
   *
   * @param left keys before the query, at least 0
   * @param right keys after the query, at least 0
   */
  record SlidingWindow(long left, long right) implements AttentionMask {
    /**
     * Checks the sizes.
     *
     * @throws IllegalArgumentException if one is negative
     */
    public SlidingWindow {
      if (left < 0 || right < 0) {
        throw new IllegalArgumentException(
            "a sliding window has at least 0 keys on each side, not " + left + " and " + right);
      }
    }
  }

  /**
   * The first keys of each document for every query of it, and from there on causal: a prefix
   * language model.
   *
   * @param lengths prefix of each document in rows, 0 … length of the document
   */
  record Prefix(long[] lengths) implements AttentionMask {
    /** Copies the lengths. */
    public Prefix {
      lengths = lengths.clone();
    }

    /** {@return the prefix of each document; a copy} */
    @Override
    public long[] lengths() {
      return lengths.clone();
    }

    long length(int document) {
      return lengths[document];
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Prefix that && Arrays.equals(lengths, that.lengths);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(lengths);
    }

    @Override
    public String toString() {
      return "Prefix[documents=" + lengths.length + "]";
    }
  }

  /**
   * Any pattern, given by the data. Costs memory for a mask of every block of rows and keys that it
   * neither allows nor forbids as a whole.
   *
   * @param pattern allowed pairs of rows of the sequence
   */
  record General(GeneralMask pattern) implements AttentionMask {
    /** Checks that there is a pattern. */
    public General {
      Objects.requireNonNull(pattern, "pattern");
    }
  }

  /** {@return the mask of a decoder} */
  static AttentionMask causal() {
    return new Causal();
  }

  /** {@return the mask of an encoder} */
  static AttentionMask full() {
    return new Full();
  }

  /**
   * A window around each query.
   *
   * @param left keys before the query, at least 0
   * @param right keys after the query, at least 0
   * @return the mask
   */
  static AttentionMask slidingWindow(long left, long right) {
    return new SlidingWindow(left, right);
  }

  /**
   * The first keys of each document for all its queries, and causal from there on.
   *
   * @param lengths prefix of each document in rows
   * @return the mask
   */
  static AttentionMask prefix(long... lengths) {
    return new Prefix(lengths);
  }

  /**
   * Any pattern.
   *
   * @param pattern allowed pairs of rows of the sequence
   * @return the mask
   */
  static AttentionMask general(GeneralMask pattern) {
    return new General(pattern);
  }

  /**
   * Refuses a sequence that the mask does not fit.
   *
   * @param sequence the documents
   * @throws IllegalArgumentException if a prefix is missing or longer than its document, or a
   *     pattern has another number of rows
   */
  default void requireFits(PackedSequence sequence) {
    switch (this) {
      case Prefix prefix -> {
        if (prefix.lengths.length != sequence.documentCount()) {
          throw new IllegalArgumentException(
              "the mask has prefixes of %d documents, the sequence has %d documents"
                  .formatted(prefix.lengths.length, sequence.documentCount()));
        }
        for (int d = 0; d < prefix.lengths.length; d++) {
          if (prefix.lengths[d] < 0 || prefix.lengths[d] > sequence.documentLength(d)) {
            throw new IllegalArgumentException(
                "the prefix of document %d must be 0 to its %d rows, not %d"
                    .formatted(d, sequence.documentLength(d), prefix.lengths[d]));
          }
        }
      }
      case General general -> {
        if (general.pattern.rows() != sequence.length()) {
          throw new IllegalArgumentException(
              "the mask's pattern has %d rows, the sequence has %d"
                  .formatted(general.pattern.rows(), sequence.length()));
        }
      }
      case Causal _, Full _, SlidingWindow _ -> {}
    }
  }
}
