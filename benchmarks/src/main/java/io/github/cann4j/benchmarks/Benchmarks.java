// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks;

import io.github.cann4j.benchmarks.attention.AttentionSuite;
import io.github.cann4j.benchmarks.collectives.CollectivesSuite;
import io.github.cann4j.benchmarks.report.Machine;
import io.github.cann4j.benchmarks.report.Page;
import io.github.cann4j.benchmarks.report.Recorder;
import io.github.cann4j.benchmarks.sharding.ShardingQuality;
import io.github.cann4j.benchmarks.worker.WorkerException;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.ExitCode;
import io.github.cann4j.samples.cli.SampleCommand;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Measures attention, on one rank and on several, collectives and the Java path beside limits and
 * peers.
 */
@Command(
    name = "benchmarks",
    customSynopsis = "benchmarks [OPTION]...",
    mixinStandardHelpOptions = true,
    versionProvider = SampleCommand.Version.class,
    sortOptions = false,
    usageHelpAutoWidth = true,
    description = {
      "Measures attention, context parallelism, collectives and the Java path on the CPU, each"
          + " beside a limit of the machine and other libraries, which take turns in the same run.",
      ""
    },
    footer = {"", "Exit codes: 0 all well, 1 a run failed or a peer disagreed, 2 wrong options."})
public final class Benchmarks implements Callable<Integer> {
  private static final String COMMAND =
      "mvn -q -DskipTests -Ppeers package exec:exec@benchmarks -Dargs=\"%s--output BENCHMARKS.md\"";

  @Spec private CommandSpec spec;

  @Option(
      names = "--only",
      paramLabel = "PART",
      split = ",",
      description =
          "attention, parallel, collectives, sharding or java; repeatable (default: all).")
  private List<String> only = List.of();

  @Option(names = "--quick", description = "Fewer rounds of smaller sizes.")
  private boolean quick;

  @Option(
      names = "--output",
      paramLabel = "FILE",
      description = "Write all figures there, as a page of Markdown.")
  private Path output;

  @Option(
      names = "--native",
      paramLabel = "DIRECTORY",
      defaultValue = "native",
      description = "Where build.sh of the native part is (default: ${DEFAULT-VALUE}).")
  private Path nativeDirectory;

  private enum Part {
    ATTENTION,
    PARALLEL,
    COLLECTIVES,
    SHARDING,
    JAVA
  }

  /** Starts the program. */
  public static void main(String[] args) {
    System.exit(SampleCommand.run(new Benchmarks(), args));
  }

  @Override
  public Integer call() throws IOException {
    SampleCommand.requireNativeAccess();
    Set<Part> parts = parts();
    if (!Files.isRegularFile(nativeDirectory.resolve("build.sh"))) {
      throw new BadInputException("--native: no build.sh in " + nativeDirectory);
    }
    PrintWriter out = spec.commandLine().getOut();
    Recorder recorder = new Recorder(out::println);
    SequencedMap<String, String> facts = Machine.describe();
    boolean failed = false;
    for (Part part : parts) {
      try {
        measure(part, recorder);
      } catch (WorkerException e) {
        failed = true; // what the other parts give is worth its page
        recorder.note("FAILED: " + e.getMessage());
      }
    }
    facts.putAll(recorder.facts());
    if (output != null) {
      Page page =
          new Page(
              COMMAND.formatted(quick ? "--quick " : ""),
              facts,
              recorder.notes(),
              recorder.figures());
      Files.writeString(output, page.toMarkdown());
    }
    return failed ? ExitCode.FAILED : ExitCode.OK;
  }

  private void measure(Part part, Recorder recorder) {
    switch (part) {
      case ATTENTION -> new AttentionSuite(quick, nativeDirectory, recorder).run();
      case PARALLEL -> ParallelPrograms.run(quick, recorder);
      case COLLECTIVES -> new CollectivesSuite(quick, nativeDirectory, recorder).run();
      case SHARDING -> JavaPrograms.run(ShardingQuality.class, recorder);
      case JAVA -> JavaPrograms.run(recorder);
    }
  }

  private Set<Part> parts() {
    Set<Part> parts = EnumSet.noneOf(Part.class);
    for (String name : only) {
      try {
        parts.add(Part.valueOf(name.toUpperCase(Locale.ROOT)));
      } catch (IllegalArgumentException e) {
        throw new BadInputException(
            "--only '%s' is unknown; it must be attention, parallel, collectives, sharding or java"
                .formatted(name),
            e);
      }
    }
    return parts.isEmpty() ? EnumSet.allOf(Part.class) : parts;
  }
}
