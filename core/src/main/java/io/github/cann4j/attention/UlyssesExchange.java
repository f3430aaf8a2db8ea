// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;

/**
 * Ulysses' exchange of rows for heads by all-to-all. With degree U, B batch elements and L local rows a rank gives
 * {@code [B, L, N, d]} and gets {@code [B, U·L, N/U, d]}: all rows of the ring rank in its local order, because Ulysses
 * ranks hold contiguous pieces of it.
 */
final class UlyssesExchange {
  private final Recording recording;
  private final Communicator ulysses;
  private final ExchangeLane lane;
  private final int degree;
  private final boolean[] busy = new boolean[ExchangeLane.SLOTS];
  private int posted;

  UlyssesExchange(Recording recording, Communicator ulysses, ExchangeLane lane) {
    this.recording = recording;
    this.ulysses = ulysses;
    this.lane = lane;
    this.degree = ulysses.size();
  }

  /**
   * Records the exchange of a tensor's rows for heads.
   *
   * @param local {@code [B, L, N, d]}
   * @param target {@code [B, U·L, N/U, d]}, contiguous; complete after {@link #await}
   */
  void scatterHeads(Tensor local, Tensor target) {
    int slot = nextSlot();
    Tensor send = blocks("ulysses-send-" + slot, local);
    recording.copy(send, byHeadGroup(local));
    if (target.size(0) == 1) {
      post(slot, send, target);
      return;
    }
    Tensor received = blocks("ulysses-receive-" + slot, local);
    post(slot, send, received);
    awaitSlot(slot);
    recording.copy(byRowGroup(target), received);
  }

  /**
   * Records the way back.
   *
   * @param all {@code [B, U·L, N/U, d]}, contiguous
   * @param local {@code [B, L, N, d]}; complete after {@link #await}
   */
  void gatherHeads(Tensor all, Tensor local) {
    int slot = nextSlot();
    Tensor send = all;
    if (all.size(0) > 1) {
      send = blocks("ulysses-send-" + slot, local);
      recording.copy(send, byRowGroup(all));
    }
    Tensor received = blocks("ulysses-receive-" + slot, local);
    post(slot, send, received);
    awaitSlot(slot);
    recording.copy(byHeadGroup(local), received);
  }

  /** Lets the compute stream wait for all exchanges. */
  void await() {
    for (int slot = 0; slot < busy.length; slot++) {
      awaitSlot(slot);
    }
  }

  private int nextSlot() {
    int slot = posted++ % ExchangeLane.SLOTS;
    awaitSlot(slot);
    return slot;
  }

  private void awaitSlot(int slot) {
    if (busy[slot]) {
      busy[slot] = false;
      recording.program().add(() -> lane.await(slot));
    }
  }

  private void post(int slot, Tensor send, Tensor receive) {
    Tensor from = send.reshape(send.elements());
    Tensor to = receive.reshape(receive.elements());
    Runnable transfer = () -> ulysses.allToAll(from, to, recording.exchange());
    recording.program().add(() -> lane.post(slot, transfer));
    busy[slot] = true;
  }

  /** Scratch {@code [U, B, L, N/U, d]}: one block per peer. */
  private Tensor blocks(String name, Tensor local) {
    return recording.scratch(
        name,
        local.dataType(),
        degree,
        local.size(0),
        local.size(1),
        local.size(2) / degree,
        local.size(3));
  }

  /** {@code [B, L, N, d]} seen as {@code [U, B, L, N/U, d]}. */
  private Tensor byHeadGroup(Tensor local) {
    return local
        .reshape(
            local.size(0), local.size(1), degree, local.size(2) / degree, local.size(3))
        .permute(2, 0, 1, 3, 4);
  }

  /** {@code [B, U·L, N/U, d]} seen as {@code [U, B, L, N/U, d]}. */
  private Tensor byRowGroup(Tensor all) {
    return all.reshape(all.size(0), degree, all.size(1) / degree, all.size(2), all.size(3))
        .permute(1, 0, 2, 3, 4);
  }
}
