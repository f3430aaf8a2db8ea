// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Iterator;

/** Allocates and frees one device's memory, at once or when a stream has passed; counts bytes. */
final class DeviceMemory {
  private static final int RT_MEMORY_ALLOCATION = cann_h.ACL_ERROR_RT_MEMORY_ALLOCATION();
  private static final int RT_DEVICE_OOM = 207018;

  private record Pending(MemorySegment address, long bytes, MemorySegment event) {}

  private final Device device;
  private final ArrayDeque<Pending> pending = new ArrayDeque<>();
  private final ArrayDeque<MemorySegment> idleEvents = new ArrayDeque<>();
  private long allocated;
  private long peak;

  DeviceMemory(Device device) {
    this.device = device;
  }

  // Waiting must not hold the monitor: what the device waits for may need an allocation itself.
  MemorySegment allocate(long bytes) {
    device.makeCurrent();
    while (true) {
      Pending oldest;
      synchronized (this) {
        reclaim();
        MemorySegment out = Scratch.get().first();
        int code = cann_h.aclrtMalloc(out, bytes, cann_h.ACL_MEM_MALLOC_HUGE_FIRST());
        if (!isOutOfMemory(code) || pending.isEmpty()) {
          device.check(code, "aclrtMalloc");
          allocated += bytes;
          peak = Math.max(peak, allocated);
          return out.get(ValueLayout.ADDRESS, 0);
        }
        oldest = pending.poll();
      }
      await(oldest);
    }
  }

  private static boolean isOutOfMemory(int code) {
    return code == RT_MEMORY_ALLOCATION || code == RT_DEVICE_OOM;
  }

  private void await(Pending one) {
    try {
      device.check(cann_h.aclrtSynchronizeEvent(one.event()), "aclrtSynchronizeEvent");
    } finally {
      synchronized (this) {
        idleEvents.add(one.event());
        free(one.address(), one.bytes());
      }
    }
  }

  /** Waits for the device, then frees, also where the wait reports failed work. */
  void freeAfterDevice(MemorySegment address, long bytes) {
    device.makeCurrent();
    try {
      device.check(cann_h.aclrtSynchronizeDevice(), "aclrtSynchronizeDevice");
    } finally {
      synchronized (this) {
        free(address, bytes);
        reclaim();
      }
    }
  }

  /** Frees on a later call of this class, once the stream has passed what it holds now. */
  synchronized void freeAfter(Stream stream, MemorySegment address, long bytes) {
    MemorySegment queue = stream.handle();
    device.makeCurrent();
    reclaim();
    MemorySegment event = idleEvents.poll();
    if (event == null) {
      event = device.newEvent(cann_h.ACL_EVENT_SYNC());
    }
    int code = cann_h.aclrtRecordEvent(event, queue);
    if (code != 0) {
      idleEvents.add(event);
      device.check(code, "aclrtRecordEvent");
    }
    pending.add(new Pending(address, bytes, event));
  }

  synchronized long allocatedBytes() {
    return allocated;
  }

  synchronized long peakBytes() {
    return peak;
  }

  synchronized void resetPeak() {
    peak = allocated;
  }

  private void reclaim() {
    if (pending.isEmpty()) {
      return;
    }
    for (Iterator<Pending> all = pending.iterator(); all.hasNext(); ) {
      Pending one = all.next();
      MemorySegment status = Scratch.get().first();
      device.check(cann_h.aclrtQueryEventStatus(one.event(), status), "aclrtQueryEventStatus");
      if (status.get(ValueLayout.JAVA_INT, 0) == cann_h.ACL_EVENT_RECORDED_STATUS_COMPLETE()) {
        all.remove();
        idleEvents.add(one.event());
        free(one.address(), one.bytes());
      }
    }
  }

  private void free(MemorySegment address, long bytes) {
    device.check(cann_h.aclrtFree(address), "aclrtFree");
    allocated -= bytes;
  }
}
