// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.bandwidth;

import io.github.cann4j.samples.cli.TextTable;
import java.io.PrintWriter;
import java.util.Locale;

/** Writes measurements, line by line, as nccl-tests or as Ascend's hccl_test do. */
public final class BandwidthTable {

  private final PrintWriter out;
  private final boolean hccl;
  private long wrong;
  private double busBandwidth;
  private int lines;

  /**
   * A table.
   *
   * @param hccl whether it looks like that of hccl_test
   */
  public BandwidthTable(PrintWriter out, boolean hccl) {
    this.out = out;
    this.hccl = hccl;
  }

  /** Starts the part of one collective. */
  public void heading(Collective collective) {
    if (hccl) {
      out.printf("%s%n", collective.option());
      out.println("data_size(Bytes): | aveg_time(us): | alg_bandwidth(GB/s): | check_result:");
    } else {
      out.printf("# %s, out of place%n", collective.option());
      print("#", "size", "count", "type", "redop", "root", "time", "algbw", "busbw", "#wrong");
      print("#", "(B)", "(elements)", "", "", "", "(us)", "(GB/s)", "(GB/s)", "");
    }
    out.flush();
  }

  /** Adds one line. */
  public void add(Measurement m) {
    if (hccl) {
      out.printf(
          Locale.ROOT,
          "%-18d | %14.2f | %20.5f | %s%n",
          m.bytes(),
          m.micros(),
          m.algorithmBandwidth(),
          m.wrong() == 0 ? "success" : "failed");
    } else {
      print(
          "",
          Long.toString(m.bytes()),
          Long.toString(m.count()),
          "float",
          m.collective().reduction(),
          "-1",
          TextTable.cell("%.1f", m.micros()),
          TextTable.cell("%.2f", m.algorithmBandwidth()),
          TextTable.cell("%.2f", m.busBandwidth()),
          Long.toString(m.wrong()));
    }
    out.flush();
    wrong += m.wrong();
    busBandwidth += m.busBandwidth();
    lines++;
  }

  private void print(String mark, String... cells) {
    out.println(
        String.format(
                "%1s%11s %12s %9s %7s %5s %9s %8s %8s %7s",
                mark, cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6],
                cells[7], cells[8])
            .stripTrailing());
  }

  /** Ends the table of all collectives. */
  public void trailer() {
    if (!hccl) {
      out.printf("# Out of bounds values : %d %s%n", wrong, wrong == 0 ? "OK" : "FAILED");
      out.printf(
          Locale.ROOT, "# Avg bus bandwidth    : %.4f%n", lines == 0 ? 0 : busBandwidth / lines);
      out.flush();
    }
  }

  /** Elements with a wrong value so far. */
  public long wrong() {
    return wrong;
  }
}
