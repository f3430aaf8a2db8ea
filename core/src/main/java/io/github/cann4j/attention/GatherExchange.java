// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.SendRecv;
import io.github.cann4j.plan.Transfer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** One exchange of rows of two tensors with any number of ring ranks, a block per peer and direction. */
final class GatherExchange {
  private final Recording recording;
  private final Optional<Communicator> ring;
  private final ExchangeLane lane;
  private final List<KvExchange.Block> sends;
  private final List<KvExchange.Block> receives;
  private final List<SendRecv> items = new ArrayList<>();

  /**
   * Prepares the blocks.
   *
   * @param recording of the program
   * @param ring the communicator, absent for a rank alone
   * @param lane orders transfers and computation
   * @param name of the buffers
   * @param type in which rows travel
   * @param tensors whose k and v give the shape of a row
   * @param sent what goes to peers
   * @param received what comes from peers
   */
  GatherExchange(
      Recording recording,
      Optional<Communicator> ring,
      ExchangeLane lane,
      String name,
      DataType type,
      LocalTensors tensors,
      List<Transfer> sent,
      List<Transfer> received) {
    this.recording = recording;
    this.ring = ring;
    this.lane = lane;
    sends = blocks(name + "-send", type, tensors, sent);
    receives = blocks(name + "-receive", type, tensors, received);
    for (int i = 0; i < sent.size(); i++) {
      items.add(SendRecv.send(sends.get(i).whole(), sent.get(i).peer()));
    }
    for (int i = 0; i < received.size(); i++) {
      items.add(SendRecv.recv(receives.get(i).whole(), received.get(i).peer()));
    }
  }

  private List<KvExchange.Block> blocks(
      String name, DataType type, LocalTensors tensors, List<Transfer> transfers) {
    long rows = transfers.stream().mapToLong(transfer -> transfer.rows().rows()).sum();
    if (rows == 0) {
      return List.of();
    }
    Tensor all =
        recording.scratch(
            name,
            type,
            KvExchange.elements(tensors.k(), rows) + KvExchange.elements(tensors.v(), rows));
    List<KvExchange.Block> blocks = new ArrayList<>();
    long begin = 0;
    for (Transfer transfer : transfers) {
      KvExchange.Block block =
          KvExchange.Block.of(transfer, tensors.k(), tensors.v(), all, begin);
      begin += block.whole().elements();
      blocks.add(block);
    }
    return blocks;
  }

  /** Where to put what is sent, a block per transfer. */
  List<KvExchange.Block> sends() {
    return sends;
  }

  /** What has come after {@link #await}, a block per transfer. */
  List<KvExchange.Block> receives() {
    return receives;
  }

  /** Starts the transfers once the compute stream has come here. */
  void post() {
    if (!items.isEmpty()) {
      Communicator communicator = ring.orElseThrow();
      Runnable transfer = () -> communicator.batchSendRecv(items, recording.exchange());
      recording.program().add(() -> lane.post(0, transfer));
    }
  }

  /** Lets the compute stream wait for the transfers. */
  void await() {
    if (!items.isEmpty()) {
      recording.program().add(() -> lane.await(0));
    }
  }
}
