// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.plan.AttentionMask;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.Sharding;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Finds out whether all ranks of a grid have the same plan and layer, before the first exchange. The ring is compared
 * first, then the Ulysses group; what the first round finds travels through the second, so that every rank learns of it
 * and none is left waiting. A rank that cannot go on says so in the same way.
 */
final class PlanAgreement implements AutoCloseable {
  private static final int REMEMBERED = 1024;
  private static final int HASH_LONGS = 4;

  private static final String[] FIELDS = {
    "sequence length",
    "tokens before padding",
    "number of documents",
    "ring degree",
    "Ulysses degree",
    "attention mask",
    "sharding",
    "exchange pattern",
    "heads",
    "kv heads",
    "head dimension",
    "value head dimension",
    "data type",
    "layout",
    "batch size",
    "scale",
  };

  // A record: this rank, what differs (−1 nothing, FIELDS.length the documents, REFUSED), with which rank, the fields, the
  // hash.
  private static final int REFUSED = FIELDS.length + 1;
  private static final int RANK = 0;
  private static final int DIFFERENCE = 1;
  private static final int VALUE = 2;
  private static final int OTHER_RANK = 3;
  private static final int OTHER_VALUE = 4;
  private static final int FIRST_COMPARED = 5;
  private static final int RECORD = FIRST_COMPARED + FIELDS.length + HASH_LONGS;

  private final AttentionConfig config;
  private final ContextParallelGroups groups;
  private final Stream stream;
  private final DeviceBuffer own;
  private final DeviceBuffer all;
  private final Map<ByteBuffer, Boolean> verified =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<ByteBuffer, Boolean> eldest) {
          return size() > REMEMBERED;
        }
      };

  PlanAgreement(AttentionConfig config, ContextParallelGroups groups, Stream stream) {
    this.config = config;
    this.groups = groups;
    this.stream = stream;
    int ranks = Math.max(groups.grid().ringDegree(), groups.grid().ulyssesDegree());
    own = groups.device().allocate((long) RECORD * Long.BYTES);
    all = groups.device().allocate((long) ranks * RECORD * Long.BYTES);
  }

  void verifyOnce(ContextParallelPlan plan) {
    if (!isVerified(plan)) {
      verify(plan);
      verified.put(ByteBuffer.wrap(plan.contentHash()), true);
    }
  }

  /** Whether ranks have agreed on the plan, so that they do not compare again. */
  boolean isVerified(ContextParallelPlan plan) {
    return verified.containsKey(ByteBuffer.wrap(plan.contentHash()));
  }

  /** Takes part in the comparison for the others' sake, which then fails on every rank. */
  void refuse(ContextParallelPlan plan, RuntimeException reason) {
    long[] record = record(plan);
    record[DIFFERENCE] = REFUSED;
    try {
      compareAll(record);
    } catch (RuntimeException e) {
      reason.addSuppressed(e);
    }
  }

  private void compareAll(long[] record) {
    groups.ring().ifPresent(ring -> compare(ring, record));
    groups.ulysses().ifPresent(ulysses -> compare(ulysses, record));
  }

  void verify(ContextParallelPlan plan) {
    long[] record = record(plan);
    compareAll(record);
    if (record[DIFFERENCE] == REFUSED) {
      throw new IllegalStateException(
          "CP rank %d could not prepare its part of the plan; its own exception says why"
              .formatted(record[RANK]));
    }
    if (record[DIFFERENCE] >= 0) {
      int field = (int) record[DIFFERENCE];
      throw new IllegalArgumentException(
          field < FIELDS.length
              ? "ranks disagree on the %s: CP rank %d has %s, CP rank %d has %s"
                  .formatted(
                      FIELDS[field],
                      record[RANK],
                      text(field, record[VALUE]),
                      record[OTHER_RANK],
                      text(field, record[OTHER_VALUE]))
              : "ranks disagree on the documents, the mask's values or the limits of the plan: CP ranks %d and %d have different ones"
                  .formatted(record[RANK], record[OTHER_RANK]));
    }
  }

  private long[] record(ContextParallelPlan plan) {
    long[] record = new long[RECORD];
    record[RANK] = groups.cpRank();
    record[DIFFERENCE] = -1;
    long[] values = {
      plan.sequence().length(),
      plan.sequence().validLength(),
      plan.sequence().documentCount(),
      plan.grid().ringDegree(),
      plan.grid().ulyssesDegree(),
      kind(plan.mask()),
      plan.sharding().ordinal(),
      plan.pattern().ordinal(),
      config.heads(),
      config.kvHeads(),
      config.headDim(),
      config.headDimV(),
      config.dataType().ordinal(),
      config.layout().ordinal(),
      config.batchSize(),
      Double.doubleToLongBits(config.scale()),
    };
    System.arraycopy(values, 0, record, FIRST_COMPARED, values.length);
    ByteBuffer.wrap(plan.contentHash())
        .asLongBuffer()
        .get(record, FIRST_COMPARED + FIELDS.length, HASH_LONGS);
    return record;
  }

  private void compare(Communicator communicator, long[] record) {
    own.copyFrom(MemorySegment.ofArray(record));
    communicator.allGather(
        Tensor.of(own, DataType.INT64, RECORD),
        Tensor.of(all, DataType.INT64, (long) communicator.size() * RECORD),
        stream);
    stream.synchronize();
    long[] records = new long[communicator.size() * RECORD];
    all.copyTo(0, MemorySegment.ofArray(records));
    for (int other = 0; other < communicator.size() && record[DIFFERENCE] < 0; other++) {
      int begin = other * RECORD;
      if (records[begin + DIFFERENCE] >= 0) {
        System.arraycopy(records, begin, record, 0, FIRST_COMPARED);
        return;
      }
      for (int i = FIRST_COMPARED; i < RECORD; i++) {
        // Every rank compares with the group's first, so all name the same pair.
        if (records[begin + i] != records[i]) {
          record[RANK] = records[RANK];
          record[DIFFERENCE] = Math.min(i - FIRST_COMPARED, FIELDS.length);
          record[VALUE] = records[i];
          record[OTHER_RANK] = records[begin + RANK];
          record[OTHER_VALUE] = records[begin + i];
          return;
        }
      }
    }
  }

  private static final String[] MASKS = {
    "causal", "full", "sliding window", "prefix", "general"
  };

  private static int kind(AttentionMask mask) {
    return switch (mask) {
      case AttentionMask.Causal _ -> 0;
      case AttentionMask.Full _ -> 1;
      case AttentionMask.SlidingWindow _ -> 2;
      case AttentionMask.Prefix _ -> 3;
      case AttentionMask.General _ -> 4;
    };
  }

  private static String text(int field, long value) {
    return switch (FIELDS[field]) {
      case "attention mask" -> MASKS[(int) value];
      case "sharding" -> Sharding.values()[(int) value].toString();
      case "exchange pattern" ->
          ExchangePattern.values()[(int) value].toString();
      case "data type" -> DataType.values()[(int) value].toString();
      case "layout" -> Layout.values()[(int) value].toString();
      case "scale" -> Double.toString(Double.longBitsToDouble(value));
      default -> Long.toString(value);
    };
  }

  long byteSize() {
    return own.byteSize() + all.byteSize();
  }

  @Override
  public void close() {
    Closing.inOrder(own::close, all::close);
  }
}
