// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.peers;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A TorchScript file with one module that has methods and no parameters: how a program that has no
 * Python gets a function of libtorch that its binding lacks.
 */
final class ScriptArchive {
  private ScriptArchive() {}

  /** Writes a class of TorchScript, whose methods are given as source. */
  static void write(OutputStream target, String className, String methods) throws IOException {
    String source =
        """
        class %s(Module):
          __parameters__ = []
          __buffers__ = []
          training : bool
        %s\
        """
            .formatted(className, methods.indent(2));
    try (ZipOutputStream zip = new ZipOutputStream(target)) {
      put(zip, "data.pkl", module(className));
      put(zip, "code/__torch__.py", source.getBytes(StandardCharsets.UTF_8));
      put(zip, "constants.pkl", new byte[] {(byte) 0x80, 2, ')', '.'}); // an empty tuple
      put(zip, "version", "3\n".getBytes(StandardCharsets.US_ASCII));
    }
  }

  /** The pickle of an instance whose only attribute is "training", false. */
  private static byte[] module(String className) {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    byte[] attribute = "training".getBytes(StandardCharsets.US_ASCII);
    pickle.writeBytes(new byte[] {(byte) 0x80, 2, 'c'}); // protocol 2, GLOBAL
    pickle.writeBytes(("__torch__\n" + className + "\n").getBytes(StandardCharsets.US_ASCII));
    pickle.writeBytes(new byte[] {')', (byte) 0x81, '}', '('}); // NEWOBJ, a dictionary, MARK
    pickle.writeBytes(new byte[] {'X', (byte) attribute.length, 0, 0, 0});
    pickle.writeBytes(attribute);
    pickle.writeBytes(new byte[] {(byte) 0x89, 'u', 'b', '.'}); // False, SETITEMS, BUILD, STOP
    return pickle.toByteArray();
  }

  private static void put(ZipOutputStream zip, String name, byte[] content) throws IOException {
    zip.putNextEntry(new ZipEntry("attention/" + name));
    zip.write(content);
    zip.closeEntry();
  }
}
