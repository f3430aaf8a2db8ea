// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.zip.CRC32C;

/**
 * A file of packed sequences, mapped to memory: token ids, which of them are targets, and where the
 * samples of each sequence end. Nothing is parsed or copied when training reads it.
 *
 * <p>A {@link PackedDatasetWriter} makes it. A file that is foreign, of another version or byte
 * order, truncated or damaged is refused with the reason.
 *
 * <p>Thread-safe. After {@link #close} every method but that throws {@link IllegalStateException},
 * and so does reading a segment got before.
 */
public final class PackedDataset implements AutoCloseable {
  // What a byte buffer can be made of.
  private static final long CHECKSUM_PART = 1L << 30;

  private final Path path;
  private final Arena arena;
  private final MemorySegment file;
  private final PackedFile header;
  private final long checksum;
  private final Map<String, String> properties;

  private PackedDataset(Path path, Arena arena, MemorySegment file) {
    this.path = path;
    this.arena = arena;
    this.file = file;
    header = PackedFile.read(file);
    checksum = (long) header.dataChecksum() << 32 | PackedFile.headerChecksum(file) & 0xFFFFFFFFL;
    checkIndex();
    properties = readProperties();
  }

  /**
   * Opens a file and checks all of it: its checksum, and that tokens, targets and samples are
   * possible. This reads the file once.
   *
   * @param path a file that {@link PackedDatasetWriter} wrote
   * @return the data, to be closed
   * @throws IllegalArgumentException if the file is not as the writer left it, or of another
   *     version; the message says why
   * @throws UncheckedIOException if it cannot be read
   */
  public static PackedDataset open(Path path) {
    return open(path, true);
  }

  /**
   * As {@link #open}, but checks only the header and the index, which takes no time even for a file
   * of terabytes. A damaged token is not noticed.
   *
   * @param path a file that {@link PackedDatasetWriter} wrote
   * @return the data, to be closed
   */
  public static PackedDataset openUnverified(Path path) {
    return open(path, false);
  }

