// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.packing.PackedDatasetWriter;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.PackedTokens;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Packed sequences of random documents, with some padding. */
final class RandomData {
  static final int EOD = 0;

  private RandomData() {}

  /** Documents count upwards in steps that differ, with noise, so that a model can learn them. */
  static Path write(Path file, int sequences, int length, int vocabulary, long seed) {
    Random random = new Random(seed);
    try (PackedDatasetWriter writer =
        PackedDatasetWriter.create(file, length, vocabulary, EOD, EOD)) {
      for (int i = 0; i < sequences; i++) {
        writer.accept(sequence(random, length, vocabulary));
      }
      return writer.commit();
    }
  }

  private static PackedTokens sequence(Random random, int length, int vocabulary) {
    int[] tokens = new int[length];
    byte[] targets = new byte[length];
    List<Long> ends = new ArrayList<>();
    int valid = length - random.nextInt(length / 16);
    for (int begin = 0; begin < valid; begin = ends.getLast().intValue()) {
      int end = Math.min(valid, begin + 1 + random.nextInt(length / 2));
      int step = 1 + random.nextInt(5);
      int prompt = random.nextInt(1 + (end - begin) / 3);
      for (int t = begin; t < end; t++) {
        tokens[t] = 1 + (random.nextInt(9) + step * (t - begin)) % (vocabulary - 1);
        targets[t] = (byte) (t - begin < prompt ? 0 : 1);
      }
      tokens[end - 1] = EOD;
      ends.add((long) end);
    }
    return PackedTokens.of(
        PackedSequence.ofActualSeqLen(ends.stream().mapToLong(e -> e).toArray(), length),
        tokens,
        targets);
  }
}
