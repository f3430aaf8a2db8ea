// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.AclErrors;
import io.github.cann4j.internal.runtime.Scratch;
import io.github.cann4j.internal.runtime.Threads;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * One device, with the default context that {@code aclrtSetDevice} gives. There is one instance per
 * id and process; it is never reset, and needs no closing.
 *
 * <p>Any platform thread may use it; each operation first makes the context current on the calling
 * thread and leaves it so. The operators of one device ({@code aclnn}) are submitted one at a time.
 */
public final class Device {
  private static final Map<Integer, Device> OPEN = new HashMap<>();

  private final int id;
  private final MemorySegment context;
  private final DeviceMemory deviceMemory = new DeviceMemory(this);

  private Device(int id, MemorySegment context) {
    this.id = id;
    this.context = context;
  }

  /**
   * Returns the number of devices ({@code aclrtGetDeviceCount}).
   *
   * @return their number
   * @throws CannLoadException if there is no toolkit
   */
  public static int count() {
    return Cann.toolkit().deviceCount();
  }

  /**
   * Opens a device, or returns the instance that was opened before ({@code aclrtSetDevice}).
   *
   * @param id 0 … {@link #count()} − 1, after filtering by {@code ASCEND_RT_VISIBLE_DEVICES}
   * @return the device, current on the calling thread
   * @throws IllegalArgumentException if there is no such device
   * @throws CannLoadException if there is no toolkit
   */
  public static Device open(int id) {
    int count = count();
    if (id < 0 || id >= count) {
      throw new IllegalArgumentException(
          "device %d does not exist: the %s toolkit has %d devices, 0 to %d"
              .formatted(id, Cann.toolkit().backend(), count, count - 1));
    }
    Threads.requirePlatform();
    synchronized (OPEN) {
      Device device = OPEN.get(id);
      if (device == null) {
        AclErrors.check(cann_h.aclrtSetDevice(id), "aclrtSetDevice", id);
        MemorySegment out = Scratch.get().first();
        AclErrors.check(cann_h.aclrtGetCurrentContext(out), "aclrtGetCurrentContext", id);
        device = new Device(id, out.get(ValueLayout.ADDRESS, 0));
        OPEN.put(id, device);
      }
      device.makeCurrent();
      return device;
    }
  }

  /**
   * Returns the id.
   *
   * @return 0 … {@link #count()} − 1
   */
  public int id() {
    return id;
  }

  /**
   * Makes the device's context current on the calling thread ({@code aclrtSetCurrentContext}). All
   * operations do that themselves; it is for code that calls CANN without these bindings.
   *
   * @throws IllegalStateException on a virtual thread
   */
  public void makeCurrent() {
    Threads.requirePlatform();
    check(cann_h.aclrtSetCurrentContext(context), "aclrtSetCurrentContext");
  }

  /**
   * Creates a stream ({@code aclrtCreateStream}).
   *
   * @return a new stream, to be closed
   */
  public Stream createStream() {
    makeCurrent();
    MemorySegment out = Scratch.get().first();
    check(cann_h.aclrtCreateStream(out), "aclrtCreateStream");
    return new Stream(this, out.get(ValueLayout.ADDRESS, 0), true);
  }

  /**
   * Creates an event that streams can record again and again and wait for ({@code
   * aclrtCreateEventExWithFlag} with {@code ACL_EVENT_SYNC}).
   *
   * @return a new event, to be closed
   */
  public Event createEvent() {
    return new Event(this, newEvent(cann_h.ACL_EVENT_SYNC()), false);
  }

  /**
   * Creates an event that also takes the time when it is reached ({@code
   * aclrtCreateEventExWithFlag} with {@code ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE}).
   *
   * @return a new event, to be closed
   */
  public Event createTimingEvent() {
    return new Event(this, newEvent(cann_h.ACL_EVENT_SYNC() | cann_h.ACL_EVENT_TIME_LINE()), true);
  }

  MemorySegment newEvent(int flags) {
    makeCurrent();
    MemorySegment out = Scratch.get().first();
    check(cann_h.aclrtCreateEventExWithFlag(out, flags), "aclrtCreateEventExWithFlag");
    return out.get(ValueLayout.ADDRESS, 0);
  }

  /**
   * Allocates device memory ({@code aclrtMalloc}); the content is undefined, the address 64-byte
   * aligned. Memory given back by {@link DeviceBuffer#closeAfter} is freed first where its stream
   * has passed; on lack of memory the call waits for such streams.
   *
   * @param byteSize at least 1
   * @return a new buffer, to be closed
   */
  public DeviceBuffer allocate(long byteSize) {
    if (byteSize <= 0) {
      throw new IllegalArgumentException("byteSize must be positive, not " + byteSize);
    }
    return new DeviceBuffer(this, deviceMemory.allocate(byteSize), byteSize, true);
  }

