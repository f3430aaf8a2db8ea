// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * Documents in a temporary file, read back in any order: token ids and a mark for each. Only where
 * they begin is in memory. Not thread-safe.
 */
final class DocumentSpool implements AutoCloseable {
  private static final int BYTES_PER_TOKEN = 5;
  private static final int BUFFER_TOKENS = 1 << 14;

  private final FileChannel channel;
  private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER_TOKENS * BYTES_PER_TOKEN);
  // In tokens; the first begins at 0.
  private long[] ends = new long[64];
  private int count;
  private long written;

  DocumentSpool(Path directory) {
    Path path = null;
    try {
      path =
          directory == null
              ? Files.createTempFile("cann4j", ".spool")
              : Files.createTempFile(directory, "cann4j", ".spool");
      channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
      // It lives on without a name until the channel is closed, or the process ends in any way.
      Files.delete(path);
    } catch (IOException e) {
      throw new UncheckedIOException(
          "cannot make a temporary file in "
              + (directory == null ? System.getProperty("java.io.tmpdir") : directory)
              + ": "
              + e,
          e);
    }
  }

  void add(int[] ids, byte[] marks, int begin, int end) {
    if (count == ends.length) {
      ends = Arrays.copyOf(ends, 2 * count);
    }
    ends[count] = (count == 0 ? 0 : ends[count - 1]) + end - begin;
    count++;
    try {
      for (int i = begin; i < end; i++) {
        if (!buffer.hasRemaining()) {
          flush();
        }
        buffer.putInt(ids[i]).put(marks[i]);
      }
    } catch (IOException e) {
      throw failure(e);
    }
  }

  private void flush() throws IOException {
    buffer.flip();
    while (buffer.hasRemaining()) {
      written += channel.write(buffer, written);
    }
    buffer.clear();
  }

  /** The tokens of each document. */
  int[] lengths() {
    int[] lengths = new int[count];
    for (int i = 0; i < count; i++) {
      lengths[i] = (int) (ends[i] - begin(i));
    }
    return lengths;
  }

  private long begin(int document) {
    return document == 0 ? 0 : ends[document - 1];
  }

  /** Reads a document to the given places of the arrays; returns where it ends there. */
  int read(int document, int[] ids, byte[] marks, int to) {
    int end = to + (int) (ends[document] - begin(document));
    long from = begin(document) * BYTES_PER_TOKEN;
    try {
      if (written < ends[count - 1] * BYTES_PER_TOKEN) {
        flush();
      }
      ByteBuffer part = buffer.duplicate();
      for (int i = to; i < end; ) {
        int size = Math.min(BUFFER_TOKENS, end - i);
        part.clear().limit(size * BYTES_PER_TOKEN);
        while (part.hasRemaining()) {
          int read = channel.read(part, from);
          if (read < 0) {
            throw new IOException("the temporary file ends at " + from);
          }
          from += read;
        }
        part.flip();
        for (int stop = i + size; i < stop; i++) {
          ids[i] = part.getInt();
          marks[i] = part.get();
        }
      }
      return end;
    } catch (IOException e) {
      throw failure(e);
    }
  }

  /** Forgets all documents. */
  void clear() {
    try {
      channel.truncate(0);
    } catch (IOException e) {
      throw failure(e);
    }
    buffer.clear();
    count = 0;
    written = 0;
  }

  private static UncheckedIOException failure(IOException e) {
    return new UncheckedIOException("cannot keep documents in a temporary file: " + e, e);
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw failure(e);
    }
  }
}
