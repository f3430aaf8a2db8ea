// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.plan.AttentionStep;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.plan.Transfer;
import java.util.List;

/** Packs and posts the key and value rows of the hops, own ones or those that came in the hop before. */
final class KvSender {
  private final Recording recording;
  private final LocalTensors tensors;
  private final List<AttentionStep> hops;
  private final KvExchange exchange;

  KvSender(
      Recording recording, LocalTensors tensors, List<AttentionStep> hops, KvExchange exchange) {
    this.recording = recording;
    this.tensors = tensors;
    this.hops = hops;
    this.exchange = exchange;
  }

  /** Posts hop {@code i}, if there is one; hop i − 1 is to be awaited before. */
  void post(int i) {
    if (i >= hops.size()) {
      return;
    }
    AttentionStep hop = hops.get(i);
    hop.kvSend().ifPresent(send -> pack(i, send));
    exchange.post(i, hop.kvSend(), hop.kvReceive());
  }

  private void pack(int i, Transfer send) {
    KvExchange.Block target = exchange.sendBlock(i, send);
    KvExchange.Block held = i == 0 ? null : exchange.received(i - 1);
    boolean passesOn = held != null && held.owner() == send.owner();
    for (RowRange rows : send.rows().ranges()) {
      recording.copy(
          target.firstRows(rows),
          passesOn ? held.firstRows(rows) : Recording.rows(tensors.k(), rows));
      recording.copy(
          target.secondRows(rows),
          passesOn ? held.secondRows(rows) : Recording.rows(tensors.v(), rows));
    }
  }
}
