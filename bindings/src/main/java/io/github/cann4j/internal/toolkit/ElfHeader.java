// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.toolkit;

import io.github.cann4j.acl.CannLoadException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** The first bytes of a shared library: what machine it is built for. */
record ElfHeader(int bits, boolean littleEndian, int machine) {
  private static final int X86_64 = 62;
  private static final int AARCH64 = 183;

  static ElfHeader read(Path library) {
    byte[] head;
    try (InputStream in = Files.newInputStream(library)) {
      head = in.readNBytes(20);
    } catch (IOException e) {
      throw new CannLoadException("Cannot read the library " + library + ": " + e, e);
    }
    if (head.length < 20 || head[0] != 0x7f || head[1] != 'E' || head[2] != 'L' || head[3] != 'F') {
      throw new CannLoadException(library + " is not a shared library (no ELF header)", null);
    }
    boolean little = head[5] == 1;
    int low = head[little ? 18 : 19] & 0xff;
    int high = head[little ? 19 : 18] & 0xff;
    return new ElfHeader(head[4] == 2 ? 64 : 32, little, high << 8 | low);
  }

  /** Throws unless this JVM can load the library. */
  static void requireLoadable(Path library) {
    ElfHeader header = read(library);
    String jvm = System.getProperty("os.arch");
    int expected =
        switch (jvm) {
          case "amd64", "x86_64" -> X86_64;
          case "aarch64", "arm64" -> AARCH64;
          default ->
              throw new CannLoadException(
                  "CANN exists for x86_64 and aarch64 only; this JVM runs on " + jvm, null);
        };
    if (header.machine != expected || header.bits != 64 || !header.littleEndian) {
      throw new CannLoadException(
          "%s is built for %s, but this JVM runs on %s; install the toolkit for %s"
              .formatted(library, header.describe(), jvm, jvm),
          null);
    }
  }

  String describe() {
    String name =
        switch (machine) {
          case X86_64 -> "x86_64";
          case AARCH64 -> "aarch64";
          case 3 -> "x86";
          case 40 -> "arm";
          case 243 -> "riscv";
          default -> "ELF machine " + machine;
        };
    return bits == 64 && littleEndian
        ? name
        : "%s (%d bits, %s endian)".formatted(name, bits, littleEndian ? "little" : "big");
  }
}
