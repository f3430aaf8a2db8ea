// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.finetune;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import io.github.cann4j.samples.cli.BadInputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/** Metrics of a run as JSON lines, one per step, written as the steps end. */
final class MetricsFile implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final ObjectReader LINE = JSON.readerFor(StepMetrics.class);

  private final Writer writer;

  private MetricsFile(Writer writer) {
    this.writer = writer;
  }

  /**
   * Opens a file for the steps after {@code iteration}. Lines of earlier steps stay, those of later
   * ones, which a run wrote that did not get to its next checkpoint, go.
   */
  static MetricsFile open(Path file, long iteration) {
    List<StepMetrics> kept = new ArrayList<>();
    try {
      if (iteration > 0 && Files.exists(file)) {
        for (StepMetrics step : read(file)) {
          if (step.iteration() <= iteration) {
            kept.add(step);
          }
        }
      }
      MetricsFile metrics =
          new MetricsFile(
              Files.newBufferedWriter(
                  file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING));
      kept.forEach(metrics::add);
      return metrics;
    } catch (IOException e) {
      throw new BadInputException("--metrics " + file + " cannot be written: " + e, e);
    }
  }

  /** The steps of a file. */
  static List<StepMetrics> read(Path file) {
    List<StepMetrics> steps = new ArrayList<>();
    try {
      List<String> lines = Files.readAllLines(file);
      for (int i = 0; i < lines.size(); i++) {
        try {
          steps.add(LINE.readValue(lines.get(i)));
        } catch (IOException e) {
          throw new BadInputException(
              "line %d of --metrics %s is no step of a run: %s"
                  .formatted(i + 1, file, e.getMessage()),
              e);
        }
      }
    } catch (IOException e) {
      throw new BadInputException("--metrics " + file + " cannot be read: " + e, e);
    }
    return steps;
  }

  void add(StepMetrics step) {
    try {
      writer.write(JSON.writeValueAsString(step));
      writer.write('\n');
      writer.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try {
      writer.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
