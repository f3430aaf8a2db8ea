// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DataOrderTest {
  private static int[] epoch(DataOrder order, int epoch) {
    return IntStream.range(20 * epoch, 20 * epoch + 20).map(order::at).toArray();
  }

  @Test
  void eachEpochHasAllSequencesInAnotherOrder() {
    DataOrder order = new DataOrder(20, 7);
    int[] first = epoch(order, 0);
    int[] second = epoch(order, 1);
    int[] all = IntStream.range(0, 20).toArray();
    assertArrayEquals(all, Arrays.stream(first).sorted().toArray());
    assertArrayEquals(all, Arrays.stream(second).sorted().toArray());
    assertFalse(Arrays.equals(first, second));
    assertFalse(Arrays.equals(all, first));
    assertEquals(1, order.epoch(39));
    assertEquals(2, order.epoch(40));
  }

  @Test
  void orderDependsOnSeedAndPositionAlone() {
    DataOrder order = new DataOrder(20, 7);
    int[] second = epoch(order, 1);
    epoch(order, 5);
    assertArrayEquals(second, epoch(order, 1));
    assertArrayEquals(second, epoch(new DataOrder(20, 7), 1));
    assertFalse(Arrays.equals(second, epoch(new DataOrder(20, 8), 1)));
  }
}