  /**
   * Allocates host memory that the device can copy from and to ({@code aclrtMallocHost}); the
   * content is undefined.
   *
   * @param byteSize at least 1
   * @return a new buffer, to be closed
   */
  public PinnedBuffer allocatePinned(long byteSize) {
    if (byteSize <= 0) {
      throw new IllegalArgumentException("byteSize must be positive, not " + byteSize);
    }
    makeCurrent();
    MemorySegment out = Scratch.get().first();
    check(cann_h.aclrtMallocHost(out, byteSize), "aclrtMallocHost");
    return new PinnedBuffer(this, out.get(ValueLayout.ADDRESS, 0), byteSize);
  }

  /**
   * Asks for the device's memory ({@code aclrtGetMemInfo} with {@code ACL_HBM_MEM}).
   *
   * @return free and total bytes
   */
  public MemoryInfo memory() {
    makeCurrent();
    Scratch scratch = Scratch.get();
    MemorySegment free = scratch.first();
    MemorySegment total = scratch.second();
    check(cann_h.aclrtGetMemInfo(cann_h.ACL_HBM_MEM(), free, total), "aclrtGetMemInfo");
    return new MemoryInfo(free.get(ValueLayout.JAVA_LONG, 0), total.get(ValueLayout.JAVA_LONG, 0));
  }

  /**
   * Waits for all work of the device ({@code aclrtSynchronizeDevice}).
   *
   * @throws AclException also for a failure of earlier asynchronous work
   */
  public void synchronize() {
    makeCurrent();
    check(cann_h.aclrtSynchronizeDevice(), "aclrtSynchronizeDevice");
  }

  /**
   * Waits for all work of the device for a limited time ({@code
   * aclrtSynchronizeDeviceWithTimeout}).
   *
   * @param timeout at least a millisecond, at most {@code Integer.MAX_VALUE} of them
   * @throws AclException {@code ACL_ERROR_RT_STREAM_SYNC_TIMEOUT} when the time is over; also for a
   *     failure of earlier asynchronous work
   */
  public void synchronize(Duration timeout) {
    int millis = Stream.millis(timeout);
    makeCurrent();
    check(cann_h.aclrtSynchronizeDeviceWithTimeout(millis), "aclrtSynchronizeDeviceWithTimeout");
  }

  /**
   * Chooses whether operators of this device give the same bits each time, at the price of speed
   * ({@code ACL_OPT_DETERMINISTIC} of the process and of the device's context, because toolkits
   * differ in which they read). It has an effect on operators that are called later; for
   * collectives see {@code CommunicatorOptions}. The CPU toolkit is deterministic in any case.
   *
   * @param deterministic true for the same bits each time
   */
  public void setDeterministic(boolean deterministic) {
    makeCurrent();
    int option = cann_h.ACL_OPT_DETERMINISTIC();
    long value = deterministic ? 1 : 0;
    check(cann_h.aclrtSetSysParamOpt(option, value), "aclrtSetSysParamOpt");
    check(cann_h.aclrtCtxSetSysParamOpt(option, value), "aclrtCtxSetSysParamOpt");
  }

  /**
   * Returns what {@link #allocate} has given out and not freed yet, including buffers that {@link
   * DeviceBuffer#closeAfter} has not freed yet; counted here, not asked of the device.
   *
   * @return bytes
   */
  public long allocatedBytes() {
    return deviceMemory.allocatedBytes();
  }

  /**
   * Returns the largest {@link #allocatedBytes} since the start or {@link
   * #resetPeakAllocatedBytes}.
   *
   * @return bytes
   */
  public long peakAllocatedBytes() {
    return deviceMemory.peakBytes();
  }

  /** Sets {@link #peakAllocatedBytes} to the present {@link #allocatedBytes}. */
  public void resetPeakAllocatedBytes() {
    deviceMemory.resetPeak();
  }

  DeviceMemory deviceMemory() {
    return deviceMemory;
  }

  void check(int code, String function) {
    AclErrors.check(code, function, id);
  }

  /** Throws unless something lives on this device. */
  void require(Device other, String what) {
    if (other != this) {
      throw new IllegalArgumentException(
          "%s is on device %d, not on device %d".formatted(what, other.id, id));
    }
  }

  @Override
  public String toString() {
    return "device " + id;
  }
}
