// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.probe.MemoryProbe;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Memory that a stream still uses is waited for before lack of memory is reported. */
@Tag("multiprocess")
class MemoryPressureTest {
  @Test
  void allocatingWaitsForMemoryThatIsOnItsWay() throws Exception {
    String output = new Child(MemoryProbe.class).variable("CANN4J_CPU_DEVICE_MEMORY", "64M").run();
    assertTrue(output.contains("WAITED true"), output);
    assertTrue(output.contains("REFUSED aclrtMalloc ACL_ERROR_RT_MEMORY_ALLOCATION"), output);
    assertTrue(output.contains("LEFT 0"), output);
  }
}
