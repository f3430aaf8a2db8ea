// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.hccl.Communicator;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Holds a stream back until it is opened: the stream receives from another device, whose stream
 * sends only then.
 */
public final class Gate implements AutoCloseable {
  private final Stream held;
  private final Stream opener;
  private final Communicator here;
  private final Communicator there;
  private final DeviceBuffer received;
  private final DeviceBuffer sent;
  private boolean open;

  /** Blocks what is submitted to the stream from now on. */
  public Gate(Device device, Stream held) {
    this.held = held;
    Device other = Device.open(device.id() == 0 ? 1 : 0);
    List<Communicator> both = Communicator.initAll(List.of(device, other));
    here = both.get(0);
    there = both.get(1);
    opener = other.createStream();
    // The first call of two ranks waits for both of them, so it takes two threads.
    Thread peer = Thread.ofPlatform().start(() -> there.barrier(opener));
    here.barrier(held);
    try {
      peer.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    received = device.allocate(64);
    sent = other.allocate(64);
    here.recv(Tensor.of(received, DataType.INT8, 64), 1, held);
  }

  /** Lets the stream go on. */
  public void open() {
    open = true;
    there.send(Tensor.of(sent, DataType.INT8, 64), 0, opener);
  }

  /** The peer's handle, to wrap. */
  public MemorySegment handle() {
    return here.handle();
  }

  @Override
  public void close() {
    if (!open) {
      open();
    }
    opener.synchronize();
    held.synchronize();
    received.close();
    sent.close();
    here.close();
    there.close();
    opener.close();
  }
}
