// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import java.util.Arrays;
import java.util.function.LongUnaryOperator;
import java.util.stream.IntStream;

/** How many queries and keys each sequence of a call has; in dense layouts each batch is one. */
final class SequenceLengths {
  private static final int MAX_PACKED = 2048;

  private final int count;
  private final LongUnaryOperator queries;
  private final LongUnaryOperator keys;

  private SequenceLengths(int count, LongUnaryOperator queries, LongUnaryOperator keys) {
    this.count = count;
    this.queries = queries;
    this.keys = keys;
  }

  static SequenceLengths equal(AttentionSizes sizes) {
    return new SequenceLengths(
        Math.toIntExact(sizes.batch()), i -> sizes.querySteps(), i -> sizes.kvSteps());
  }

  /** Checks cumulative ends against the tensors. */
  static SequenceLengths of(long[] queryEnds, long[] kvEnds, AttentionSizes sizes) {
    if (queryEnds.length == 0 || queryEnds.length != kvEnds.length) {
      throw new IllegalArgumentException(
          "actualSeqQLen and actualSeqKvLen need one end per sequence each: %d and %d"
              .formatted(queryEnds.length, kvEnds.length));
    }
    if (queryEnds.length > MAX_PACKED) {
      throw new UnsupportedOperationException(
          "CANN takes up to %d sequences per call, not %d; split the call"
              .formatted(MAX_PACKED, queryEnds.length));
    }
    requireEnds(queryEnds, sizes.querySteps(), "actualSeqQLen");
    requireEnds(kvEnds, sizes.kvSteps(), "actualSeqKvLen");
    return new SequenceLengths(
        queryEnds.length, i -> length(queryEnds, (int) i), i -> length(kvEnds, (int) i));
  }

  private static void requireEnds(long[] ends, long tokens, String name) {
    long previous = 0;
    for (int i = 0; i < ends.length; i++) {
      if (ends[i] < previous) {
        throw new IllegalArgumentException(
            "%s must not decrease: entry %d is %d after %d, in %s"
                .formatted(name, i, ends[i], previous, abbreviate(ends)));
      }
      previous = ends[i];
    }
    if (previous > tokens) {
      throw new IllegalArgumentException(
          "%s ends at %d, but there are %d tokens".formatted(name, previous, tokens));
    }
  }

  private static String abbreviate(long[] ends) {
    return ends.length <= 16
        ? Arrays.toString(ends)
        : Arrays.toString(Arrays.copyOf(ends, 16)).replace("]", ", …]");
  }

  private static long length(long[] ends, int i) {
    return ends[i] - (i == 0 ? 0 : ends[i - 1]);
  }

  int count() {
    return count;
  }

  long queries(int sequence) {
    return queries.applyAsLong(sequence);
  }

  long keys(int sequence) {
    return keys.applyAsLong(sequence);
  }

  private boolean isEmpty(int sequence) {
    return queries(sequence) == 0 || keys(sequence) == 0;
  }

  /** The first sequence that has queries and keys, or −1. */
  int firstUsed() {
    return IntStream.range(0, count).filter(i -> !isEmpty(i)).findFirst().orElse(-1);
  }

  /** The last sequence that has queries and keys, or −1. */
  int lastUsed() {
    return IntStream.range(0, count).filter(i -> !isEmpty(i)).max().orElse(-1);
  }

  boolean anyEmpty() {
    return IntStream.range(0, count).anyMatch(this::isEmpty);
  }

  long longestQueries() {
    return IntStream.range(0, count).mapToLong(this::queries).max().orElse(0);
  }

  long longestKeys() {
    return IntStream.range(0, count).mapToLong(this::keys).max().orElse(0);
  }

  /** All keys of all sequences. */
  long allKeys() {
    return IntStream.range(0, count).mapToLong(this::keys).sum();
  }

  /** All pairs of a query and a key of its sequence. */
  long pairs() {
    return IntStream.range(0, count).mapToLong(i -> queries(i) * keys(i)).sum();
  }

  /** Whether every sequence has as many queries as keys. */
  boolean square() {
    return IntStream.range(0, count).allMatch(i -> queries(i) == keys(i));
  }
}
