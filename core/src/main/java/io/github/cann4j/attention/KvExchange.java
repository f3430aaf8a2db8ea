// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.SendRecv;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.plan.RowSet;
import io.github.cann4j.plan.Transfer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Moves rows of two tensors (k and v, or dk and dv) between ring ranks, in one block per peer and direction: the rows of
 * the first, then those of the second. Two buffers alternate, so that a transfer and the computation on the one before
 * it overlap.
 */
final class KvExchange {
  private final Recording recording;
  private final Communicator ring;
  private final ExchangeLane lane;
  private final String name;
  private final DataType dataType;
  private final Tensor first;
  private final Tensor second;
  private final boolean[] posted;
  private final Block[] received = new Block[ExchangeLane.SLOTS];

  /**
   * Rows of one owner, in one buffer.
   *
   * @param owner ring rank; −1 for own rows that do not travel
   * @param rows the owner's local rows, end to end
   * @param first {@code [batch, rows, heads, D]}
   * @param second {@code [batch, rows, heads, Dv]}
   * @param whole both as one contiguous tensor; null for own rows
   */
  record Block(int owner, RowSet rows, Tensor first, Tensor second, Tensor whole) {
    /**
     * The rows of a transfer.
     *
     * @param transfer says which rows
     * @param first gives the shape of a row
     * @param second likewise
     * @param buffer one-dimensional, in the type that travels
     * @param begin where in the buffer the block begins
     */
    static Block of(Transfer transfer, Tensor first, Tensor second, Tensor buffer, long begin) {
      long batch = first.size(0);
      long rows = transfer.rows().rows();
      long middle = begin + elements(first, rows);
      long end = middle + elements(second, rows);
      return new Block(
          transfer.owner(),
          transfer.rows(),
          buffer.slice(0, begin, middle).reshape(batch, rows, first.size(2), first.size(3)),
          buffer.slice(0, middle, end).reshape(batch, rows, second.size(2), second.size(3)),
          buffer.slice(0, begin, end));
    }

    /** A rank's own rows, as they are. */
    static Block own(LocalTensors tensors) {
      RowRange all = new RowRange(0, tensors.k().size(1));
      return new Block(-1, RowSet.of(all), tensors.k(), tensors.v(), null);
    }

    Tensor firstRows(RowRange part) {
      return Recording.rows(first, rows.positions(part));
    }

    Tensor secondRows(RowRange part) {
      return Recording.rows(second, rows.positions(part));
    }

    /** Where the key rows of a call are; they lie end to end. */
    RowRange positions(AttentionCall call) {
      long begin = rows.position(call.kvSegments().getFirst().begin());
      return new RowRange(begin, begin + call.keys());
    }

    Tensor firstRows(AttentionCall call) {
      return Recording.rows(first, positions(call));
    }

    Tensor secondRows(AttentionCall call) {
      return Recording.rows(second, positions(call));
    }
  }

  /**
   * Makes the exchange of one program. Its buffers have room for the largest step from the start: growing from step to
   * step would leave every smaller one behind.
   *
   * @param recording of the program
   * @param ring the communicator, null for a rank alone
   * @param lane orders transfers and computation
   * @param name of the buffers
   * @param dataType in which rows travel
   * @param first gives the shape of a row
   * @param second likewise
   * @param hops their number
   * @param mostSent most rows that a hop sends
   * @param mostReceived most rows that a hop receives
   */
  KvExchange(
      Recording recording,
      Communicator ring,
      ExchangeLane lane,
      String name,
      DataType dataType,
      Tensor first,
      Tensor second,
      int hops,
      long mostSent,
      long mostReceived) {
    this.recording = recording;
    this.ring = ring;
    this.lane = lane;
    this.name = name;
    this.dataType = dataType;
    this.first = first;
    this.second = second;
    this.posted = new boolean[hops];
    for (int slot = 0; slot < Math.min(ExchangeLane.SLOTS, hops); slot++) {
      reserve(sendName(slot), mostSent);
      reserve(receiveName(slot), mostReceived);
    }
  }

  private void reserve(String buffer, long rows) {
    if (rows > 0) {
      recording.scratch(buffer, dataType, elements(first, rows) + elements(second, rows));
    }
  }

  static long elements(Tensor like, long rows) {
    return Math.multiplyExact(rows, like.size(0) * like.size(2) * like.size(3));
  }

  private String sendName(int slot) {
    return name + "-send-" + slot;
  }

  private String receiveName(int slot) {
    return name + "-receive-" + slot;
  }

  /** The buffer from which step {@code i} sends; the compute stream may write it after {@link #await} of step i − 2. */
  Block sendBlock(int i, Transfer send) {
    return block(sendName(slot(i)), send);
  }

  /** Starts the transfers of step {@code i} once the compute stream has come here. */
  void post(int i, Optional<Transfer> send, Optional<Transfer> receive) {
    int slot = slot(i);
    received[slot] = null;
    if (send.isEmpty() && receive.isEmpty()) {
      return;
    }
    List<SendRecv> items = new ArrayList<>(2);
    send.ifPresent(t -> items.add(SendRecv.send(sendBlock(i, t).whole(), t.peer())));
    receive.ifPresent(
        t -> {
          received[slot] = block(receiveName(slot), t);
          items.add(SendRecv.recv(received[slot].whole(), t.peer()));
        });
    posted[i] = true;
    Runnable transfer = () -> ring.batchSendRecv(items, recording.exchange());
    recording.program().add(() -> lane.post(slot, transfer));
  }

  /** Lets the compute stream wait for the transfers of step {@code i}, if there are any. */
  void await(int i) {
    if (posted[i]) {
      recording.program().add(() -> lane.await(slot(i)));
    }
  }

  /** What step {@code i} received. */
  Block received(int i) {
    return received[slot(i)];
  }

  private Block block(String buffer, Transfer transfer) {
    long rows = transfer.rows().rows();
    Tensor whole =
        recording.scratch(buffer, dataType, elements(first, rows) + elements(second, rows));
    return Block.of(transfer, first, second, whole, 0);
  }

  private static int slot(int i) {
    return i % ExchangeLane.SLOTS;
  }
}
