// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** Passes a process's output on, line by line, each with a prefix. */
final class PrefixedLines {
  private static final int LONGEST = 1 << 16;

  private PrefixedLines() {}

  /** Starts a thread that ends with the output. */
  static Thread pump(InputStream from, String prefix, PrintStream to) {
    return Thread.ofPlatform().daemon().name("output").start(() -> copy(from, prefix, to));
  }

  private static void copy(InputStream from, String prefix, PrintStream to) {
    byte[] begin = prefix.getBytes(StandardCharsets.US_ASCII);
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    try (from) {
      for (int next = from.read(); next >= 0; next = from.read()) {
        if (line.size() == 0) {
          line.writeBytes(begin);
        }
        line.write(next);
        if (next == '\n' || line.size() >= LONGEST) {
          flush(line, to);
        }
      }
    } catch (IOException e) {
      // The process is gone, which its exit code says.
    }
    if (line.size() > 0) {
      line.write('\n');
      flush(line, to);
    }
  }

  private static void flush(ByteArrayOutputStream line, PrintStream to) {
    // At once, so that the lines of several processes do not mix.
    to.write(line.toByteArray(), 0, line.size());
    to.flush();
    line.reset();
  }
}
