// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.report;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** How programs print figures. */
public final class FigurePrinter {
  private FigurePrinter() {}

  /** Prints figures as text, or with {@code --format json} as lines of JSON. */
  public static void print(String[] args, List<Figure> figures) {
    boolean json = Arrays.equals(args, new String[] {"--format", "json"});
    if (!json && args.length > 0) {
      throw new IllegalArgumentException(
          "the only option is --format json, not " + String.join(" ", args));
    }
    String group = "";
    for (Figure figure : figures) {
      if (json) {
        System.out.println(figure.toJson());
        continue;
      }
      if (!figure.group().equals(group)) {
        group = figure.group();
        System.out.println(group);
      }
      System.out.println("  " + line(figure));
    }
  }

  private static String line(Figure figure) {
    String references =
        figure.references().stream()
            .map(
                r ->
                    ", %s %s (ratio %.3f)"
                        .formatted(r.name(), number(r.value()), figure.value() / r.value()))
            .collect(Collectors.joining());
    String targets =
        figure.targets().stream()
            .map(
                t ->
                    "; wanted %s %s%s: %s"
                        .formatted(
                            figure.better() == Figure.Better.LOWER ? "at most" : "at least",
                            number(t.factor()),
                            t.of().isEmpty() ? "" : " of " + t.of(),
                            figure.reached(t).map(r -> r ? "yes" : "NO").orElse("not measured")))
            .collect(Collectors.joining());
    return "%-44s %s %s%s%s"
        .formatted(figure.name(), number(figure.value()), figure.unit(), references, targets);
  }

  private static String number(double value) {
    return String.format(
        Locale.ROOT, value >= 100 || value == Math.rint(value) ? "%.0f" : "%.2f", value);
  }
}
