// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import io.github.cann4j.acl.Backend;
import io.github.cann4j.acl.Toolkit;

/** One rank needs one device. */
public final class Devices {
  private Devices() {}

  /**
   * Refuses more ranks than there are devices.
   *
   * @param option what the number of ranks was given with
   */
  public static void require(Toolkit toolkit, int ranks, String option) {
    int devices = toolkit.deviceCount();
    if (ranks > devices) {
      throw new BadInputException(
          "%s %d needs %d devices, but the %s toolkit has %d%s"
              .formatted(
                  option,
                  ranks,
                  ranks,
                  toolkit.backend(),
                  devices,
                  toolkit.backend() == Backend.CPU
                      ? "; set CANN4J_CPU_DEVICES=" + ranks + " to simulate as many"
                      : ""));
    }
  }
}
