// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;
import java.util.Arrays;

/**
 * Ulysses' exchange of rows for heads by all-to-all. With degree U, B batch elements and L local
 * rows a rank gives {@code [B, L, N, d]} and gets {@code [B, U·L, n, d]}: all rows of the ring rank
 * in its local order, because Ulysses ranks hold contiguous pieces of it, and its n heads. Two
 * transfers are under way at a time, in the order of the calls; what a transfer brings is put in
 * its place when its slot is needed again, or by {@link #await}.
 */
final class UlyssesExchange {
  private final Recording recording;
  private final Communicator ulysses;
  private final ExchangeLane lane;
  private final int degree;
  private final int me;
  private final Runnable[] arrivals = new Runnable[ExchangeLane.SLOTS];
  private int posted;
  private int completed;

  /** Elements that go to or come from each rank: how many, and where in the buffer. */
  private record Parts(Tensor buffer, long[] counts, long[] displacements) {
    boolean areEven() {
      for (int i = 0; i < counts.length; i++) {
        if (counts[i] != counts[0] || displacements[i] != i * counts[0]) {
          return false;
        }
      }
      return true;
    }
  }

  UlyssesExchange(Recording recording, Communicator ulysses, ExchangeLane lane) {
    this.recording = recording;
    this.ulysses = ulysses;
    this.lane = lane;
    this.degree = ulysses.size();
    this.me = ulysses.rank();
  }

  /**
   * Makes room for the largest transfer: growing from one to the next would leave smaller buffers
   * behind.
   *
   * @param largest of the tensors to exchange, {@code [B, L, N, d]}
   * @param share of its heads in the largest exchange
   */
  void reserve(Tensor largest, HeadSplit.Share share) {
    long heads = Math.max(share.total(), (long) degree * share.count()[me]);
    long elements = heads * headElements(largest);
    for (int slot = 0; slot < ExchangeLane.SLOTS; slot++) {
      recording.scratch(sendName(slot), largest.dataType(), elements);
      recording.scratch(receiveName(slot), largest.dataType(), elements);
    }
  }

  /** A tensor for the heads of a rank that has none. */
  Tensor nothing() {
    return recording
        .scratch("ulysses-nothing", recording.dataType(), 1)
        .slice(0, 0, 0)
        .reshape(1, 0, 0, 0);
  }

  /**
   * Records the exchange of a tensor's rows for heads.
   *
   * @param local {@code [B, L, N, d]}
   * @param share of its heads that each rank gets
   * @param target {@code [B, U·L, n, d]}, contiguous, or {@link #nothing}; complete after {@link
   *     #await}
   */
  void scatter(Tensor local, HeadSplit.Share share, Tensor target) {
    int slot = nextSlot();
    Parts send = pack(slot, local, share);
    if (local.size(0) == 1 || target.elements() == 0) {
      post(slot, send, fromRows(target), () -> {});
      return;
    }
    Tensor received = byRank(receiveName(slot), target);
    post(slot, send, fromRows(received), () -> recording.copy(rowsByRank(target), received));
  }

  /**
   * Records the way back.
   *
   * @param all {@code [B, U·L, n, d]}, contiguous, or {@link #nothing}; unchanged until {@link
   *     #await}
   * @param share of the heads that come from each rank
   * @param local takes them
   */
  void gather(Tensor all, HeadSplit.Share share, HeadCollector local) {
    int slot = nextSlot();
    Tensor send = all;
    if (all.size(0) > 1) {
      send = byRank(sendName(slot), all);
      recording.copy(send, rowsByRank(all));
    }
    long head = headElements(local.target());
    long[] counts = Arrays.stream(share.count()).mapToLong(n -> n * head).toArray();
    Tensor received =
        recording.scratch(
            receiveName(slot), local.target().dataType(), Arrays.stream(counts).sum());
    Parts receive = new Parts(received, counts, runningSums(counts));
    post(slot, fromRows(send), receive, () -> local.take(share, received));
  }

  /** How many transfers were recorded so far. */
  int posted() {
    return posted;
  }

