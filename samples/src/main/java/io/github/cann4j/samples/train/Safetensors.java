// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.cann4j.samples.cli.BadInputException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** Named arrays in the safetensors format, which other tools read and write too. */
final class Safetensors {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final ValueLayout.OfLong LENGTH =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final List<String> TYPES = List.of("F32", "BF16", "F16");
  private static final long PIECE = 1L << 26;

  private Safetensors() {}

  static void write(Path file, SequencedMap<String, NDArray> arrays) throws IOException {
    ObjectNode header = JSON.createObjectNode();
    header.putObject("__metadata__").put("format", "pt");
    long offset = 0;
    for (Map.Entry<String, NDArray> entry : arrays.entrySet()) {
      NDArray array = entry.getValue();
      long end = offset + array.size() * Float.BYTES;
      ObjectNode tensor = header.putObject(entry.getKey()).put("dtype", "F32");
      for (long size : array.getShape().getShape()) {
        tensor.withArray("shape").add(size);
      }
      tensor.putArray("data_offsets").add(offset).add(end);
      offset = end;
    }
    byte[] text = JSON.writeValueAsBytes(header);
    // Spaces, so that the elements begin at a multiple of their size.
    int padded = Math.ceilDiv(text.length, 8) * 8;
    ByteBuffer head = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    head.putLong(padded).put(text);
    while (head.hasRemaining()) {
      head.put((byte) ' ');
    }
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      writeFully(channel, head.flip());
      for (NDArray array : arrays.values()) {
        MemorySegment elements = HostMemory.of(array);
        for (long done = 0; done < elements.byteSize(); done += PIECE) {
          long bytes = Math.min(PIECE, elements.byteSize() - done);
          writeFully(channel, elements.asSlice(done, bytes).asByteBuffer());
        }
      }
      channel.force(true);
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  /**
   * Fills arrays from a file that has these, in single or half precision, and maybe others.
   *
   * @throws BadInputException if it has not, or is no such file
   */
  static void read(Path file, Map<String, NDArray> arrays) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        Arena arena = Arena.ofConfined()) {
      MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      long length = all.byteSize() < 8 ? -1 : all.get(LENGTH, 0);
      if (length < 2 || length > Math.min(all.byteSize() - 8, Integer.MAX_VALUE)) {
        throw new BadInputException(file + " is no safetensors file, or is damaged");
      }
      byte[] text = all.asSlice(8, length).toArray(ValueLayout.JAVA_BYTE);
      JsonNode header = JSON.readTree(new String(text, StandardCharsets.UTF_8));
      MemorySegment elements = all.asSlice(8 + length);
      for (Map.Entry<String, NDArray> entry : arrays.entrySet()) {
        copy(file, entry.getKey(), header.path(entry.getKey()), elements, entry.getValue());
      }
    }
  }

  private static void copy(
      Path file, String name, JsonNode tensor, MemorySegment elements, NDArray array) {
    MemorySegment to = HostMemory.of(array);
    String type = tensor.path("dtype").asText("nothing");
    String shape = tensor.path("shape").toString();
    String expected = JSON.valueToTree(array.getShape().getShape()).toString();
    int width = type.equals("F32") ? Float.BYTES : Short.BYTES;
    if (!TYPES.contains(type) || !shape.equals(expected)) {
      throw new BadInputException(
          "%s has %s as %s %s, not as %s %s"
              .formatted(file, name, type, shape, String.join(", ", TYPES), expected));
    }
    long begin = tensor.path("data_offsets").path(0).asLong(-1);
    long end = tensor.path("data_offsets").path(1).asLong(-1);
    if (begin < 0 || end - begin != array.size() * width || end > elements.byteSize()) {
      throw new BadInputException(
          "%s is damaged: the elements of %s are not all there".formatted(file, name));
    }
    MemorySegment from = elements.asSlice(begin, end - begin);
    switch (type) {
      case "F32" -> to.copyFrom(from);
      case "BF16" -> {
        for (long i = 0; i < array.size(); i++) {
          float value = Float.intBitsToFloat(from.getAtIndex(HALF, i) << Short.SIZE);
          to.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
        }
      }
      default -> {
        for (long i = 0; i < array.size(); i++) {
          float value = Float.float16ToFloat(from.getAtIndex(HALF, i));
          to.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
        }
      }
    }
  }
}
