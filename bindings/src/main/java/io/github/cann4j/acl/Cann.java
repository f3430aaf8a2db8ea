// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import io.github.cann4j.internal.toolkit.LoadedToolkit;
import io.github.cann4j.internal.toolkit.ToolkitLoader;

/**
 * The process's CANN toolkit. The first use of any type that needs it chooses, loads and
 * initialises one ({@code aclInit}); it stays for the life of the process and is never finalized.
 *
 * <p>Settings are read once, a system property before its environment variable:
 *
 * <table class="striped">
 * <caption>Settings</caption>
 * <tr><th>property</th><th>variable</th><th>meaning</th></tr>
 * <tr><td>{@code cann4j.backend}</td><td>{@code CANN4J_BACKEND}</td><td>{@code auto} (default): a
 * real toolkit with at least one device, else the CPU toolkit; {@code npu} or {@code cpu}: this one
 * or a failure</td></tr>
 * <tr><td>{@code cann4j.home}</td><td>{@code CANN4J_HOME}</td><td>directory of a toolkit (with
 * {@code lib64}); used or a failure, nothing else is tried</td></tr>
 * <tr><td></td><td>{@code ASCEND_HOME_PATH}</td><td>directory of the real toolkit, set by its
 * {@code set_env.sh}</td></tr>
 * <tr><td>{@code cann4j.cache}</td><td>{@code CANN4J_CACHE}</td><td>directory into which the CPU
 * toolkit's jar is unpacked (default {@code $XDG_CACHE_HOME/cann4j} or {@code
 * ~/.cache/cann4j})</td></tr>
 * </table>
 *
 * <p>All methods may be called from any thread, virtual ones included.
 */
public final class Cann {
  private static volatile Toolkit toolkit;

  private Cann() {}

  /**
   * Tells whether a toolkit is there, loading it if needed.
   *
   * @return whether {@link #toolkit()} succeeds
   */
  public static boolean isAvailable() {
    return unavailabilityCause() == null;
  }

  /**
   * Returns why no toolkit is there, loading one if needed.
   *
   * @return the reason, or null if a toolkit is loaded
   */
  public static Throwable unavailabilityCause() {
    try {
      toolkit();
      return null;
    } catch (CannLoadException e) {
      return e;
    }
  }

  /**
   * Loads a toolkit if that has not happened yet.
   *
   * @throws CannLoadException if there is none that can be used
   */
  public static void ensureAvailable() {
    toolkit();
  }

  /**
   * Returns the process's toolkit, loading it if needed.
   *
   * @return the toolkit
   * @throws CannLoadException if there is none that can be used
   */
  public static Toolkit toolkit() {
    Toolkit known = toolkit;
    if (known == null) {
      LoadedToolkit loaded = ToolkitLoader.load();
      synchronized (Cann.class) {
        if (toolkit == null) {
          toolkit = new Toolkit(loaded);
        }
        known = toolkit;
      }
    }
    return known;
  }
}