  /**
   * Lets the compute stream wait for the first {@code count} transfers, and puts what they bring in
   * its place.
   */
  void await(int count) {
    while (completed < count) {
      int slot = completed++ % ExchangeLane.SLOTS;
      recording.program().add(() -> lane.await(slot));
      arrivals[slot].run();
    }
  }

  private int nextSlot() {
    await(posted - ExchangeLane.SLOTS + 1);
    return posted % ExchangeLane.SLOTS;
  }

  private void post(int slot, Parts send, Parts receive, Runnable arrival) {
    Tensor from = flat(send.buffer());
    Tensor to = flat(receive.buffer());
    Runnable transfer =
        send.areEven() && receive.areEven()
            ? () -> ulysses.allToAll(from, to, recording.exchange())
            : () ->
                ulysses.allToAllV(
                    from,
                    send.counts(),
                    send.displacements(),
                    to,
                    receive.counts(),
                    receive.displacements(),
                    recording.exchange());
    recording.program().add(() -> lane.post(slot, transfer));
    arrivals[slot] = arrival;
    posted++;
  }

  /** Brings the heads of each rank together; ranks with the same heads read the same block. */
  private Parts pack(int slot, Tensor local, HeadSplit.Share share) {
    long head = headElements(local);
    long[] counts = new long[degree];
    long[] displacements = new long[degree];
    int[] packed = new int[degree];
    long elements = 0;
    for (int rank = 0; rank < degree; rank++) {
      counts[rank] = share.count()[rank] * head;
      boolean again =
          rank > 0
              && share.first()[rank] == share.first()[rank - 1]
              && share.count()[rank] == share.count()[rank - 1];
      packed[rank] = again ? 0 : share.count()[rank];
      displacements[rank] = again ? displacements[rank - 1] : elements;
      elements += packed[rank] * head;
    }
    var groups = HeadBlocks.of(share.first(), packed);
    if (groups.size() == 1 && groups.getFirst().equals(HeadBlocks.range(0, (int) local.size(2)))) {
      return new Parts(local, counts, displacements);
    }
    Tensor send = recording.scratch(sendName(slot), local.dataType(), elements);
    long offset = 0;
    for (HeadBlocks group : groups) {
      Tensor part = group.dense(send, offset, local);
      recording.copy(part, group.in(local));
      offset += part.elements();
    }
    return new Parts(send, counts, displacements);
  }

  /** The rows of each rank, all of one size. */
  private Parts fromRows(Tensor rows) {
    long[] counts = new long[degree];
    Arrays.fill(counts, rows.elements() / degree);
    return new Parts(rows, counts, runningSums(counts));
  }

  private static long[] runningSums(long[] counts) {
    long[] sums = new long[counts.length];
    for (int i = 1; i < counts.length; i++) {
      sums[i] = sums[i - 1] + counts[i - 1];
    }
    return sums;
  }

  private static Tensor flat(Tensor tensor) {
    return tensor.reshape(tensor.elements());
  }

  private static long headElements(Tensor local) {
    return local.size(0) * local.size(1) * local.size(3);
  }

  /** Scratch {@code [U, B, L, n, d]} for {@code [B, U·L, n, d]}. */
  private Tensor byRank(String name, Tensor all) {
    return recording.scratch(
        name, all.dataType(), degree, all.size(0), all.size(1) / degree, all.size(2), all.size(3));
  }

  /** {@code [B, U·L, n, d]} seen as {@code [U, B, L, n, d]}. */
  private Tensor rowsByRank(Tensor all) {
    return all.reshape(all.size(0), degree, all.size(1) / degree, all.size(2), all.size(3))
        .permute(1, 0, 2, 3, 4);
  }

  private static String sendName(int slot) {
    return "ulysses-send-" + slot;
  }

  /** A batch of one needs either of a slot's buffers in one transfer, never both. */
  private String receiveName(int slot) {
    return recording.batch() == 1 ? sendName(slot) : "ulysses-receive-" + slot;
  }
}
