// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.bandwidth;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.cann4j.samples.cli.BadInputException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

class CollectiveTest {
  @Test
  void factorsAreThoseOfNcclTests() {
    assertEquals(1, Collective.SENDRECV.busFactor(8));
    assertEquals(7.0 / 8, Collective.ALLTOALL.busFactor(8));
    assertEquals(7.0 / 8, Collective.ALLGATHER.busFactor(8));
    assertEquals(14.0 / 8, Collective.ALLREDUCE.busFactor(8));
  }

  @Test
  void bandwidthIsSizeOverTime() {
    Measurement m = new Measurement(Collective.ALLREDUCE, 4, 8_000_000, 2_000_000, 1000, 0);
    assertEquals(8, m.algorithmBandwidth(), 1e-12);
    assertEquals(12, m.busBandwidth(), 1e-12);
  }

  @Test
  void expectedResultsFollowFromTheInputs() {
    // Three ranks, two elements per block.
    assertEquals(Collective.input(2, 5), Collective.SENDRECV.expected(0, 3, 5, 6));
    assertEquals(Collective.input(1, 5), Collective.ALLTOALL.expected(2, 3, 3, 2));
    assertEquals(Collective.input(2, 1), Collective.ALLGATHER.expected(0, 3, 5, 2));
    assertEquals(
        Collective.input(0, 4) + Collective.input(1, 4) + Collective.input(2, 4),
        Collective.ALLREDUCE.expected(1, 3, 4, 6));
  }

  @Test
  void sizesHaveSuffixesAndSteps() {
    assertEquals(8, SizeSweep.parse("-b", "8"));
    assertEquals(64 << 10, SizeSweep.parse("-b", "64k"));
    assertEquals(4 << 20, SizeSweep.parse("-b", "4MB"));
    assertEquals(1L << 30, SizeSweep.parse("-b", "1G"));
    assertEquals(List.of(1024L, 4096L, 16384L), SizeSweep.of(1024, 20000, 4));
    assertEquals(List.of(Long.MAX_VALUE / 2), SizeSweep.of(Long.MAX_VALUE / 2, Long.MAX_VALUE, 3));
    assertThrows(BadInputException.class, () -> SizeSweep.parse("-b", "999999999999999G"));
    assertThrows(BadInputException.class, () -> SizeSweep.parse("-b", "-8"));
  }

  @Test
  void wrongElementsAreCountedInTheTable() {
    StringWriter text = new StringWriter();
    BandwidthTable table = new BandwidthTable(new PrintWriter(text), false);
    table.heading(Collective.ALLGATHER);
    table.add(new Measurement(Collective.ALLGATHER, 4, 4096, 256, 10, 3));
    table.trailer();
    assertEquals(3, table.wrong());
    assertEquals(
        List.of(
            "        4096          256     float    none    -1      10.0     0.41     0.31       3",
            "# Out of bounds values : 3 FAILED",
            "# Avg bus bandwidth    : 0.3072"),
        text.toString().lines().skip(3).toList());
  }
}
