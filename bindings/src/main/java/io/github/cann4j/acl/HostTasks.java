// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.toolkit.OptionalFunctions;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** Host code that streams run. All go through one native entry; its argument says which it is. */
final class HostTasks {
  private static final Map<Long, Runnable> WAITING = new ConcurrentHashMap<>();
  private static final AtomicLong LAST = new AtomicLong();
  private static final MemorySegment ENTRY = entry();

  private HostTasks() {}

  private static MemorySegment entry() {
    try {
      return Linker.nativeLinker()
          .upcallStub(
              MethodHandles.lookup()
                  .findStatic(
                      HostTasks.class,
                      "run",
                      MethodType.methodType(void.class, MemorySegment.class)),
              FunctionDescriptor.ofVoid(ValueLayout.ADDRESS),
              Arena.global());
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  static void launch(Device device, MemorySegment stream, Runnable task) {
    OptionalFunctions.require(
        "aclrtLaunchHostFunc", "launchHostFunc", "record an event and wait for it");
    long number = LAST.incrementAndGet();
    WAITING.put(number, task);
    int code = cann_h.aclrtLaunchHostFunc(stream, ENTRY, MemorySegment.ofAddress(number));
    if (code != 0) {
      WAITING.remove(number);
      device.check(code, "aclrtLaunchHostFunc");
    }
  }

  // An exception that left this method would end the process.
  private static void run(MemorySegment number) {
    Runnable task = WAITING.remove(number.address());
    try {
      task.run();
    } catch (Throwable e) {
      Thread thread = Thread.currentThread();
      thread.getUncaughtExceptionHandler().uncaughtException(thread, e);
    }
  }
}
