// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.runtime;

import io.github.cann4j.acl.CannException;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Cleaner;
import java.util.Objects;

/** An aclnn host object that is destroyed when its Java owner is garbage. */
public final class NativeHandle {
  private static final Cleaner CLEANER = Cleaner.create();

  private final MemorySegment pointer;

  private NativeHandle(MemorySegment pointer) {
    this.pointer = pointer;
  }

  /** Takes over a tensor that was just created on this thread, NULL if that failed. */
  public static NativeHandle ofTensor(MemorySegment tensor, Object owner) {
    requireCreated(tensor, "aclCreateTensor", owner);
    CLEANER.register(owner, () -> cann_h.aclDestroyTensor(tensor));
    return new NativeHandle(tensor);
  }

  /** Runs an action, which must not reach the owner, when the owner is garbage. */
  public static void whenGarbage(Object owner, Runnable action) {
    CLEANER.register(owner, action);
  }

  /** Throws if a creator of the current thread has just returned NULL. */
  public static void requireCreated(MemorySegment created, String function, Object what) {
    Objects.requireNonNull(what, "what");
    if (created.equals(MemorySegment.NULL)) {
      String text = AclErrors.recentText();
      throw new CannException(
          "%s returned NULL for %s%s".formatted(function, what, text.isEmpty() ? "" : ": " + text),
          function,
          0,
          "NULL",
          text,
          null);
    }
  }

  /** The object. */
  public MemorySegment pointer() {
    return pointer;
  }
}
