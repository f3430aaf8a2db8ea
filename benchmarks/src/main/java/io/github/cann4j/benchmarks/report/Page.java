// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.report;

import io.github.cann4j.benchmarks.report.Figure.Reference;
import io.github.cann4j.benchmarks.report.Figure.Target;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Collectors;

/** All figures of a run as a page of Markdown. Tables are in the order of their first figures. */
public final class Page {
  private final String command;
  private final SequencedMap<String, String> machine;
  private final List<String> notes;
  private final List<Figure> figures;

  /**
   * @param command how the page is made
   * @param machine what the run was on: names and values
   * @param notes what was not measured, and how to change that
   */
  public Page(
      String command, Map<String, String> machine, List<String> notes, List<Figure> figures) {
    this.command = command;
    this.machine = new LinkedHashMap<>(machine);
    this.notes = List.copyOf(notes);
    this.figures = List.copyOf(figures);
  }

  /** The text. */
  public String toMarkdown() {
    StringBuilder text = new StringBuilder("# Benchmarks\n\n");
    text.append("Written by `").append(command).append("`; changes by hand are lost.\n\n");
    text.append(
        """
        Each figure is the median of several rounds of one run, in which cann4j, its peers and the limits of the machine
        take turns; only one of them computes at a time, each in a process of its own. Ratios are what to look at: they
        say more than the speed of one machine. A ratio after a limit or a peer is cann4j's value divided by that one.

        """);
    text.append("| | |\n|---|---|\n");
    machine.forEach((name, value) -> row(text, List.of(name, value)));
    if (!notes.isEmpty()) {
      text.append('\n');
      notes.forEach(note -> text.append("- ").append(note).append('\n'));
    }
    text.append('\n').append(summary()).append('\n');
    String part = "";
    for (Map.Entry<String, List<Figure>> table : tables().entrySet()) {
      List<Figure> rows = table.getValue();
      if (!rows.getFirst().part().equals(part)) {
        part = rows.getFirst().part();
        text.append("\n## ").append(capitalized(part)).append('\n');
      }
      text.append("\n### ").append(rows.getFirst().group()).append("\n\n");
      table(text, rows);
    }
    return text.toString();
  }

  private String summary() {
    List<Boolean> all =
        figures.stream()
            .flatMap(f -> f.targets().stream().map(f::reached))
            .flatMap(Optional::stream)
            .toList();
    long reached = all.stream().filter(r -> r).count();
    return "%d of %d targets with a measured reference were reached."
        .formatted(reached, all.size());
  }

  private SequencedMap<String, List<Figure>> tables() {
    return figures.stream()
        .collect(
            Collectors.groupingBy(
                f -> f.part() + "\n" + f.group(), LinkedHashMap::new, Collectors.toList()));
  }

  private static void table(StringBuilder text, List<Figure> rows) {
    boolean targets = rows.stream().anyMatch(figure -> !figure.targets().isEmpty());
    List<String> references =
        rows.stream()
            .flatMap(figure -> figure.references().stream().map(Reference::name))
            .distinct()
            .toList();
    List<String> header = new ArrayList<>(List.of("", "cann4j, " + rows.getFirst().unit()));
    header.addAll(references);
    if (targets) {
      header.add("targets");
    }
    row(text, header);
    text.append("|---").append("|--:".repeat(references.size() + 1));
    text.append(targets ? "|---|\n" : "|\n");
    for (Figure figure : rows) {
      List<String> cells = new ArrayList<>(List.of(figure.name(), number(figure.value())));
      references.forEach(name -> cells.add(reference(figure, name)));
      if (targets) {
        cells.add(targets(figure));
      }
      row(text, cells);
    }
  }

  private static String reference(Figure figure, String name) {
    return figure.references().stream()
        .filter(reference -> reference.name().equals(name))
        .findFirst()
        .map(reference -> reference(figure, reference))
        .orElse("—");
  }

  private static String targets(Figure figure) {
    return figure.targets().stream()
        .map(target -> target(figure, target))
        .collect(Collectors.joining("; "));
  }

  private static String reference(Figure figure, Reference reference) {
    return "%s (%s ×)"
        .formatted(number(reference.value()), ratio(figure.value() / reference.value()));
  }

  private static String target(Figure figure, Target target) {
    String verdict =
        figure
            .reached(target)
            .map(reached -> reached ? "yes" : "**no**" + ofFirst(figure, target))
            .orElse("not measured");
    return figure.describe(target) + ": " + verdict;
  }

  /** How far a target is from the first reference, which is a limit: some are beyond it. */
  private static String ofFirst(Figure figure, Target target) {
    Reference first = figure.references().getFirst();
    if (target.of().isEmpty() || first.name().startsWith(target.of())) {
      return "";
    }
    double wanted = target.factor() * figure.reference(target.of()).orElseThrow();
    return ", which is %s × %s".formatted(ratio(wanted / first.value()), first.name());
  }

  private static String ratio(double ratio) {
    return String.format(Locale.ROOT, ratio < 10 ? "%.2f" : "%.0f", ratio);
  }

  /** A number with about four significant digits. */
  static String number(double value) {
    double size = Math.abs(value);
    String format = size >= 1000 ? "%.0f" : size >= 100 ? "%.1f" : size >= 1 ? "%.2f" : "%.3g";
    return String.format(Locale.ROOT, format, value);
  }

  private static void row(StringBuilder text, List<String> cells) {
    cells.forEach(cell -> text.append("| ").append(cell.replace("|", "\\|")).append(' '));
    text.append("|\n");
  }

  private static String capitalized(String part) {
    return part.substring(0, 1).toUpperCase(Locale.ROOT) + part.substring(1);
  }

  /** One line for people who watch. */
  public static String line(Figure figure) {
    StringBuilder line = new StringBuilder();
    line.append(figure.name()).append(": ").append(number(figure.value())).append(' ');
    line.append(figure.unit());
    figure
        .references()
        .forEach(r -> line.append(", ").append(r.name()).append(' ').append(reference(figure, r)));
    figure.targets().forEach(t -> line.append("; ").append(target(figure, t).replace("**", "")));
    return line.toString();
  }
}
