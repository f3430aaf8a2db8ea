// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/**
 * The layout of a packed data file: what its header says, and where everything is.
 *
 * <p>All integers are little-endian, all parts begin at multiples of 64 bytes, gaps are 0.
 *
 * <pre>
 * 128 bytes    header, see the offsets below
 * per sequence block: token ids (int32 per row), targets (a byte per row), cumulative ends of its
 *              samples (int32 each)
 * index        16 bytes per sequence: where its block begins (int64), samples (int32), valid rows
 *              (int32)
 * properties   number of texts (int32), then each as its UTF-8 size (int32) and bytes: key, value,
 *              key, value, …
 * </pre>
 */
record PackedFile(
    long fileSize,
    long sequenceLength,
    long sequences,
    long vocabSize,
    int eodId,
    int padId,
    long indexOffset,
    long propertiesOffset,
    int dataChecksum) {
  static final int VERSION = 1;
  static final int HEADER_SIZE = 128;
  static final int INDEX_ENTRY = 16;
  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final byte[] MAGIC = "cann4jPK".getBytes(StandardCharsets.US_ASCII);
  private static final int ORDER_MARK = 0x01020304;
  private static final int ORDER_MARK_AT = 8;
  private static final int VERSION_AT = 12;
  private static final int FILE_SIZE_AT = 16;
  private static final int SEQUENCE_LENGTH_AT = 24;
  private static final int SEQUENCES_AT = 32;
  private static final int VOCAB_SIZE_AT = 40;
  private static final int EOD_AT = 48;
  private static final int PAD_AT = 52;
  private static final int INDEX_AT = 56;
  private static final int PROPERTIES_AT = 64;
  private static final int DATA_CHECKSUM_AT = 120;
  private static final int HEADER_CHECKSUM_AT = 124;

  /** The next place where a part may begin. */
  static long align(long offset) {
    return (offset + 63) & -64;
  }

  long targetsInBlock() {
    return align(4 * sequenceLength);
  }

  long endsInBlock() {
    return targetsInBlock() + align(sequenceLength);
  }

  long blockSize(int samples) {
    return endsInBlock() + align(4L * samples);
  }

  /** Writes the header to the start of a segment; returns its checksum. */
  int write(MemorySegment header) {
    header.asSlice(0, HEADER_SIZE).fill((byte) 0);
    MemorySegment.copy(MAGIC, 0, header, ValueLayout.JAVA_BYTE, 0, MAGIC.length);
    header.set(INT, ORDER_MARK_AT, ORDER_MARK);
    header.set(INT, VERSION_AT, VERSION);
    header.set(LONG, FILE_SIZE_AT, fileSize);
    header.set(LONG, SEQUENCE_LENGTH_AT, sequenceLength);
    header.set(LONG, SEQUENCES_AT, sequences);
    header.set(LONG, VOCAB_SIZE_AT, vocabSize);
    header.set(INT, EOD_AT, eodId);
    header.set(INT, PAD_AT, padId);
    header.set(LONG, INDEX_AT, indexOffset);
    header.set(LONG, PROPERTIES_AT, propertiesOffset);
    header.set(INT, DATA_CHECKSUM_AT, dataChecksum);
    int checksum = headerChecksum(header);
    header.set(INT, HEADER_CHECKSUM_AT, checksum);
    return checksum;
  }

  static int headerChecksum(MemorySegment header) {
    CRC32C checksum = new CRC32C();
    checksum.update(header.asSlice(0, HEADER_CHECKSUM_AT).asByteBuffer());
    return (int) checksum.getValue();
  }

  /** Reads the header of a file and refuses one that is not as {@link #write} makes it. */
  static PackedFile read(MemorySegment file) {
    for (int i = 0; i < MAGIC.length; i++) {
      require(
          i < file.byteSize() && file.get(ValueLayout.JAVA_BYTE, i) == MAGIC[i],
          "is no packed data file: it does not begin with \"%s\"",
          new String(MAGIC, StandardCharsets.US_ASCII));
    }
    require(
        file.byteSize() >= HEADER_SIZE,
        "is truncated: it has %d bytes, its header alone %d",
        file.byteSize(),
        HEADER_SIZE);
    int mark = file.get(INT, ORDER_MARK_AT);
    require(
        mark != Integer.reverseBytes(ORDER_MARK),
        "is of the other byte order (mark 0x%08x, not 0x%08x)",
        mark,
        ORDER_MARK);
    require(
        mark == ORDER_MARK, "has the byte order mark 0x%08x instead of 0x%08x", mark, ORDER_MARK);
    int version = file.get(INT, VERSION_AT);
    require(
        version == VERSION,
        "has format version %d; this library reads version %d: prepare the data again",
        version,
        VERSION);
    int stored = file.get(INT, HEADER_CHECKSUM_AT);
    int actual = headerChecksum(file);
    require(
        stored == actual,
        "has a damaged header: its checksum is 0x%08x, that of what it says 0x%08x",
        stored,
        actual);
    PackedFile header =
        new PackedFile(
            file.get(LONG, FILE_SIZE_AT),
            file.get(LONG, SEQUENCE_LENGTH_AT),
            file.get(LONG, SEQUENCES_AT),
            file.get(LONG, VOCAB_SIZE_AT),
            file.get(INT, EOD_AT),
            file.get(INT, PAD_AT),
            file.get(LONG, INDEX_AT),
            file.get(LONG, PROPERTIES_AT),
            file.get(INT, DATA_CHECKSUM_AT));
    header.check(file.byteSize());
    return header;
  }

  private void check(long size) {
    require(size >= fileSize, "is truncated: it has %d bytes, its header says %d", size, fileSize);
    require(size == fileSize, "has %d bytes, more than the %d its header says", size, fileSize);
    require(
        sequenceLength >= 1 && sequenceLength <= PackedSequence.MAX_LENGTH,
        "has sequences of %d rows; 1 to %d are possible",
        sequenceLength,
        PackedSequence.MAX_LENGTH);
    require(
        vocabSize >= 1 && eodId >= 0 && eodId < vocabSize && padId >= 0 && padId < vocabSize,
        "has EOD id %d and padding id %d, which are not both in its vocabulary of %d tokens",
        eodId,
        padId,
        vocabSize);
    require(
        sequences >= 0
            && sequences <= size / INDEX_ENTRY
            && indexOffset >= HEADER_SIZE
            && indexOffset <= size
            && propertiesOffset == align(indexOffset + sequences * INDEX_ENTRY)
            && propertiesOffset <= size - 4,
        "has an index of %d sequences at %d and properties at %d, which does not fit in %d bytes",
        sequences,
        indexOffset,
        propertiesOffset,
        size);
  }

  static void require(boolean condition, String message, Object... values) {
    if (!condition) {
      throw new IllegalArgumentException(message.formatted(values));
    }
  }
}
