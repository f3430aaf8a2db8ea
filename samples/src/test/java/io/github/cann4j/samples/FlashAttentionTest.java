// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FlashAttentionTest {
  private static CommandRun run(String options) {
    return CommandRun.of(new FlashAttention(), options.split(" "));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--seq-length=256",
        "--seq-length=258 --dtype=bf16 --kv-channels=64",
        "--seq-length=4 --num-attention-heads=3 --num-query-groups=1 --kv-channels=16 --seed=7"
      })
  void bothLayoutsPass(String options) {
    CommandRun run = run(options);
    assertEquals(0, run.exitCode(), () -> run.out() + run.err());
    for (String layout : new String[] {"TND", "BSND"}) {
      assertTrue(
          run.out()
              .lines()
              .anyMatch(line -> line.startsWith(layout + " ") && line.endsWith("PASS")),
          run::out);
    }
  }

  @Test
  void badOptionsAreRefused() {
    run("--seq-length=5").assertBadInput("--seq-length", "even", "5");
    run("--seq-length=1000000").assertBadInput("1000000");
    run("--num-query-groups=3").assertBadInput("heads=8", "kvHeads=3");
    run("--kv-channels=1024").assertBadInput("D=1024");
    run("--dtype=int8").assertBadInput("int8", "fp32 or bf16");
  }
}
