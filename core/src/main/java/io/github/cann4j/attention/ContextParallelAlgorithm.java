// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import java.util.Arrays;
import java.util.stream.Collectors;

/** The context-parallel algorithms, under the names that {@code --context-parallel-algo} gives them. */
public enum ContextParallelAlgorithm {
  /** Ring attention: every rank keeps its query rows and sees the key and value rows of the others. */
  MEGATRON_CP("megatron_cp_algo"),
  /** Ulysses: an all-to-all gives every rank all rows of some heads. */
  ULYSSES_CP("ulysses_cp_algo"),
  /** Ulysses among neighbouring ranks, ring attention between those groups. */
  HYBRID_CP("hybrid_cp_algo"),
  /** KV all-gather: every rank keeps its query rows and first gathers the key and value rows that they need. */
  KV_ALLGATHER_CP("kvallgather_cp_algo");

  private final String option;

  ContextParallelAlgorithm(String option) {
    this.option = option;
  }

  /** {@return the name in options, such as {@code megatron_cp_algo}} */
  public String option() {
    return option;
  }

  /**
   * Finds the algorithm of an option's value.
   *
   * @param option a value of {@code --context-parallel-algo}
   * @return the algorithm
   * @throws UnsupportedOperationException if the name is known in the field but not built here; the message names
   *     the nearest one that is
   * @throws IllegalArgumentException if the name is unknown
   */
  public static ContextParallelAlgorithm fromOption(String option) {
    for (ContextParallelAlgorithm algorithm : values()) {
      if (algorithm.option.equals(option)) {
        return algorithm;
      }
    }
    String nearest =
        switch (option) {
          case "adaptive_cp_algo" -> MEGATRON_CP.option;
          case "hybrid_adaptive_cp_algo" -> HYBRID_CP.option;
          default -> null;
        };
    if (nearest != null) {
      throw new UnsupportedOperationException(
          "context-parallel-algo " + option + " is not supported; the nearest one is " + nearest);
    }
    throw new IllegalArgumentException(
        "unknown context-parallel-algo '%s'; use one of %s"
            .formatted(
                option,
                Arrays.stream(values()).map(a -> a.option).collect(Collectors.joining(", "))));
  }

  /** {@return the pattern of this algorithm's plans; a ring of ranks may also use {@link ExchangePattern#RING}} */
  public ExchangePattern pattern() {
    return this == KV_ALLGATHER_CP ? ExchangePattern.ALL_GATHER : ExchangePattern.DIRECT;
  }

  /**
   * Lays the ranks of a context-parallel group out as a grid of this algorithm.
   *
   * @param contextParallelSize number of ranks
   * @param ulyssesDegreeInCp ranks of one Ulysses group; used by {@link #HYBRID_CP} only
   * @return ring degree and Ulysses degree
   * @throws IllegalArgumentException if the size is below 1, or the hybrid's degree does not divide it
   */
  public CpGrid grid(int contextParallelSize, int ulyssesDegreeInCp) {
    if (contextParallelSize < 1) {
      throw new IllegalArgumentException(
          "context-parallel-size must be at least 1, not " + contextParallelSize);
    }
    return switch (this) {
      case MEGATRON_CP, KV_ALLGATHER_CP -> new CpGrid(contextParallelSize, 1);
      case ULYSSES_CP -> new CpGrid(1, contextParallelSize);
      case HYBRID_CP -> {
        if (ulyssesDegreeInCp < 1 || contextParallelSize % ulyssesDegreeInCp != 0) {
          throw new IllegalArgumentException(
              "ulysses-degree-in-cp %d does not divide context-parallel-size %d"
                  .formatted(ulyssesDegreeInCp, contextParallelSize));
        }
        yield new CpGrid(contextParallelSize / ulyssesDegreeInCp, ulyssesDegreeInCp);
      }
    };
  }
}
