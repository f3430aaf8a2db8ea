// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/**
 * Writes packed sequences to a file that {@link PackedDataset} reads.
 *
 * <p>Sequences go to a temporary file beside the target as they come. {@link #commit} completes it,
 * forces it to the disk and gives it the target's name, replacing a file that has it. Closing
 * without that leaves nothing behind and the target as it was.
 *
 * <pre>{@code
 * try (PackedDatasetWriter writer = PackedDatasetWriter.create(path, 4096, vocabSize, eod, eod)) {
 *   SequencePacker packer = SequencePacker.builder(4096, eod).build(writer);
 *   …
 *   packer.finish();
 *   writer.commit();
 * }
 * }</pre>
 *
 * <p>Memory: 16 bytes per sequence and a buffer. Not thread-safe. Methods throw {@link
 * UncheckedIOException} when the file cannot be written.
 */
public final class PackedDatasetWriter implements Consumer<PackedTokens>, AutoCloseable {
  private static final int BUFFER_SIZE = 1 << 16;

  private final Path target;
  private final Path temporary;
  private final FileChannel channel;
  private final int sequenceLength;
  private final long vocabSize;
  private final int eodId;
  private final int padId;
  private final Map<String, String> properties = new LinkedHashMap<>();
  private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER_SIZE).order(ByteOrder.LITTLE_ENDIAN);
  private final CRC32C checksum = new CRC32C();
  private long offset = PackedFile.HEADER_SIZE;
  private long[] index = new long[32];
  private int sequences;
  private boolean isOpen = true;

  private PackedDatasetWriter(
      Path target, Path temporary, int sequenceLength, long vocabSize, int eodId, int padId)
      throws IOException {
    this.target = target;
    this.temporary = temporary;
    this.sequenceLength = sequenceLength;
    this.vocabSize = vocabSize;
    this.eodId = eodId;
    this.padId = padId;
    channel = FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    channel.position(PackedFile.HEADER_SIZE);
  }

  /**
   * Starts a file.
   *
   * @param target its name once it is complete; its directory exists
   * @param sequenceLength rows of each sequence
   * @param vocabSize tokens of the vocabulary; ids are 0 … vocabSize − 1
   * @param eodId the id that ends a document
   * @param padId the id in padding rows
   * @return a writer
   * @throws IllegalArgumentException if the length is not possible or an id is outside the
   *     vocabulary
   */
  public static PackedDatasetWriter create(
      Path target, int sequenceLength, long vocabSize, int eodId, int padId) {
    PackedSequence.checkLength(sequenceLength);
    TokenScan.checkEod(eodId, vocabSize);
    SequencePacker.checkPadding(padId, vocabSize);
    Path whole = target.toAbsolutePath();
    Path temporary =
        whole.resolveSibling("." + whole.getFileName() + "." + UUID.randomUUID() + ".tmp");
    try {
      return new PackedDatasetWriter(whole, temporary, sequenceLength, vocabSize, eodId, padId);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot create " + temporary + ": " + e, e);
    }
  }

  /**
   * Notes something about the data, such as its tokenizer. It is part of the file's checksum, so
   * that the same data gives the same file only if it says nothing that changes, like a time.
   *
   * @param key any text; a second value replaces the first
   * @param value any text
   * @return this
   */
  public PackedDatasetWriter property(String key, String value) {
    requireOpen();
    properties.put(Objects.requireNonNull(key, "key"), Objects.requireNonNull(value, "value"));
    return this;
  }

  /**
   * Writes a sequence.
   *
   * @param packed tokens, targets and documents, which become its samples
   * @throws IllegalArgumentException if its length is another or a token, in padding too, is
   *     outside the vocabulary; nothing is written then
   */
  @Override
  public void accept(PackedTokens packed) {
    requireOpen();
    PackedSequence sequence = packed.sequence();
    if (sequence.length() != sequenceLength) {
      throw new IllegalArgumentException(
          "a sequence of "
              + sequence.length()
              + " rows in a file of sequences of "
              + sequenceLength);
    }
    PackedSequence.fromEod(packed.segment(), TokenType.INT32, sequenceLength, eodId, vocabSize);
    if (index.length < 2 * sequences + 2) {
      index = Arrays.copyOf(index, 2 * index.length);
    }
    index[2 * sequences] = offset;
    index[2 * sequences + 1] = sequence.documentCount() | sequence.validLength() << 32;
    sequences++;
    try {
      putInts(packed.segment());
      align();
      MemorySegment targets = packed.targetSegment();
      for (long at = 0; at < targets.byteSize(); at += BUFFER_SIZE) {
        flush();
        int size = (int) Math.min(BUFFER_SIZE, targets.byteSize() - at);
        MemorySegment.copy(
            targets,
            ValueLayout.JAVA_BYTE,
            at,
            MemorySegment.ofBuffer(buffer),
            ValueLayout.JAVA_BYTE,
            0,
            size);
        buffer.position(size);
      }
      align();
      for (int i = 0; i < sequence.documentCount(); i++) {
        room(4).putInt((int) sequence.documentEnd(i));
      }
      align();
    } catch (IOException e) {
      throw failure(e);
    }
  }

  private void putInts(MemorySegment ints) throws IOException {
    for (long at = 0; at < ints.byteSize(); at += BUFFER_SIZE) {
      flush();
      int size = (int) Math.min(BUFFER_SIZE, ints.byteSize() - at);
      MemorySegment.copy(
          ints,
          ValueLayout.JAVA_INT_UNALIGNED,
          at,
          MemorySegment.ofBuffer(buffer),
          PackedFile.INT,
          0,
          size / 4);
      buffer.position(size);
    }
  }

  /**
   * Completes the file and gives it its name. Only closing is possible then.
   *
   * @return the file
   */
  public Path commit() {
    requireOpen();
    try {
      flush();
      long indexOffset = offset;
      for (int i = 0; i < 2 * sequences; i++) {
        room(8).putLong(index[i]);
      }
      align();
      long propertiesOffset = offset;
      room(4).putInt(2 * properties.size());
      for (Map.Entry<String, String> property : properties.entrySet()) {
        putText(property.getKey());
        putText(property.getValue());
      }
      flush();
      PackedFile file =
          new PackedFile(
              offset,
              sequenceLength,
              sequences,
              vocabSize,
              eodId,
              padId,
              indexOffset,
              propertiesOffset,
              (int) checksum.getValue());
      byte[] header = new byte[PackedFile.HEADER_SIZE];
      file.write(MemorySegment.ofArray(header));
      ByteBuffer bytes = ByteBuffer.wrap(header);
      while (bytes.hasRemaining()) {
        channel.write(bytes, bytes.position());
      }
      channel.force(true);
      channel.close();
      Files.move(
          temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      isOpen = false;
      try (FileChannel directory = FileChannel.open(target.getParent())) {
        // The new name, too, is on the disk only then.
        directory.force(true);
      }
      return target;
    } catch (IOException e) {
      throw failure(e);
    }
  }

  private void putText(String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    room(4).putInt(bytes.length);
    for (int at = 0; at < bytes.length; at += BUFFER_SIZE) {
      int size = Math.min(BUFFER_SIZE, bytes.length - at);
      room(size).put(bytes, at, size);
    }
  }

  private ByteBuffer room(int bytes) throws IOException {
    if (buffer.remaining() < bytes) {
      flush();
    }
    return buffer;
  }

  private void align() throws IOException {
    flush();
    buffer.put(new byte[(int) (PackedFile.align(offset) - offset)]);
    flush();
  }

  private void flush() throws IOException {
    buffer.flip();
    checksum.update(buffer.duplicate());
    while (buffer.hasRemaining()) {
      offset += channel.write(buffer);
    }
    buffer.clear();
  }

  private UncheckedIOException failure(IOException e) {
    close();
    return new UncheckedIOException("cannot write " + target + ": " + e, e);
  }

  private void requireOpen() {
    if (!isOpen) {
      throw new IllegalStateException("the writer of " + target + " is closed");
    }
  }

  /** Deletes what was written, unless it was committed. Idempotent. */
  @Override
  public void close() {
    if (!isOpen) {
      return;
    }
    isOpen = false;
    try {
      channel.close();
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot delete " + temporary + ": " + e, e);
    }
  }
}
