// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Objects;

/**
 * A queue of work of one device ({@code aclrtStream}). What is submitted to one stream runs in that
 * order and asynchronously; streams are ordered among each other only by events. Failures of
 * submitted work appear at the next synchronizing call.
 *
 * <p>Platform threads only. Several threads may submit, but the order is then theirs to arrange.
 */
public final class Stream implements AutoCloseable {
  private final Device device;
  private final MemorySegment handle;
  private final boolean owned;
  private volatile boolean closed;

  Stream(Device device, MemorySegment handle, boolean owned) {
    this.device = device;
    this.handle = handle;
    this.owned = owned;
  }

  /**
   * Wraps a stream that another framework made in the device's default context. Closing the wrapper
   * leaves the stream alone.
   *
   * @param device the stream's device
   * @param handle the {@code aclrtStream}, not null
   * @return a wrapper without ownership
   */
  public static Stream wrap(Device device, MemorySegment handle) {
    Objects.requireNonNull(device, "device");
    if (handle.equals(MemorySegment.NULL)) {
      throw new IllegalArgumentException(
          "the stream's handle is NULL; HCCL refuses default streams");
    }
    return new Stream(device, handle, false);
  }

  /**
   * Returns the device.
   *
   * @return the device that the stream belongs to
   */
  public Device device() {
    return device;
  }

  /**
   * Returns the {@code aclrtStream}, for code that calls CANN without these bindings.
   *
   * @return the handle, valid until the stream is closed
   * @throws IllegalStateException if the stream is closed
   */
  public MemorySegment handle() {
    if (closed) {
      throw new IllegalStateException("the stream of " + device + " is closed");
    }
    return handle;
  }

  /**
   * Waits until all submitted work is done ({@code aclrtSynchronizeStream}).
   *
   * @throws AclException also for a failure of that work
   */
  public void synchronize() {
    MemorySegment stream = handle();
    device.makeCurrent();
    device.check(cann_h.aclrtSynchronizeStream(stream), "aclrtSynchronizeStream");
  }

  /**
   * Waits for a limited time ({@code aclrtSynchronizeStreamWithTimeout}).
   *
   * @param timeout at least a millisecond, at most {@code Integer.MAX_VALUE} of them
   * @throws AclException {@code ACL_ERROR_RT_STREAM_SYNC_TIMEOUT} when the time is over
   */
  public void synchronize(Duration timeout) {
    int millis = millis(timeout);
    MemorySegment stream = handle();
    device.makeCurrent();
    device.check(
        cann_h.aclrtSynchronizeStreamWithTimeout(stream, millis),
        "aclrtSynchronizeStreamWithTimeout");
  }

  static int millis(Duration timeout) {
    if (timeout.isNegative()
        || timeout.compareTo(Duration.ofMillis(1)) < 0
        || timeout.compareTo(Duration.ofMillis(Integer.MAX_VALUE)) > 0) {
      throw new IllegalArgumentException(
          "timeout must be 1 to %d ms, not %s".formatted(Integer.MAX_VALUE, timeout));
    }
    return (int) timeout.toMillis();
  }

  /**
   * Asks whether all submitted work is done ({@code aclrtStreamQuery}); does not wait.
   *
   * @return whether nothing is pending
   */
  public boolean isComplete() {
    MemorySegment stream = handle();
    device.makeCurrent();
    MemorySegment status = Scratch.get().first();
    device.check(cann_h.aclrtStreamQuery(stream, status), "aclrtStreamQuery");
    return status.get(ValueLayout.JAVA_INT, 0) == cann_h.ACL_STREAM_STATUS_COMPLETE();
  }

  /**
   * Makes an event stand for all work submitted so far ({@code aclrtRecordEvent}). Recording again
   * replaces what it stood for; waits submitted before keep the former.
   *
   * @param event an event of the same device
   */
  public void record(Event event) {
    device.require(event.device(), "the event");
    MemorySegment stream = handle();
    MemorySegment recorded = event.handle();
    device.makeCurrent();
    device.check(cann_h.aclrtRecordEvent(recorded, stream), "aclrtRecordEvent");
  }

  /**
   * Makes later work of this stream wait until the event is reached ({@code aclrtStreamWaitEvent}).
   * An event that was never recorded delays nothing.
   *
   * @param event an event of the same device
   */
  public void waitFor(Event event) {
    device.require(event.device(), "the event");
    MemorySegment stream = handle();
    MemorySegment awaited = event.handle();
    device.makeCurrent();
    device.check(cann_h.aclrtStreamWaitEvent(stream, awaited), "aclrtStreamWaitEvent");
  }

  /**
   * Runs host code when the stream gets there ({@code aclrtLaunchHostFunc}); later work of the
   * stream waits for it. It runs on a thread of the toolkit and must not use the toolkit itself,
   * nor wait for anything that does. What it throws goes to its thread's handler of uncaught
   * exceptions.
   *
   * @param task what to run
   * @throws UnsupportedOperationException if the toolkit is too old; record an event and wait for
   *     it
   */
  public void launchHostFunc(Runnable task) {
    Objects.requireNonNull(task, "task");
    MemorySegment stream = handle();
    device.makeCurrent();
    HostTasks.launch(device, stream, task);
  }

  /**
   * Makes the first failure stop all streams of the device's context: they drop what is pending and
   * accept no more work ({@code aclrtSetStreamFailureMode} with {@code ACL_STOP_ON_FAILURE}). By
   * default work after a failure goes on. It cannot be taken back.
   */
  public void stopOnFailure() {
    MemorySegment stream = handle();
    device.makeCurrent();
    device.check(
        cann_h.aclrtSetStreamFailureMode(stream, cann_h.ACL_STOP_ON_FAILURE()),
        "aclrtSetStreamFailureMode");
  }

  /**
   * Drops the work that is pending ({@code aclrtStreamAbort}). If there was any, the next
   * synchronizing call of the stream or device throws {@code ACL_ERROR_RT_STREAM_ABORT}, once;
   * after that the stream can be used again.
   */
  public void abort() {
    MemorySegment stream = handle();
    device.makeCurrent();
    device.check(cann_h.aclrtStreamAbort(stream), "aclrtStreamAbort");
  }

  /** Waits for the submitted work, then destroys the stream ({@code aclrtDestroyStream}). */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    if (owned) {
      device.makeCurrent();
      closed = true;
      device.check(cann_h.aclrtDestroyStream(handle), "aclrtDestroyStream");
    }
    closed = true;
  }

  @Override
  public String toString() {
    return "stream 0x%x of %s%s".formatted(handle.address(), device, closed ? " (closed)" : "");
  }
}
