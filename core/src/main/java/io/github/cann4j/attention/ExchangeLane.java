// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Event;
import io.github.cann4j.acl.Stream;

/**
 * Double-buffered hand-over between the compute stream and the exchange stream. A transfer starts when the compute
 * stream has passed everything submitted before {@link #post}: the packing of what is sent, and the last reader of what
 * is overwritten.
 */
final class ExchangeLane implements AutoCloseable {
  static final int SLOTS = 2;

  private final Stream compute;
  private final Stream exchange;
  private final Event[] ready = new Event[SLOTS];
  private final Event[] done = new Event[SLOTS];

  ExchangeLane(Stream compute, Stream exchange) {
    this.compute = compute;
    this.exchange = exchange;
    for (int i = 0; i < SLOTS; i++) {
      ready[i] = compute.device().createEvent();
      done[i] = compute.device().createEvent();
    }
  }

  void post(int slot, Runnable transfer) {
    compute.record(ready[slot]);
    exchange.waitFor(ready[slot]);
    transfer.run();
    exchange.record(done[slot]);
  }

  /** Lets later work of the compute stream wait for the slot's last transfer. */
  void await(int slot) {
    compute.waitFor(done[slot]);
  }

  @Override
  public void close() {
    for (int i = 0; i < SLOTS; i++) {
      ready[i].close();
      done[i].close();
    }
  }
}
