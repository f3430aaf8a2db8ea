// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The C library's allocator, from which the framework takes its arrays. */
final class HostAllocator {
  private static final Logger LOG = LoggerFactory.getLogger(HostAllocator.class);
  private static final int M_TRIM_THRESHOLD = -1;
  private static final int M_MMAP_THRESHOLD = -3;

  private HostAllocator() {}

  /**
   * Keeps freed memory for the next arrays. By default large ones go back to the system, and every
   * page of the next is cleared anew: a third of the time outside attention. Does nothing where the
   * library has no {@code mallopt}.
   */
  static void keepFreedMemory() {
    Linker linker = Linker.nativeLinker();
    linker
        .defaultLookup()
        .find("mallopt")
        .map(
            function ->
                linker.downcallHandle(
                    function,
                    FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT)))
        .ifPresent(
            mallopt -> {
              try {
                int fromHeap = (int) mallopt.invokeExact(M_MMAP_THRESHOLD, 1 << 30);
                int kept = (int) mallopt.invokeExact(M_TRIM_THRESHOLD, Integer.MAX_VALUE);
                LOG.debug("mallopt said {} and {}", fromHeap, kept);
              } catch (Throwable e) {
                throw new IllegalStateException("mallopt", e);
              }
            });
  }
}
