// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks;

import io.github.cann4j.benchmarks.parallel.ContextParallelCost;
import io.github.cann4j.benchmarks.report.Recorder;
import io.github.cann4j.benchmarks.worker.JavaCommand;
import java.util.ArrayList;
import java.util.List;

/** The benchmarks of context parallelism: one program with several sets of options. */
final class ParallelPrograms {
  private static final String ALL = "megatron_cp_algo,ulysses_cp_algo,hybrid_cp_algo,kvallgather_cp_algo";

  private ParallelPrograms() {}

  static void run(boolean quick, Recorder recorder) {
    run(quick, recorder, "--num-attention-heads", "2", "--rounds", "3");
    run(
        quick,
        recorder,
        "--num-attention-heads",
        "4",
        "--context-parallel-size",
        "4",
        "--context-parallel-algo",
        ALL,
        "--rounds",
        "2");
    run(quick, recorder, "--documents", "one", "--num-attention-heads", "1", "--rounds", "2");
  }

  private static void run(boolean quick, Recorder recorder, String... options) {
    List<String> all = new ArrayList<>(List.of(options));
    all.addAll(List.of("--seq-length", quick ? "16384" : "65536", "--format", "json"));
    JavaPrograms.run(JavaCommand.of(ContextParallelCost.class, all), recorder);
  }
}
