// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.samples.cli.ExitCode;
import io.github.cann4j.samples.cli.SampleCommand;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Measures attention, collectives and the Java path beside their limits and peers. */
@Command(
    name = "benchmarks",
    customSynopsis = "benchmarks [OPTION]...",
    mixinStandardHelpOptions = true,
    versionProvider = SampleCommand.Version.class,
    sortOptions = false,
    usageHelpAutoWidth = true)
public final class Benchmarks implements Callable<Integer> {
  @Spec private CommandSpec spec;

  /** Starts the program. */
  public static void main(String[] args) {
    System.exit(SampleCommand.run(new Benchmarks(), args));
  }

  @Override
  public Integer call() {
    SampleCommand.requireNativeAccess();
    spec.commandLine().getOut().println(Cann.toolkit().version());
    return ExitCode.OK;
  }
}
