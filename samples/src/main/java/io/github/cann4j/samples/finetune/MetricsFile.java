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
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
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
    try {
      Path beside = Files.createTempFile(file.toAbsolutePath().getParent(), ".metrics-", "");
      MetricsFile metrics = new MetricsFile(Files.newBufferedWriter(beside));
      if (iteration > 0 && Files.exists(file)) {
        read(file).stream().filter(step -> step.iteration() <= iteration).forEach(metrics::add);
      }
      Files.setPosixFilePermissions(beside, PosixFilePermissions.fromString("rw-r--r--"));
      Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
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
          if (i == lines.size() - 1) {
            // A run that was killed leaves a part of a line.
            break;
          }
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
