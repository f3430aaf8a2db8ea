// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

import static io.github.cann4j.packing.PackedSequenceTest.assertMessage;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackedDatasetTest {
  private static final int EOD = 9;
  private static final int PAD = 8;
  private static final int LENGTH = 70;

  @TempDir private Path directory;

  private static PackedDatasetWriter writer(Path path) {
    return PackedDatasetWriter.create(path, LENGTH, 10, EOD, PAD);
  }

  /** Three sequences: of two samples, of one that fills it, and of one with EOD tokens inside. */
  private Path write(String name) {
    Path path = directory.resolve(name);
    try (PackedDatasetWriter writer = writer(path)) {
      sequences().forEach(writer);
      writer.property("tokenizer", "none").property("note", "größer ≠ 0\n");
      assertEquals(path, writer.commit());
    }
    return path;
  }

  private static List<PackedTokens> sequences() {
    List<PackedTokens> packed = new ArrayList<>();
    SequencePacker packer =
        SequencePacker.builder(LENGTH, EOD).vocabSize(10).padId(PAD).build(packed::add);
    packer.add(new int[] {1, 2, 3, 4}, new boolean[] {false, false, true, true});
    packer.add(new int[] {5, EOD}, new boolean[] {false, true});
    packer.add(new int[LENGTH - 1]);
    packer.add(
        new int[] {1, EOD, 2, 3, EOD, 4, EOD},
        new boolean[] {false, true, false, false, true, false, true});
    packer.finish();
    return packed;
  }

  @Test
  void readsWhatWasWritten() throws IOException {
    Path path = write("a.pack");
    List<PackedTokens> expected = sequences();
    try (PackedDataset data = PackedDataset.open(path)) {
      assertEquals(expected.size(), data.sequences());
      assertEquals(LENGTH, data.sequenceLength());
      assertEquals(10, data.vocabSize());
      assertEquals(EOD, data.eodId());
      assertEquals(PAD, data.padId());
      assertEquals(Files.size(path), data.byteSize());
      assertEquals(Map.of("tokenizer", "none", "note", "größer ≠ 0\n"), data.properties());
      for (int i = 0; i < expected.size(); i++) {
        PackedTokens one = expected.get(i);
        assertArrayEquals(one.tokens(), data.tokens(i).toArray(ValueLayout.JAVA_INT));
        assertArrayEquals(one.targets(), data.targets(i).toArray(ValueLayout.JAVA_BYTE));
        assertEquals(one.sequence(), data.samples(i));
        assertEquals(one.sequence().validLength(), data.validLength(i));
        assertEquals(0, data.tokens(i).address() % 64);
        assertEquals(0, data.targets(i).address() % 64);
        assertTrue(data.tokens(i).isReadOnly());
      }
      assertThrows(IndexOutOfBoundsException.class, () -> data.tokens(expected.size()));
      assertThrows(IndexOutOfBoundsException.class, () -> data.samples(-1));
    }
    assertEquals(List.of(path), files());
  }

  @Test
  void samplesKeepTheEodTokensInsideThem() {
    try (PackedDataset data = PackedDataset.open(write("a.pack"))) {
      assertArrayEquals(new long[] {7}, data.samples(2).actualSeqLen());
      assertArrayEquals(new long[] {2, 5, 7}, data.documents(2).actualSeqLen());
      assertEquals(0, data.samples(2).documentOf(6));
      assertEquals(-1, data.samples(2).documentOf(7));
    }
  }

  @Test
  void weightsAreThoseOfTheNextTokenInTheSameDocument() {
    try (PackedDataset data = PackedDataset.open(write("a.pack"))) {
      // 1 2 3 4 EOD 5 EOD, of which 3, 4 and both EOD are targets.
      assertWeights(data.lossWeights(0, data.samples(0), false), 1, 2, 3, 5);
      assertEquals(
          List.of(2L, 3L, 4L, 9L, -100L, 9L, -100L, -100L),
          Arrays.stream(data.labels(0, data.samples(0))).limit(8).boxed().toList());
      // 1 EOD 2 3 EOD 4 EOD, of which the EOD tokens are targets.
      assertWeights(data.lossWeights(2, data.samples(2), false), 0, 3, 5);
      assertWeights(data.lossWeights(2, data.documents(2), false), 0, 3, 5);
      // Every token is a target, and only the last has none after it.
      PackedSequence whole = data.samples(1).asOneDocument();
      assertEquals(LENGTH - 1, sum(data.lossWeights(1, whole, false)));
      assertEquals(LENGTH - 1, sum(data.lossWeights(1, whole, true)));
      assertMessage(() -> data.lossWeights(2, whole, false), "sequence 2", "7 of them valid");
    }
  }

  @Test
  void eodMaskLossIgnoresWhatFollowsAnEod() {
    Path path = directory.resolve("a.pack");
    try (PackedDatasetWriter writer = writer(path)) {
      SequencePacker packer = SequencePacker.builder(LENGTH, EOD).padId(PAD).build(writer);
      packer.add(new int[] {1, 2});
      packer.add(new int[] {3});
      packer.finish();
      writer.commit();
    }
    try (PackedDataset data = PackedDataset.open(path)) {
      PackedSequence whole = data.samples(0).asOneDocument();
      assertWeights(data.lossWeights(0, whole, false), 0, 1, 2, 3);
      assertWeights(data.lossWeights(0, whole, true), 0, 1, 3);
      assertWeights(data.lossWeights(0, data.samples(0), true), 0, 1, 3);
    }
  }

  private static void assertWeights(float[] weights, int... rows) {
    float[] expected = new float[LENGTH];
    for (int row : rows) {
      expected[row] = 1;
    }
    assertArrayEquals(expected, weights);
  }

  private static double sum(float[] weights) {
    double sum = 0;
    for (float weight : weights) {
      sum += weight;
    }
    return sum;
  }

  @Test
  void theSameDataHasTheSameChecksum() {
    long checksum;
    try (PackedDataset data = PackedDataset.open(write("a.pack"))) {
      checksum = data.checksum();
    }
    try (PackedDataset data = PackedDataset.open(write("b.pack"))) {
      assertEquals(checksum, data.checksum());
    }
    Path other = directory.resolve("c.pack");
    try (PackedDatasetWriter writer = writer(other)) {
      sequences().forEach(writer);
      writer.commit();
    }
    try (PackedDataset data = PackedDataset.open(other)) {
      assertNotEquals(checksum, data.checksum());
    }
  }

  @Test
  void threadsReadTogether() {
    List<PackedTokens> expected = sequences();
    try (PackedDataset data = PackedDataset.open(write("a.pack"))) {
      IntStream.range(0, 300)
          .parallel()
          .map(i -> i % expected.size())
          .forEach(
              i -> {
                assertEquals(expected.get(i).sequence(), data.samples(i));
                assertArrayEquals(
                    expected.get(i).tokens(), data.tokens(i).toArray(ValueLayout.JAVA_INT));
              });
    }
  }

  @Test
  void nothingWorksAfterClose() {
    PackedDataset data = PackedDataset.open(write("a.pack"));
    MemorySegment tokens = data.tokens(0);
    data.close();
    data.close();
    assertThrows(IllegalStateException.class, () -> data.tokens(0));
    assertThrows(IllegalStateException.class, data::sequences);
    assertThrows(IllegalStateException.class, data::checksum);
    assertThrows(IllegalStateException.class, () -> tokens.get(ValueLayout.JAVA_INT, 0));
  }

  @Test
  void anAbortedWriterLeavesNothing() throws IOException {
    Path path = write("a.pack");
    byte[] before = Files.readAllBytes(path);
    PackedDatasetWriter writer = writer(path);
    sequences().forEach(writer);
    assertEquals(2, files().size());
    writer.close();
    writer.close();
    assertEquals(List.of(path), files());
    assertArrayEquals(before, Files.readAllBytes(path));
    assertThrows(IllegalStateException.class, () -> writer.accept(sequences().getFirst()));
    assertThrows(IllegalStateException.class, writer::commit);
    assertThrows(
        UncheckedIOException.class, () -> writer(directory.resolve("missing").resolve("a.pack")));
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.toList();
    }
  }

  @Test
  void theWriterRefusesWhatDoesNotFit() {
    Path path = directory.resolve("a.pack");
    assertMessage(() -> PackedDatasetWriter.create(path, 0, 10, 9, 9), "not 0");
    assertMessage(() -> PackedDatasetWriter.create(path, 4, 10, 10, 9), "EOD id 10");
    assertMessage(() -> PackedDatasetWriter.create(path, 4, 10, 9, -1), "padding id -1");
    try (PackedDatasetWriter writer = writer(path)) {
      PackedSequence sequence = PackedSequence.ofLengths(LENGTH);
      int[] tokens = new int[LENGTH];
      tokens[7] = 10;
      assertMessage(() -> writer.accept(PackedTokens.of(sequence, tokens)), "token 10 in row 7");
      assertMessage(
          () -> writer.accept(PackedTokens.of(PackedSequence.ofLengths(3), new int[3])),
          "3 rows",
          "of 70");
    }
    PackedSequence padded = PackedSequence.ofLengths(new long[] {2}, 3);
    assertMessage(
        () -> PackedTokens.of(padded, new int[3], new byte[] {0, 2, 0}), "target 2 in row 1");
    assertMessage(
        () -> PackedTokens.of(padded, new int[3], new byte[] {0, 1, 1}), "row 2, which is padding");
    assertMessage(() -> PackedTokens.of(padded, new int[3], new byte[2]), "2 targets", "3 rows");
  }

  @Test
  void everyChangedByteIsNoticed() throws IOException {
    Path path = write("a.pack");
    byte[] good = Files.readAllBytes(path);
    byte[] bad = good.clone();
    for (int at = 0; at < good.length; at++) {
      bad[at] ^= (byte) (1 << at % 8);
      Files.write(path, bad);
      assertThrows(IllegalArgumentException.class, () -> PackedDataset.open(path), "byte " + at);
      bad[at] = good[at];
    }
  }

  @Test
  void saysWhatIsWrongWithAFile() throws IOException {
    Path path = write("a.pack");
    byte[] good = Files.readAllBytes(path);
    Files.write(path, new byte[0]);
    assertRefused(path, "a.pack is no packed data file");
    Files.writeString(path, "{\"text\": \"something else\"}");
    assertRefused(path, "is no packed data file");
    Files.write(path, Arrays.copyOf(good, 100));
    assertRefused(path, "truncated", "100 bytes", "128");
    for (int size : new int[] {128, good.length / 2, good.length - 1}) {
      Files.write(path, Arrays.copyOf(good, size));
      assertRefused(path, "truncated", size + " bytes", "says " + good.length);
    }
    Files.write(path, Arrays.copyOf(good, good.length + 5));
    assertRefused(path, good.length + 5 + " bytes", "more than the " + good.length);
    change(path, good, bytes -> bytes.putInt(12, 2));
    assertRefused(path, "format version 2", "reads version 1");
    change(path, good, bytes -> bytes.order(ByteOrder.BIG_ENDIAN).putInt(8, 0x01020304));
    assertRefused(path, "other byte order");
    change(path, good, bytes -> bytes.putLong(24, 71));
    assertRefused(path, "damaged header", "checksum");
    change(path, good, bytes -> bytes.putInt(128, 7));
    assertRefused(path, "is damaged", "checksum");
    assertMessage(() -> PackedDataset.open(path), path.toString());
    assertThrows(
        UncheckedIOException.class, () -> PackedDataset.open(directory.resolve("missing")));
  }

  private static void change(Path path, byte[] good, Consumer<ByteBuffer> change)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(good.clone()).order(ByteOrder.LITTLE_ENDIAN);
    change.accept(bytes);
    Files.write(path, bytes.array());
  }

  private static void assertRefused(Path path, String... words) {
    assertMessage(() -> PackedDataset.open(path), words);
    // What the header and the size tell is noticed without reading the data.
    if (!words[0].equals("is damaged")) {
      assertMessage(() -> PackedDataset.openUnverified(path), words);
    }
  }

  /** As a writer with a defect would do it: all checksums are right. */
  @Test
  void refusesImpossibleContentWhoseChecksumIsRight() throws IOException {
    Path path = write("a.pack");
    byte[] good = Files.readAllBytes(path);
    int targets = 128 + (int) PackedFile.align(4 * LENGTH);
    int ends = targets + (int) PackedFile.align(LENGTH);
    int second = ends + 64;
    int index = (int) ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).getLong(56);
    resealed(path, good, bytes -> bytes.putInt(128 + 4 * 3, 10));
    assertRefusedWhole(path, "sequence 0", "token 10 in row 3", "10 tokens");
    resealed(path, good, bytes -> bytes.putInt(second + 4 * 5, -1));
    assertRefusedWhole(path, "sequence 1", "token -1 in row 5");
    resealed(path, good, bytes -> bytes.put(targets + 1, (byte) 2));
    assertRefusedWhole(path, "sequence 0", "target 2 in row 1");
    resealed(path, good, bytes -> bytes.put(targets + 7, (byte) 1));
    assertRefusedWhole(path, "sequence 0", "target 1 in row 7", "padding");
    resealed(path, good, bytes -> bytes.putInt(ends, 7));
    assertRefusedWhole(path, "sequence 0", "actual_seq_len[1] = 7");
    resealed(path, good, bytes -> bytes.putInt(ends + 4, 8));
    assertRefusedWhole(path, "sequence 0", "end in row 8", "7 rows");
    resealed(path, good, bytes -> bytes.putLong(index + 16, second + 64));
    assertRefusedWhole(path, "index", "sequence 1", "instead of " + second);
    resealed(path, good, bytes -> bytes.putInt(index + 12, 71));
    assertRefusedWhole(path, "index", "71 of them valid");
    resealed(path, good, bytes -> bytes.putInt(index + 8, 50));
    assertRefusedWhole(path, "index", "50 samples");
    resealed(path, good, bytes -> bytes.putInt(index + 64, 0));
    assertRefusedWhole(path, "properties");
  }

  private static void assertRefusedWhole(Path path, String... words) {
    assertMessage(() -> PackedDataset.open(path), words);
  }

  private static void resealed(Path path, byte[] good, Consumer<ByteBuffer> change)
      throws IOException {
    change(
        path,
        good,
        bytes -> {
          change.accept(bytes);
          CRC32C data = new CRC32C();
          data.update(bytes.array(), 128, bytes.capacity() - 128);
          bytes.putInt(120, (int) data.getValue());
          bytes.putInt(124, PackedFile.headerChecksum(MemorySegment.ofArray(bytes.array())));
        });
  }

  /** A file with holes, so that its 5 GiB are on no disk. */
  @Test
  void sequencesMayBeginBeyondWhatAnIntCounts() throws IOException {
    Path path = directory.resolve("large.pack");
    long length = 1L << 29;
    PackedFile shape = new PackedFile(0, length, 2, 10, EOD, PAD, 0, 0, 0);
    long second = 128 + shape.blockSize(0);
    long index = second + shape.blockSize(1);
    PackedFile file = new PackedFile(index + 64 + 4, length, 2, 10, EOD, PAD, index, index + 64, 0);
    ByteBuffer bytes = ByteBuffer.allocate(128).order(ByteOrder.LITTLE_ENDIAN);
    try (FileChannel channel =
        FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      file.write(MemorySegment.ofBuffer(bytes));
      channel.write(bytes, 0);
      ByteBuffer last = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(0, 7);
      channel.write(last, second + 4 * (length - 1));
      channel.write(ByteBuffer.wrap(new byte[] {1}), second + shape.targetsInBlock() + length - 1);
      last.putInt(0, (int) length).rewind();
      channel.write(last, second + shape.endsInBlock());
      Arrays.fill(bytes.array(), (byte) 0);
      bytes.clear().putLong(0, 128).putLong(8, 0).putLong(16, second).putLong(24, length << 32 | 1);
      channel.write(bytes.limit(68), index);
    }
    try (PackedDataset data = PackedDataset.openUnverified(path)) {
      assertEquals(index + 68, data.byteSize());
      assertEquals(0, data.samples(0).documentCount());
      assertEquals(4 * length, data.tokens(1).byteSize());
      assertEquals(7, data.tokens(1).getAtIndex(ValueLayout.JAVA_INT, length - 1));
      assertEquals(1, data.targets(1).get(ValueLayout.JAVA_BYTE, length - 1));
      assertEquals(PackedSequence.ofLengths(length), data.samples(1));
    }
  }
}
