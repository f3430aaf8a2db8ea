// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.Consumer;

/** Collects what a run measures, and shows it as it comes. */
public final class Recorder {
  private final Consumer<String> console;
  private final List<Figure> figures = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private final SequencedMap<String, String> facts = new LinkedHashMap<>();
  private String group = "";

  public Recorder(Consumer<String> console) {
    this.console = console;
  }

  /** Adds a figure. */
  public void add(Figure figure) {
    if (!figure.group().equals(group)) {
      group = figure.group();
      console.accept("");
      console.accept(group);
    }
    figures.add(figure);
    console.accept("  " + Page.line(figure));
  }

  /** Adds a remark, such as what was not measured; the same one only once. */
  public void note(String note) {
    if (!notes.contains(note)) {
      notes.add(note);
      console.accept(note);
    }
  }

  /** Adds what a peer says of itself. */
  public void fact(String name, String value) {
    facts.put(name, value);
  }

  public List<Figure> figures() {
    return List.copyOf(figures);
  }

  public List<String> notes() {
    return List.copyOf(notes);
  }

  public SequencedMap<String, String> facts() {
    return new LinkedHashMap<>(facts);
  }
}
