// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Device buffers of one attention object. All programs run one after the other on its compute stream, so they share
 * their scratch; what forward keeps for backward belongs to one program until it is closed.
 */
final class BufferPool implements AutoCloseable {
  private final Stream stream;
  private final Map<String, Scratch> scratch = new HashMap<>();
  private final Map<Long, Deque<DeviceBuffer>> idle = new HashMap<>();

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
    return new Lease();
  }

  /** Frees what no open lease holds; leases are to be released before. */
  @Override
  public void close() {
    scratch.values().forEach(s -> s.buffer.closeAfter(stream));
    scratch.clear();
    idle.values().forEach(buffers -> buffers.forEach(b -> b.closeAfter(stream)));
    idle.clear();
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
      Deque<DeviceBuffer> buffers = idle.get(bytes);
      DeviceBuffer buffer =
          buffers == null || buffers.isEmpty() ? stream.device().allocate(bytes) : buffers.pop();
      kept.add(buffer);
      return buffer;
    }

    void release() {
      for (Scratch s : shared) {
        s.leases--;
        freeIfUnused(s);
      }
      shared.clear();
      kept.forEach(b -> idle.computeIfAbsent(b.byteSize(), size -> new ArrayDeque<>()).push(b));
      kept.clear();
    }

    private void freeIfUnused(Scratch s) {
      if (s.replaced && s.leases == 0) {
        s.buffer.closeAfter(stream);
      }
    }
  }
}
