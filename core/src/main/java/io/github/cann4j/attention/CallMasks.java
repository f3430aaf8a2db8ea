// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionBuilder;
import io.github.cann4j.aclnn.SparseMode;
import io.github.cann4j.plan.CallMask;
import io.github.cann4j.plan.GeneralMask;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.plan.RowSet;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * Gives the calls of one prepared attention their masks. Those of a general pattern are made here, on the host, and stay
 * on the device as long as the attention.
 */
final class CallMasks {
  private final CompressedMasks tables;
  private final BufferPool.Lease buffers;
  private final Map<CallMask.General, Map<Long, Tensor>> patterns = new HashMap<>();

  CallMasks(CompressedMasks tables, BufferPool.Lease buffers) {
    this.tables = tables;
    this.buffers = buffers;
  }

  /**
   * Sets the mask of a call.
   *
   * @param builder of the operator
   * @param mask of the call
   * @param queries rows of its only segment, if the mask is a general one
   */
  <B extends FlashAttentionBuilder<B>> B apply(B builder, CallMask mask, long queries) {
    return switch (mask) {
      case CallMask.Dense _ -> builder;
      case CallMask.Causal _ ->
          builder.attenMask(tables.causal()).sparseMode(SparseMode.RIGHT_DOWN_CAUSAL);
      case CallMask.Prefix prefix ->
          builder
              .attenMask(tables.prefix())
              .sparseMode(SparseMode.PREFIX_COMPRESSED)
              .prefix(prefix.lengths().stream().mapToLong(Long::longValue).toArray());
      case CallMask.Band(long preTokens, long nextTokens) ->
          builder
              .attenMask(tables.causal())
              .sparseMode(SparseMode.BAND)
              .preTokens(preTokens)
              .nextTokens(nextTokens);
      case CallMask.General general ->
          builder
              .attenMask(
                  patterns
                      .computeIfAbsent(general, _ -> new HashMap<>())
                      .computeIfAbsent(queries, rows -> table(general, rows)))
              .sparseMode(SparseMode.ALL_MASK);
    };
  }

  /** {@code [queries, keys]}, 1 where a pair is masked out. */
  private Tensor table(CallMask.General general, long queries) {
    RowSet keyRows = general.keyRows();
    long keys = keyRows.rows();
    DeviceBuffer buffer = buffers.keep(Math.multiplyExact(queries, keys));
    GeneralMask pattern = general.pattern();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment table = arena.allocate(buffer.byteSize(), 64);
      table.fill((byte) 1);
      for (long query = 0; query < queries; query++) {
        for (RowRange allowed : pattern.keys(general.firstQuery() + query)) {
          for (RowRange range : keyRows.ranges()) {
            RowRange both = range.intersect(allowed);
            if (!both.isEmpty()) {
              RowRange at = keyRows.positions(both);
              table.asSlice(query * keys + at.begin(), at.length()).fill((byte) 0);
            }
          }
        }
      }
      buffer.copyFrom(table);
    }
    return Tensor.of(buffer, DataType.UINT8, queries, keys);
  }
}