  private static PackedDataset open(Path path, boolean verify) {
    if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
      throw new UnsupportedOperationException(
          "packed data files are little-endian, this machine is not; nothing converts them");
    }
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(path)) {
      MemorySegment file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      PackedDataset dataset = new PackedDataset(path, arena, file);
      if (verify) {
        dataset.verify();
      }
      return dataset;
    } catch (IllegalArgumentException e) {
      arena.close();
      throw new IllegalArgumentException(path + " " + e.getMessage(), e);
    } catch (IOException e) {
      arena.close();
      throw new UncheckedIOException("cannot read " + path + ": " + e, e);
    }
  }

  private void checkIndex() {
    long expected = PackedFile.HEADER_SIZE;
    for (long i = 0; i < header.sequences(); i++) {
      long offset = file.get(PackedFile.LONG, entry(i));
      int samples = sampleCount(i);
      long valid = validLengthUnchecked(i);
      PackedFile.require(
          offset == expected
              && samples >= 0
              && samples <= valid
              && (samples > 0 || valid == 0)
              && valid <= header.sequenceLength()
              && header.blockSize(samples) <= header.indexOffset() - offset,
          "has a damaged index: sequence %d of %d rows, %d of them valid, with %d samples at %d"
              + " instead of %d",
          i,
          header.sequenceLength(),
          valid,
          samples,
          offset,
          expected);
      expected += header.blockSize(samples);
    }
    PackedFile.require(
        expected == header.indexOffset(),
        "has its index at %d, but its sequences end at %d",
        header.indexOffset(),
        expected);
  }

  private Map<String, String> readProperties() {
    Map<String, String> found = new LinkedHashMap<>();
    long at = header.propertiesOffset();
    int texts = file.get(PackedFile.INT, at);
    at += 4;
    String key = null;
    for (int i = 0; i < texts; i++) {
      int size = at <= file.byteSize() - 4 ? file.get(PackedFile.INT, at) : -1;
      at += 4;
      PackedFile.require(
          size >= 0 && size <= file.byteSize() - at,
          "has damaged properties: text %d of %d at %d has %d bytes",
          i,
          texts,
          at,
          size);
      byte[] bytes = file.asSlice(at, size).toArray(ValueLayout.JAVA_BYTE);
      at += size;
      String text = new String(bytes, StandardCharsets.UTF_8);
      if (key == null) {
        key = text;
      } else {
        found.put(key, text);
        key = null;
      }
    }
    PackedFile.require(
        texts >= 0 && key == null && at == file.byteSize(),
        "has damaged properties: %d texts that end at %d of %d bytes",
        texts,
        at,
        file.byteSize());
    return Collections.unmodifiableMap(found);
  }

  private void verify() {
    CRC32C actual = new CRC32C();
    for (long at = PackedFile.HEADER_SIZE; at < file.byteSize(); at += CHECKSUM_PART) {
      long size = Math.min(CHECKSUM_PART, file.byteSize() - at);
      actual.update(file.asSlice(at, size).asByteBuffer());
    }
    PackedFile.require(
        header.dataChecksum() == (int) actual.getValue(),
        "is damaged: its checksum is 0x%08x, that of its data 0x%08x",
        header.dataChecksum(),
        (int) actual.getValue());
    for (long i = 0; i < sequences(); i++) {
      try {
        PackedSequence.fromEod(tokens(i), TokenType.INT32, sequenceLength(), eodId(), vocabSize());
        PackedTokens.checkTargets(targets(i), samples(i).validLength());
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("is wrong in sequence " + i + ": " + e.getMessage(), e);
      }
    }
  }

  private long entry(long i) {
    return header.indexOffset() + i * PackedFile.INDEX_ENTRY;
  }

  private int sampleCount(long i) {
    return file.get(PackedFile.INT, entry(i) + 8);
  }

  private int validLengthUnchecked(long i) {
    return file.get(PackedFile.INT, entry(i) + 12);
  }

  private long block(long i) {
    requireOpen();
    Objects.checkIndex(i, header.sequences());
    return file.get(PackedFile.LONG, entry(i));
  }

  private void requireOpen() {
    if (!arena.scope().isAlive()) {
      throw new IllegalStateException("the packed data of " + path + " is closed");
    }
  }

  /** {@return the file} */
  public Path path() {
    return path;
  }

  /** {@return bytes of the file} */
  public long byteSize() {
    requireOpen();
    return file.byteSize();
  }

  /** {@return number of sequences} */
  public long sequences() {
    requireOpen();
    return header.sequences();
  }

  /** {@return rows of each sequence, padding included} */
  public int sequenceLength() {
    requireOpen();
    return (int) header.sequenceLength();
  }

  /** {@return tokens of the vocabulary; ids are 0 … vocabSize − 1} */
  public long vocabSize() {
    requireOpen();
    return header.vocabSize();
  }

  /** {@return the id that ends a document} */
  public int eodId() {
    requireOpen();
    return header.eodId();
  }

  /** {@return the id in padding rows; other rows may have it too} */
  public int padId() {
    requireOpen();
    return header.padId();
  }

  /** {@return what the writer noted about the data, in its order; immutable} */
  public Map<String, String> properties() {
    requireOpen();
    return properties;
  }

  /**
   * A fingerprint of all that the file says. Files with the same have the same content, but for
   * chance.
   *
   * @return the checksums of data (upper half) and header
   */
  public long checksum() {
    requireOpen();
    return checksum;
  }

  /**
   * Token ids of a sequence, padding included.
   *
   * @param i the sequence, from 0
   * @return one {@link TokenType#INT32} per row; a read-only view of the file, aligned to 64 bytes
   * @throws IndexOutOfBoundsException if there is no such sequence
   */
  public MemorySegment tokens(long i) {
    return file.asSlice(block(i), 4 * header.sequenceLength());
  }

  /**
   * Which tokens of a sequence are to be predicted.
   *
   * @param i the sequence, from 0
   * @return one byte per row: 1 if its token is, else 0, and 0 in padding; a read-only view of the
   *     file, aligned to 64 bytes
   * @throws IndexOutOfBoundsException if there is no such sequence
   */
  public MemorySegment targets(long i) {
    return file.asSlice(block(i) + header.targetsInBlock(), header.sequenceLength());
  }

  /**
   * Rows before the padding of a sequence.
   *
   * @param i the sequence, from 0
   * @return their number
   * @throws IndexOutOfBoundsException if there is no such sequence
   */
  public int validLength(long i) {
    block(i);
    return validLengthUnchecked(i);
  }

  /**
   * A sequence with its samples as documents, by the recorded index: EOD tokens inside a sample,
   * like those between the turns of a conversation, end nothing.
   *
   * @param i the sequence, from 0
   * @return the samples; {@link PackedSequence#documentOf} is the sample that a row belongs to
   * @throws IndexOutOfBoundsException if there is no such sequence
   * @throws IllegalArgumentException if the index is damaged
   */
  public PackedSequence samples(long i) {
    long at = block(i) + header.endsInBlock();
    long[] ends = new long[sampleCount(i)];
    for (int s = 0; s < ends.length; s++) {
      ends[s] = file.get(PackedFile.INT, at + 4L * s);
    }
    PackedSequence samples = PackedSequence.ofActualSeqLen(ends, header.sequenceLength());
    PackedFile.require(
        samples.validLength() == validLengthUnchecked(i),
        "samples end in row %d, but %d rows are valid",
        samples.validLength(),
        validLengthUnchecked(i));
    return samples;
  }

  /**
   * A sequence with documents as its EOD tokens end them, see {@link PackedSequence#fromEod}.
   *
   * @param i the sequence, from 0
   * @return the documents
   * @throws IndexOutOfBoundsException if there is no such sequence
   * @throws IllegalArgumentException if a token is outside the vocabulary
   */
  public PackedSequence documents(long i) {
    return PackedSequence.fromEod(
        tokens(i), TokenType.INT32, validLength(i), header.eodId(), header.vocabSize());
  }

  /**
   * Labels of all rows: the next token of the same document, {@link PackedSequence#IGNORE_LABEL} in
   * a document's last row and in padding. {@link #lossWeights} says which of them count.
   *
   * @param i the sequence, from 0
   * @param documents its documents: {@link #samples}, {@link #documents}, or either {@link
   *     PackedSequence#asOneDocument as one}
   * @return a new array
   */
  public long[] labels(long i, PackedSequence documents) {
    requireSame(i, documents);
    return documents.labels(tokens(i), TokenType.INT32);
  }

  /**
   * Loss weights of all rows: 1 if the next row is of the same document and its token a target,
   * else 0.
   *
   * @param i the sequence, from 0
   * @param documents its documents: {@link #samples}, {@link #documents}, or either {@link
   *     PackedSequence#asOneDocument as one}
   * @param eodMaskLoss whether rows whose own token is EOD weigh 0: the token after an EOD is not
   *     learnt then, even if both are of one document
   * @return a new array
   */
  public float[] lossWeights(long i, PackedSequence documents, boolean eodMaskLoss) {
    requireSame(i, documents);
    MemorySegment tokens = tokens(i);
    MemorySegment targets = targets(i);
    float[] weights = documents.lossWeights();
    for (int row = 0; row + 1 < weights.length; row++) {
      if (eodMaskLoss && tokens.get(PackedFile.INT, 4L * row) == header.eodId()) {
        weights[row] = 0;
      }
      weights[row] *= targets.get(ValueLayout.JAVA_BYTE, row + 1L);
    }
    return weights;
  }

  private void requireSame(long i, PackedSequence documents) {
    if (documents.length() != header.sequenceLength()
        || documents.validLength() != validLength(i)) {
      throw new IllegalArgumentException(
          "%s are not the documents of sequence %d, which has %d rows, %d of them valid"
              .formatted(documents, i, header.sequenceLength(), validLength(i)));
    }
  }

  /** Unmaps the file. Idempotent. */
  @Override
  public synchronized void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }

  @Override
  public String toString() {
    return "PackedDataset[" + path + ", " + header + "]";
  }
}
