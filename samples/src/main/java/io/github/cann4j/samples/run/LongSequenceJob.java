// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.PackedTokens;
import io.github.cann4j.plan.ContextParallelPlan;
import java.util.List;

/**
 * What is to be run, checked and complete before any device is touched.
 *
 * @param packed the tokens
 * @param sequence who attends to whom: the documents of the tokens, or all of them as one
 * @param resetPositions whether positions restart at 0 in each document of the tokens
 * @param config the attention layer
 * @param oneDevice the plan of one device
 * @param algorithms what to run on several ranks, all with the same number of them
 * @param warmup passes that are not timed
 * @param iterations passes that are timed
 * @param seed of the weights and gradients
 * @param verify whether results are compared
 */
public record LongSequenceJob(
    PackedTokens packed,
    PackedSequence sequence,
    boolean resetPositions,
    AttentionConfig config,
    ContextParallelPlan oneDevice,
    List<Algorithm> algorithms,
    int warmup,
    int iterations,
    long seed,
    boolean verify) {

  /**
   * An algorithm and its plan.
   *
   * @param name as options call it
   * @param plan on its grid
   */
  public record Algorithm(String name, ContextParallelPlan plan) {}

  public LongSequenceJob {
    algorithms = List.copyOf(algorithms);
  }

  /** Ranks of each algorithm. */
  public int ranks() {
    return algorithms.getFirst().plan().grid().size();
  }

  /** Floating-point operations of one forward pass over allowed pairs: two products per pair. */
  public double forwardFlops() {
    return 2.0 * (config.headDim() + config.headDimV()) * config.heads() * oneDevice.totalWork();
  }

  /** Floating-point operations of one backward pass: five products per pair. */
  public double backwardFlops() {
    return 2.5 * forwardFlops();
  }

  /** How often {@link AttentionRuns} reports progress. */
  public long steps() {
    long passes = 2L * (warmup + iterations);
    long perRun = 1 + passes + (verify ? 1 : 0);
    return perRun * (algorithms.size() + (verify ? 1 : 0));
  }
}
