// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A table for people: the first column is words, the others are numbers, aligned at the right. */
public final class TextTable {
  private final List<String[]> rows = new ArrayList<>();

  public TextTable(String... header) {
    rows.add(header);
  }

  /** Adds a row; it has as many cells as the header. */
  public void add(String... cells) {
    if (cells.length != rows.getFirst().length) {
      throw new IllegalArgumentException(
          cells.length + " cells in a table of " + rows.getFirst().length + " columns");
    }
    rows.add(cells);
  }

  /** A number as text that is the same in every locale. */
  public static String cell(String format, double number) {
    return String.format(Locale.ROOT, format, number);
  }

  /** Writes the table, one line per row. */
  public void print(PrintWriter out) {
    int[] widths = new int[rows.getFirst().length];
    for (String[] row : rows) {
      for (int c = 0; c < widths.length; c++) {
        widths[c] = Math.max(widths[c], row[c].length());
      }
    }
    for (String[] row : rows) {
      StringBuilder line = new StringBuilder();
      for (int c = 0; c < widths.length; c++) {
        String gap = " ".repeat(widths[c] - row[c].length());
        line.append(c == 0 ? row[c] + gap : "  " + gap + row[c]);
      }
      out.println(line.toString().stripTrailing());
    }
  }
}
