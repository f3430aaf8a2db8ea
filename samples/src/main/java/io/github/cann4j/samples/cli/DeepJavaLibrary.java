// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

/** How the programs use the Deep Java Library (DJL). */
public final class DeepJavaLibrary {
  private DeepJavaLibrary() {}

  /**
   * Keeps it from downloading anything and from reporting its use. To be called before any of its
   * classes are; what the user has set stays.
   */
  public static void stayOffline() {
    setDefault("ai.djl.offline", "true");
    setDefault("OPT_OUT_TRACKING", "true");
  }

  private static void setDefault(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }
}
