// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.model.DecoderConfig;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PretrainedModelTest {
  private static final String SHAPE =
      """
      {"model_type": "llama", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
       "intermediate_size": 16, "vocab_size": 32, "rope_theta": 5e5, "rope_scaling": null}
      """;

  @TempDir private Path directory;

  private PretrainedModel open(String shape) throws Exception {
    Files.writeString(directory.resolve("config.json"), shape);
    return PretrainedModel.open(directory);
  }

  /** A file of one array of four elements, {@code width} bytes each. */
  private void write(String file, String name, String type, int width, long... bits)
      throws Exception {
    byte[] header =
        "{\"%s\":{\"dtype\":\"%s\",\"shape\":[2,2],\"data_offsets\":[0,%d]}}"
            .formatted(name, type, 4 * width)
            .getBytes(StandardCharsets.UTF_8);
    ByteBuffer buffer =
        ByteBuffer.allocate(8 + header.length + 4 * width).order(ByteOrder.LITTLE_ENDIAN);
    buffer.putLong(header.length).put(header);
    for (long element : bits) {
      if (width == 4) {
        buffer.putInt((int) element);
      } else {
        buffer.putShort((short) element);
      }
    }
    Files.write(directory.resolve(file), buffer.array());
  }

  @Test
  void readsTheShape() throws Exception {
    DecoderConfig config = open(SHAPE).config();
    assertEquals(2, config.kvHeads());
    assertEquals(4, config.headDim());
    assertEquals(5e5, config.ropeTheta());
    assertEquals(32, config.vocabulary());
    assertTrue(!config.tiedHead() && !config.qkvBias());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "rope_scaling": null | "rope_scaling": {"factor": 8} | rope_scaling
          "llama"              | "mamba"                       | mamba
          "hidden_size": 8     | "hidden_size": "eight"        | hidden_size
          """)
  void refusesWhatTheDecoderDoesNotCompute(String is, String becomes, String word) {
    BadInputException e =
        assertThrows(BadInputException.class, () -> open(SHAPE.replace(is, becomes)));
    assertTrue(e.getMessage().contains(word), e::getMessage);
  }

  @Test
  void readsEveryPrecisionFromFilesOfAnIndex() throws Exception {
    PretrainedModel model = open(SHAPE);
    write("a.safetensors", "single", "F32", 4, 0x3f800000, 0xc0000000, 0, 0x3e800000);
    write("b.safetensors", "brain", "BF16", 2, 0x3f80, 0xc000, 0, 0x3e80);
    write("c.safetensors", "half", "F16", 2, 0x3c00, 0xc000, 0, 0x3400);
    Files.writeString(
        directory.resolve("model.safetensors.index.json"),
        """
        {"weight_map": {"single": "a.safetensors", "brain": "b.safetensors", "half": "c.safetensors"}}
        """);
    try (NDManager manager = NDManager.newBaseManager(ai.djl.Device.cpu(), "PyTorch")) {
      NDArray[] arrays = new NDArray[3];
      for (int i = 0; i < 3; i++) {
        arrays[i] = manager.zeros(new Shape(2, 2));
      }
      model.read(Map.of("single", arrays[0], "brain", arrays[1], "half", arrays[2]));
      for (NDArray array : arrays) {
        assertArrayEquals(new float[] {1, -2, 0, 0.25f}, array.toFloatArray());
      }
      BadInputException missing =
          assertThrows(BadInputException.class, () -> model.read(Map.of("other", arrays[0])));
      assertTrue(missing.getMessage().contains("other"), missing::getMessage);
      NDArray wide = manager.zeros(new Shape(4, 1));
      BadInputException shape =
          assertThrows(BadInputException.class, () -> model.read(Map.of("single", wide)));
      assertTrue(shape.getMessage().contains("[2,2]"), shape::getMessage);
    }
  }
}
