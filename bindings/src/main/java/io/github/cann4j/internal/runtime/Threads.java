// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.runtime;

/** CANN's current context and its error text belong to a native thread. */
public final class Threads {
  private Threads() {}

  /** Throws on a virtual thread, which may change its native thread between two calls. */
  public static void requirePlatform() {
    Thread thread = Thread.currentThread();
    if (thread.isVirtual()) {
      throw new IllegalStateException(
          "CANN needs a platform thread, because its current context belongs to a native thread; "
              + thread
              + " is virtual");
    }
  }
}
