// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.Toolkit;
import io.github.cann4j.hccl.CommunicatorOptions;
import io.github.cann4j.packing.PackedDataset;
import io.github.cann4j.samples.cli.BadInputException;
import io.github.cann4j.samples.cli.Devices;
import io.github.cann4j.samples.cli.ExitCode;
import io.github.cann4j.samples.cli.SampleCommand;
import io.github.cann4j.samples.finetune.DryRun;
import io.github.cann4j.samples.finetune.ResultTable;
import io.github.cann4j.samples.finetune.StepMetrics;
import io.github.cann4j.samples.finetune.TrainingOptions;
import io.github.cann4j.samples.finetune.TrainingRun;
import io.github.cann4j.samples.launch.LocalLauncher;
import io.github.cann4j.samples.launch.ProcessEnd;
import io.github.cann4j.samples.launch.RankEnvironment;
import io.github.cann4j.samples.launch.RankSession;
import io.github.cann4j.samples.train.RankPlace;
import io.github.cann4j.samples.train.TrainingConfig;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Fine-tunes a decoder on packed sequences: DJL carries the model, its gradients and the optimizer,
 * cann4j the attention, over ranks that are processes.
 */
@Command(
    name = LongSequenceFinetune.NAME,
    customSynopsis = LongSequenceFinetune.NAME + " [OPTION]...",
    mixinStandardHelpOptions = true,
    versionProvider = SampleCommand.Version.class,
    sortOptions = false,
    usageHelpAutoWidth = true,
    description = {
      "Fine-tunes a decoder on packed sequences. DJL's PyTorch engine carries the model, its"
          + " gradients and the optimizer on the host; attention runs on one device per rank, over"
          + " context-parallel ranks. Ranks are processes: started here, or by torchrun's"
          + " variables, Open MPI, Slurm or a rank table.",
      ""
    },
    footer = {
      "",
      "Exit codes: 0 all well, 1 the run failed, 2 wrong options or data, 3 no usable toolkit, 4"
          + " another rank was lost."
    })
public final class LongSequenceFinetune implements Callable<Integer> {
  static final String NAME = "long-sequence-finetune";

  @Spec private CommandSpec spec;

  @Option(
      names = "--nproc",
      paramLabel = "N",
      description =
          "Processes to start on this host, one per rank; a multiple of --context-parallel-size"
              + " (default: as many as that, unless another launcher started this one).")
  private Integer processes;

  @Option(
      names = "--rendezvous-timeout",
      paramLabel = "SECONDS",
      defaultValue = "300",
      description = "How long ranks wait for each other at the start (default: ${DEFAULT-VALUE}).")
  private int rendezvousTimeout;

  @Mixin private TrainingOptions training;

  /** Starts the program. */
  public static void main(String[] args) {
    LocalLauncher.endWithLauncher();
    if (LocalLauncher.startedThis() && !"0".equals(System.getenv("RANK"))) {
      // What the others say at INFO is what rank 0 says.
      System.getProperties().putIfAbsent("org.slf4j.simpleLogger.defaultLogLevel", "warn");
    }
    System.exit(SampleCommand.run(new LongSequenceFinetune(), args));
  }

  @Override
  public Integer call() throws Exception {
    SampleCommand.requireNativeAccess();
    Optional<RankEnvironment> environment = RankEnvironment.read();
    training.check(spec.commandLine().getParseResult());
    int ranks = ranks(environment);
    Toolkit toolkit = Cann.toolkit();
    try (PackedDataset data = training.data().open()) {
      TrainingConfig config = training.config(data, ranks);
      if (training.output().dryRun()) {
        new DryRun(config, data, ranks, toolkit).print(spec.commandLine().getOut());
        return ExitCode.OK;
      }
      if (environment.isPresent()) {
        return runRank(environment.get(), config, data, toolkit);
      }
      Devices.require(toolkit, ranks, "--nproc");
      if (ranks == 1) {
        train(config, data, toolkit, RankPlace.alone(Device.open(0)));
        return ExitCode.OK;
      }
      List<String> args = new ArrayList<>(spec.commandLine().getParseResult().originalArgs());
      args.add("--prepared-data=" + data.path());
      return LocalLauncher.run(NAME, LongSequenceFinetune.class, args, ranks);
    }
  }

  private int ranks(Optional<RankEnvironment> environment) {
    if (environment.isEmpty()) {
      return processes != null ? processes : training.parallel().size();
    }
    int world = environment.get().worldSize();
    if (processes != null && processes != world && !LocalLauncher.startedThis()) {
      throw new BadInputException(
          "--nproc %d, but %s started %d ranks; leave --nproc out"
              .formatted(processes, environment.get().source(), world));
    }
    return world;
  }

  private int runRank(
      RankEnvironment environment, TrainingConfig config, PackedDataset data, Toolkit toolkit)
      throws Exception {
    CommunicatorOptions options = CommunicatorOptions.defaults();
    Device device = Device.open(environment.deviceId());
    try (RankSession session =
        RankSession.join(environment, device, options, Duration.ofSeconds(rendezvousTimeout))) {
      session.onLost(lost -> ProcessEnd.afterLoss(NAME, environment, lost));
      // A launcher that divides the processors among ranks says so.
      int threads =
          System.getenv("OMP_NUM_THREADS") != null
              ? 0
              : Math.max(1, Runtime.getRuntime().availableProcessors() / environment.worldSize());
      return session.call(
          () -> {
            train(
                config,
                data,
                toolkit,
                new RankPlace(device, Optional.of(session.world()), options, threads));
            return ExitCode.OK;
          });
    }
  }

  private void train(TrainingConfig config, PackedDataset data, Toolkit toolkit, RankPlace place) {
    PrintWriter out = spec.commandLine().getOut();
    TrainingRun run =
        new TrainingRun(
            config,
            data,
            training.iterations(),
            training.pretrained(),
            training.output(),
            spec.commandLine().getErr());
    List<StepMetrics> steps = run.run(place);
    if (place.rank() > 0) {
      return;
    }
    ResultTable table =
        new ResultTable(config, data.sequenceLength(), place.size(), toolkit, steps);
    if (training.output().json()) {
      table.printJson(out);
    } else {
      table.print(out);
    }
  }
}
