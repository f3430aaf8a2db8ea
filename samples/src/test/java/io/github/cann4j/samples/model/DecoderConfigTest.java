// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class DecoderConfigTest {
  /** The published counts of the models whose shapes these are. */
  @Test
  void presetsHaveTheParametersOfTheirModels() {
    assertEquals(494_032_768L, DecoderConfig.preset("0.5b", 151_936).parameters());
    assertEquals(1_235_814_400L, DecoderConfig.preset("1b", 128_256).parameters());
    assertEquals(6_738_415_616L, DecoderConfig.preset("7b", 32_000).parameters());
  }

  @Test
  void weightsAreAsManyAsCounted() {
    for (boolean tied : new boolean[] {true, false}) {
      DecoderConfig config =
          new DecoderConfig("test", 3, 24, 4, 2, 8, 40, 50, 1e4, 1e-5, tied, !tied);
      try (NDManager manager = NDManager.newBaseManager();
          Decoder decoder = new Decoder(config, manager, 1);
          Decoder same = new Decoder(config, manager, 1)) {
        long elements = decoder.weights().values().stream().mapToLong(NDArray::size).sum();
        assertEquals(config.parameters(), elements);
        decoder
            .weights()
            .forEach(
                (name, weight) ->
                    assertEquals(
                        Arrays.hashCode(weight.toFloatArray()),
                        Arrays.hashCode(same.weights().get(name).toFloatArray()),
                        name));
      }
    }
  }

  @Test
  void operationsAreThoseOfItsMatrices() {
    DecoderConfig config = new DecoderConfig("test", 2, 3, 2, 1, 4, 5, 7, 1e4, 1e-5, true, false);
    // q 3x8, k and v 3x4, o 8x3, gate, up and down 3x5
    int perRow = 2 * (24 + 24 + 24 + 45);
    assertEquals(3 * 2.0 * (10 * perRow + 6 * 3 * 7), config.linearFlops(10, 6));
    // forward q·k and p·v, backward five such products, of 2 operations per element
    assertEquals(7 * 2.0 * 4 * 2 * 2 * 100, config.attentionFlops(100));
  }
}
