// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import io.github.cann4j.acl.Backend;
import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.Toolkit;
import io.github.cann4j.samples.bandwidth.BandwidthRun;
import io.github.cann4j.samples.bandwidth.BandwidthTable;
import io.github.cann4j.samples.bandwidth.Collective;
import io.github.cann4j.samples.bandwidth.SizeSweep;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.Choice;
import io.github.cann4j.samples.cli.Devices;
import io.github.cann4j.samples.cli.ExitCode;
import io.github.cann4j.samples.cli.SampleCommand;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Times HCCL's collectives between ranks that are threads of this process. */
@Command(
    name = "collective-bandwidth",
    customSynopsis = "collective-bandwidth [OPTION]... [COLLECTIVE]...",
    mixinStandardHelpOptions = true,
    versionProvider = SampleCommand.Version.class,
    sortOptions = false,
    usageHelpAutoWidth = true,
    description = {
      "Times HCCL's collectives with the method and the columns of nccl-tests, and checks their"
          + " results.",
      ""
    },
    footer = {
      "",
      "size is what a rank sends (sendrecv, allreduce), sends to all ranks together (alltoall), or"
          + " has at the end (allgather); algbw is size / time; busbw is algbw times 1, 2(n-1)/n,"
          + " (n-1)/n or (n-1)/n, in the same order.",
      "",
      "Exit codes: 0 all well, 1 wrong results, 2 wrong options, 3 no usable toolkit."
    })
public final class CollectiveBandwidth implements Callable<Integer> {
  private static final Choice<Boolean> FORMAT =
      new Choice<>("--format", "nccl", false, "hccl", true);

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "COLLECTIVE",
      arity = "0..*",
      description = "sendrecv, alltoall, allgather, allreduce (default: all four).")
  private List<String> names = List.of();

  @Option(
      names = {"-b", "--minbytes"},
      paramLabel = "SIZE",
      defaultValue = "1K",
      description = "Smallest size, such as 8, 64K or 4M (default: ${DEFAULT-VALUE}).")
  private String minBytes;

  @Option(
      names = {"-e", "--maxbytes"},
      paramLabel = "SIZE",
      defaultValue = "4M",
      description = "Largest size (default: ${DEFAULT-VALUE}).")
  private String maxBytes;

  @Option(
      names = {"-f", "--stepfactor"},
      paramLabel = "N",
      defaultValue = "4",
      description = "Factor between sizes (default: ${DEFAULT-VALUE}).")
  private int stepFactor;

  @Option(
      names = {"-n", "--iters"},
      paramLabel = "N",
      defaultValue = "20",
      description = "Timed operations (default: ${DEFAULT-VALUE}).")
  private int iterations;

  @Option(
      names = {"-w", "--warmup_iters"},
      paramLabel = "N",
      defaultValue = "5",
      description = "Operations before the timed ones (default: ${DEFAULT-VALUE}).")
  private int warmup;

  @Option(
      names = {"-g", "--ranks"},
      paramLabel = "N",
      defaultValue = "4",
      description = "Ranks, one per device (default: ${DEFAULT-VALUE}).")
  private int ranks;

  @Option(
      names = "--format",
      paramLabel = "NAME",
      defaultValue = "nccl",
      description =
          "nccl, or hccl for the table of Ascend's hccl_test (default: ${DEFAULT-VALUE}).")
  private String format;

  /** Starts the program. */
  public static void main(String[] args) {
    System.exit(SampleCommand.run(new CollectiveBandwidth(), args));
  }

  @Override
  public Integer call() throws InterruptedException {
    SampleCommand.requireNativeAccess();
    Set<Collective> collectives = collectives();
    boolean hccl = FORMAT.parse(format);
    long smallest = SizeSweep.parse("--minbytes", minBytes);
    long largest = SizeSweep.parse("--maxbytes", maxBytes);
    List<Long> sizes = SizeSweep.of(smallest, largest, stepFactor);
    if (smallest < 4L * ranks || largest > 1L << 30) {
      throw new BadInputException(
          "sizes must be from %d bytes (an element for each of %d ranks) to 1G, not %d to %d"
              .formatted(4L * ranks, ranks, smallest, largest));
    }
    if (ranks < 2 || iterations < 1 || warmup < 0) {
      throw new BadInputException(
          "--ranks must be at least 2, --iters at least 1, --warmup_iters at least 0, not %d, %d, %d"
              .formatted(ranks, iterations, warmup));
    }
    Toolkit toolkit = Cann.toolkit();
    Devices.require(toolkit, ranks, "--ranks");

    PrintWriter out = spec.commandLine().getOut();
    out.printf(
        "# toolkit %s %s, %d ranks as threads of one process, %d warm-up and %d timed operations%n",
        toolkit.backend(), toolkit.version(), ranks, warmup, iterations);
    if (toolkit.backend() == Backend.CPU) {
      out.println("# CPU backend: memory copies of this host, no hardware numbers");
    }
    BandwidthTable table = new BandwidthTable(out, hccl);
    BandwidthRun run = new BandwidthRun(ranks, warmup, iterations);
    for (Collective collective : collectives) {
      table.heading(collective);
      run.run(collective, sizes, table::add);
    }
    table.trailer();
    if (table.wrong() > 0) {
      spec.commandLine()
          .getErr()
          .println("collective-bandwidth: check failed: " + table.wrong() + " wrong elements");
    }
    return table.wrong() == 0 ? ExitCode.OK : ExitCode.FAILED;
  }

  private Set<Collective> collectives() {
    Set<Collective> chosen = EnumSet.noneOf(Collective.class);
    for (String name : names) {
      chosen.add(
          Arrays.stream(Collective.values())
              .filter(collective -> collective.option().equals(name))
              .findFirst()
              .orElseThrow(
                  () ->
                      new BadInputException(
                          "collective '%s' is unknown; use %s"
                              .formatted(name, Collective.names()))));
    }
    return chosen.isEmpty() ? EnumSet.allOf(Collective.class) : chosen;
  }
}
