// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.probe;

import io.github.cann4j.acl.AclException;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Gate;
import io.github.cann4j.acl.Stream;
import java.util.concurrent.atomic.AtomicBoolean;

/** Fills a device of 64 MiB, in a process of its own. */
public final class MemoryProbe {
  private static final long MOST = 40L << 20;

  private MemoryProbe() {}

  /** Prints what happened. */
  public static void main(String[] args) throws Exception {
    Device device = Device.open(0);
    try (Stream stream = device.createStream()) {
      AtomicBoolean opened = new AtomicBoolean();
      Thread opener;
      try (Gate gate = new Gate(device, stream)) {
        device.allocate(MOST).closeAfter(stream);
        opener =
            Thread.ofPlatform()
                .start(
                    () -> {
                      try {
                        Thread.sleep(100);
                      } catch (InterruptedException e) {
                        throw new AssertionError(e);
                      }
                      opened.set(true);
                      gate.open();
                    });
        // There is room only once the stream has passed.
        device.allocate(MOST).close();
        System.out.println("WAITED " + opened.get());
        opener.join();
      }
      try (var first = device.allocate(MOST)) {
        device.allocate(MOST).close();
        System.out.println("TOO MUCH " + first.byteSize());
      } catch (AclException e) {
        System.out.println("REFUSED " + e.function() + " " + e.codeName());
      }
      System.out.println("LEFT " + device.allocatedBytes());
    }
  }
}
