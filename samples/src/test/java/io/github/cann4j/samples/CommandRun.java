// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.samples.cli.SampleCommand;
import java.io.PrintWriter;
import java.io.StringWriter;

/** A sample program run inside the test, with what it wrote. */
record CommandRun(int exitCode, String out, String err) {
  static CommandRun of(Object command, String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int exitCode = SampleCommand.run(command, new PrintWriter(out), new PrintWriter(err), args);
    return new CommandRun(exitCode, out.toString(), err.toString());
  }

  /** Asserts exit code 2, nothing on standard output, and one line that has all the words. */
  void assertBadInput(String... words) {
    assertEquals(2, exitCode, () -> out + err);
    assertEquals("", out);
    assertEquals(1, err.lines().count(), err);
    for (String word : words) {
      assertTrue(err.contains(word), () -> "'" + word + "' is not in: " + err);
    }
  }
}
