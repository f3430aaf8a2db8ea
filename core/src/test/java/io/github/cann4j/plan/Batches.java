// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.LongSupplier;

/** Batches as they occur in training: what is packed until a sequence is full. */
enum Batches {
  /** Logarithms of lengths are normally distributed; median 665, longest 131,072. */
  LONG_TAILED,
  /** A document of a random part of the sequence among such of up to 1,000 rows. */
  ONE_GIANT,
  /** As long as each other, from one row to half a sequence. */
  EQUAL,
  SINGLE,
  ONE_ROW_EACH,
  /** The long-tailed ones, and up to half of the sequence is padding. */
  PADDED;

  private static final long LONGEST = 131_072;

  PackedSequence draw(long rows, Random random) {
    long valid = this == PADDED ? rows - random.nextLong(rows / 2) : rows;
    long equal = (long) Math.exp(random.nextDouble() * Math.log(rows / 2.0));
    List<Long> lengths = new ArrayList<>();
    long sum = 0;
    if (this == ONE_GIANT) {
      sum = 1 + random.nextLong(rows);
      lengths.add(sum);
    }
    LongSupplier next =
        switch (this) {
          case LONG_TAILED, PADDED ->
              () -> Math.clamp(Math.round(Math.exp(6.5 + 1.3 * random.nextGaussian())), 1, LONGEST);
          case ONE_GIANT -> () -> 1 + random.nextLong(1000);
          case EQUAL -> () -> equal;
          case SINGLE -> () -> rows;
          case ONE_ROW_EACH -> () -> 1;
        };
    while (sum < valid) {
      long length = Math.min(next.getAsLong(), valid - sum);
      lengths.add(length);
      sum += length;
    }
    Collections.shuffle(lengths, random);
    return PackedSequence.ofLengths(lengths.stream().mapToLong(Long::longValue).toArray(), rows);
  }
}
