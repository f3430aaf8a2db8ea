// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.stream.LongStream;

/** The content hash of a plan. */
final class PlanHash {
  // Changes whenever plans with the same inputs would give other steps.
  private static final byte[] FORMAT =
      "cann4j context-parallel plan 2".getBytes(StandardCharsets.US_ASCII);

  private PlanHash() {}

  static byte[] of(ContextParallelPlan plan) {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java runtime lacks SHA-256, which is mandatory", e);
    }
    digest.update(FORMAT);
    put(digest, plan.sequence().length());
    put(digest, plan.sequence().actualSeqLen());
    put(
        digest,
        plan.grid().ringDegree(),
        plan.grid().ulyssesDegree(),
        plan.sharding().ordinal(),
        plan.pattern().ordinal(),
        plan.maxSequencesPerCall(),
        plan.maxPairsPerCall(),
        plan.maxMaskBytes());
    switch (plan.mask()) {
      case AttentionMask.Causal _ -> put(digest, 0);
      case AttentionMask.Full _ -> put(digest, 1);
      case AttentionMask.SlidingWindow(long left, long right) -> put(digest, 2, left, right);
      case AttentionMask.Prefix prefix -> {
        put(digest, 3);
        put(digest, prefix.lengths());
      }
      case AttentionMask.General(GeneralMask pattern) -> {
        put(digest, 4);
        put(digest, pattern.content());
      }
    }
    // Layouts are hashed as data: two ranks must not differ in what a sharding's name means.
    for (int rank = 0; rank < plan.grid().ringDegree(); rank++) {
      List<RowRange> shard = plan.ringShard(rank);
      put(digest, shard.stream().flatMapToLong(PlanHash::bounds).toArray());
    }
    return digest.digest();
  }

  private static LongStream bounds(RowRange rows) {
    return LongStream.of(rows.begin(), rows.end());
  }

  private static void put(MessageDigest digest, long... values) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * (values.length + 1));
    bytes.putLong(values.length);
    bytes.asLongBuffer().put(values);
    digest.update(bytes.array());
  }
}
