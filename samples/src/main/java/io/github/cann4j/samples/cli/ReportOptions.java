// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Option;

/** How a program shows its results and how far it is. */
public final class ReportOptions {
  private static final Choice<Boolean> FORMAT =
      new Choice<>("--format", "table", false, "json", true);

  @Option(
      names = "--format",
      paramLabel = "NAME",
      defaultValue = "table",
      description = "table or json (default: ${DEFAULT-VALUE}).")
  private String format;

  @Option(
      names = "--progress",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Show a progress bar on standard error (default: ${DEFAULT-VALUE}).")
  private boolean progress;

  /**
   * Whether results are JSON instead of a table.
   *
   * @throws BadInputException if the format is another
   */
  public boolean json() {
    return FORMAT.parse(format);
  }

  /** Progress of some steps, as asked. */
  public Progress progress(long steps, PrintWriter err) {
    return progress ? Progress.of(steps, err) : Progress.silent();
  }
}
