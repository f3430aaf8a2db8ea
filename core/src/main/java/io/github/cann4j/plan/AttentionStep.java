// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * One step of a ring rank: the key/value rows that arrive for it, the kernel calls on them, and in
 * backward the gradients of key/value rows that leave after them. Absent transfers are empty; both
 * sides of a transfer agree on that, so no rank waits for a message that is not sent.
 *
 * @param index place among the rank's steps; 0 is the local step, which transfers nothing
 * @param owner ring rank whose key/value rows the calls use
 * @param firstCalls calls whose queries no call came before, in ascending order of disjoint query
 *     rows; only the local step has any. A query that no first call has begins with output 0
 * @param mergedCalls calls whose results are merged into those of the calls before
 * @param kvSend rows sent so that the receiver has them in its step {@code index}
 * @param kvReceive rows of {@code owner} received for the calls of this step (and, in a {@link
 *     ExchangePattern#RING}, for the ranks after this one)
 * @param gradientSend dk and dv of rows of {@code owner}, sent after the calls of this step. In a
 *     {@code RING} they are the sum over all ranks the rows passed
 * @param gradientReceive dk and dv received once the sender has finished its step {@code index}: in
 *     a {@code DIRECT} exchange of this rank's own rows, in a {@code RING} of rows of the next
 *     step's owner, after the last step of this rank's own rows
 */
public record AttentionStep(
    int index,
    int owner,
    List<AttentionCall> firstCalls,
    List<AttentionCall> mergedCalls,
    Optional<Transfer> kvSend,
    Optional<Transfer> kvReceive,
    Optional<Transfer> gradientSend,
    Optional<Transfer> gradientReceive) {
  /** Copies the calls; nothing is null. */
  public AttentionStep {
    firstCalls = List.copyOf(firstCalls);
    mergedCalls = List.copyOf(mergedCalls);
    Objects.requireNonNull(kvSend);
    Objects.requireNonNull(kvReceive);
    Objects.requireNonNull(gradientSend);
    Objects.requireNonNull(gradientReceive);
  }

  /** {@return whether there is nothing to compute and nothing to transfer} */
  public boolean isEmpty() {
    return firstCalls.isEmpty()
        && mergedCalls.isEmpty()
        && kvSend.isEmpty()
        && kvReceive.isEmpty()
        && gradientSend.isEmpty()
        && gradientReceive.isEmpty();
  }

  /** {@return first calls, then merged ones} */
  public List<AttentionCall> calls() {
    return Stream.concat(firstCalls.stream(), mergedCalls.stream()).toList();
  }

  /** {@return allowed (query, key) pairs per head of this step} */
  public long pairs() {
    return calls().stream().mapToLong(AttentionCall::pairs).sum();
  }
}
