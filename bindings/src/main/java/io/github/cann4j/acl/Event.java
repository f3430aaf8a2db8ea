// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;

/**
 * A point in a stream's work ({@code aclrtEvent}), set by {@link Stream#record}. Platform threads
 * only.
 */
public final class Event implements AutoCloseable {
  private final Device device;
  private final MemorySegment handle;
  private final boolean timing;
  private volatile boolean closed;

  Event(Device device, MemorySegment handle, boolean timing) {
    this.device = device;
    this.handle = handle;
    this.timing = timing;
  }

  /**
   * Returns the device.
   *
   * @return the device that the event belongs to
   */
  public Device device() {
    return device;
  }

  MemorySegment handle() {
    if (closed) {
      throw new IllegalStateException("the event of " + device + " is closed");
    }
    return handle;
  }

  /**
   * Asks whether the stream has reached the event ({@code aclrtQueryEventStatus}).
   *
   * @return true also for an event that was never recorded
   */
  public boolean isComplete() {
    MemorySegment event = handle();
    device.makeCurrent();
    MemorySegment status = Scratch.get().first();
    device.check(cann_h.aclrtQueryEventStatus(event, status), "aclrtQueryEventStatus");
    return status.get(ValueLayout.JAVA_INT, 0) == cann_h.ACL_EVENT_RECORDED_STATUS_COMPLETE();
  }

  /**
   * Waits until the stream has reached the event ({@code aclrtSynchronizeEvent}); returns at once
   * if it was never recorded.
   */
  public void synchronize() {
    MemorySegment event = handle();
    device.makeCurrent();
    device.check(cann_h.aclrtSynchronizeEvent(event), "aclrtSynchronizeEvent");
  }

  /**
   * Waits for the event for a limited time ({@code aclrtSynchronizeEventWithTimeout}).
   *
   * @param timeout at least a millisecond, at most {@code Integer.MAX_VALUE} of them
   * @throws AclException {@code ACL_ERROR_RT_EVENT_SYNC_TIMEOUT} when the time is over
   */
  public void synchronize(Duration timeout) {
    int millis = Stream.millis(timeout);
    MemorySegment event = handle();
    device.makeCurrent();
    device.check(
        cann_h.aclrtSynchronizeEventWithTimeout(event, millis), "aclrtSynchronizeEventWithTimeout");
  }

  /**
   * Returns the time between two events that have been reached ({@code aclrtEventElapsedTime}),
   * best of one stream.
   *
   * @param start the earlier event
   * @return milliseconds
   * @throws IllegalStateException if one was not made by {@link Device#createTimingEvent}
   */
  public float millisSince(Event start) {
    device.require(start.device, "the start event");
    if (!timing || !start.timing) {
      throw new IllegalStateException("only events of createTimingEvent() have a time");
    }
    MemorySegment end = handle();
    MemorySegment begin = start.handle();
    device.makeCurrent();
    MemorySegment millis = Scratch.get().first();
    device.check(cann_h.aclrtEventElapsedTime(millis, begin, end), "aclrtEventElapsedTime");
    return millis.get(ValueLayout.JAVA_FLOAT, 0);
  }

  /** Destroys the event ({@code aclrtDestroyEvent}); does not wait for it. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    device.makeCurrent();
    closed = true;
    device.check(cann_h.aclrtDestroyEvent(handle), "aclrtDestroyEvent");
  }
}
