// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.List;

/**
 * What a ring rank does in {@link ExchangePattern#ALL_GATHER}: it computes what needs only its own
 * rows while it receives the others, then lays keys and values of the documents that it shares with
 * others end to end in global order and computes the rest. No query is in two calls, so nothing is
 * merged. In backward the gradients of received rows go back to their owners, who add them up in
 * the order of ranks.
 *
 * @param localCalls calls on the rank's own keys
 * @param sends own rows, at most one transfer per peer; the same rows' gradients come back
 * @param receives rows of others, at most one transfer per peer; their gradients are sent back
 * @param parts the gathered rows, in order
 * @param calls calls on the gathered rows: their keys are counted in {@code parts} end to end
 */
public record KvGather(
    List<AttentionCall> localCalls,
    List<Transfer> sends,
    List<Transfer> receives,
    List<Part> parts,
    List<AttentionCall> calls) {
  /** Copies the lists. */
  public KvGather {
    localCalls = List.copyOf(localCalls);
    sends = List.copyOf(sends);
    receives = List.copyOf(receives);
    parts = List.copyOf(parts);
    calls = List.copyOf(calls);
  }

  /**
   * Some of the gathered rows.
   *
   * @param owner ring rank that has them
   * @param rows in the owner's local memory order
   */
  public record Part(int owner, RowRange rows) {}

  /** {@return number of gathered rows, own ones included} */
  public long gatheredRows() {
    return parts.stream().mapToLong(part -> part.rows().length()).sum();
  }
}
