// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Device buffers of one attention object. All programs run one after the other on its compute stream, so they share
 * their scratch; what forward keeps for backward belongs to one program until it is closed, and then waits for the next
 * program that needs its size. No more is kept waiting than programs have had at once, so that batches of many lengths
 * do not fill the device.
 */
final class BufferPool implements AutoCloseable {
  private final Stream stream;
  private final Map<String, Scratch> scratch = new HashMap<>();
  private final Set<Lease> leases = new HashSet<>();
  private final Deque<DeviceBuffer> idle = new ArrayDeque<>();
  private long idleBytes;
  private long keptBytes;
  private long mostKeptBytes;

  private static final class Scratch {
    final DeviceBuffer buffer;
    int leases;
    boolean replaced;

    Scratch(DeviceBuffer buffer) {
      this.buffer = buffer;
    }
  }

  BufferPool(Stream stream) {
    this.stream = stream;
  }

  Lease lease() {
    Lease lease = new Lease();
    leases.add(lease);
    return lease;
  }

  /** What is held now: scratch, also replaced one that a program still uses, kept and idle buffers. */
  long byteSize() {
    Set<Scratch> all = new HashSet<>(scratch.values());
    leases.forEach(lease -> all.addAll(lease.shared));
    return idleBytes + keptBytes + all.stream().mapToLong(s -> s.buffer.byteSize()).sum();
  }

  private DeviceBuffer takeIdle(long bytes) {
    for (Iterator<DeviceBuffer> all = idle.descendingIterator(); all.hasNext(); ) {
      DeviceBuffer buffer = all.next();
      if (buffer.byteSize() == bytes) {
        all.remove();
        idleBytes -= bytes;
        return buffer;
      }
    }
    return null;
  }

  private void freeIdleAbove(long limit) {
    while (idleBytes > limit) {
      DeviceBuffer oldest = idle.remove();
      idleBytes -= oldest.byteSize();
      oldest.closeAfter(stream);
    }
  }

  /** Waits for the device and frees all, also what open leases hold. */
  @Override
  public void close() {
    List<DeviceBuffer> all = new ArrayList<>(idle);
    for (Lease lease : leases) {
      all.addAll(lease.kept);
      lease.shared.forEach(s -> all.add(s.buffer));
    }
    leases.clear();
    scratch.values().forEach(s -> all.add(s.buffer));
    idle.clear();
    idleBytes = 0;
    scratch.clear();
    Closing.inOrder(all.stream().<Runnable>map(b -> b::close).toArray(Runnable[]::new));
  }

  /** The buffers of one program. */
  final class Lease {
    private final List<Scratch> shared = new ArrayList<>();
    private final List<DeviceBuffer> kept = new ArrayList<>();

    /** A buffer of at least that size, with contents only while one program runs. */
    DeviceBuffer scratch(String name, long bytes) {
      Scratch current = scratch.get(name);
      if (current == null || current.buffer.byteSize() < bytes) {
        Scratch larger = new Scratch(stream.device().allocate(bytes));
        if (current != null) {
          current.replaced = true;
          freeIfUnused(current);
        }
        scratch.put(name, larger);
        current = larger;
      }
      if (!shared.contains(current)) {
        current.leases++;
        shared.add(current);
      }
      return current.buffer;
    }

    /** A buffer of exactly that size for this program alone. */
    DeviceBuffer keep(long bytes) {
      DeviceBuffer buffer = takeIdle(bytes);
      if (buffer == null) {
        freeIdleAbove(mostKeptBytes);
        buffer = stream.device().allocate(bytes);
      }
      kept.add(buffer);
      keptBytes += bytes;
      mostKeptBytes = Math.max(mostKeptBytes, keptBytes);
      return buffer;
    }

    /** Gives the buffers back. Idempotent. */
    void release() {
      if (!leases.remove(this)) {
        return;
      }
      for (Scratch s : shared) {
        s.leases--;
        freeIfUnused(s);
      }
      shared.clear();
      for (DeviceBuffer buffer : kept) {
        idle.add(buffer);
        idleBytes += buffer.byteSize();
        keptBytes -= buffer.byteSize();
      }
      kept.clear();
    }

    private void freeIfUnused(Scratch s) {
      if (s.replaced && s.leases == 0) {
        s.buffer.closeAfter(stream);
      }
    }
  }
}
