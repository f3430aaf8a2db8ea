// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import io.github.cann4j.acl.Toolkit;

/** The toolkit that a program uses, in a few words. */
public final class ToolkitLine {
  private ToolkitLine() {}

  /** Backend, version, processor and devices, and what that means for times. */
  public static String of(Toolkit toolkit) {
    return "%s %s, %s, %d devices%s"
        .formatted(
            toolkit.backend(),
            toolkit.version(),
            toolkit.socName(),
            toolkit.deviceCount(),
            switch (toolkit.backend()) {
              case CPU -> " (simulated on the CPU: times are no hardware numbers)";
              case NPU -> "";
            });
  }
}
