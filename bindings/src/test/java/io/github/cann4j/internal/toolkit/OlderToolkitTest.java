// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.probe.OlderToolkitProbe;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What CANN 8.1 does not have is refused by name, and the rest works. */
class OlderToolkitTest {
  @Test
  void missingFunctionsAreNamed() throws Exception {
    String output =
        new Child(OlderToolkitProbe.class)
            .withoutCpuToolkit()
            .property("cann4j.home", Cann.toolkit().home())
            .variable("CANN4J_CPU_VERSION", "8.1")
            .run();
    List<String> said =
        output
            .lines()
            .filter(line -> !line.contains(" INFO "))
            .map(OlderToolkitTest::brief)
            .toList();
    assertEquals(
        List.of(
            "VERSION 8.1.RC1",
            "REFUSED aclrtLaunchHostFunc",
            "REFUSED aclnnRotaryPositionEmbedding",
            "REFUSED HcclAlltoAllVC",
            "REFUSED aclnnFlashAttentionVarLenScoreV4",
            "REFUSED aclnnRingAttentionUpdateV2",
            "WORKS"),
        said,
        output);
  }

  /** Leaves the function of a refusal. */
  private static String brief(String line) {
    return line.replaceFirst(
        "^REFUSED the CPU toolkit 8\\.1\\.RC1 has no (\\w+), .*; .*", "REFUSED $1");
  }
}
