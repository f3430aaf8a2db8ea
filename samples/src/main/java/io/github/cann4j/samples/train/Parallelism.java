// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.train;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.attention.ContextParallelAlgorithm;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.Sharding;
import io.github.cann4j.samples.cli.BadInputException;

/**
 * How attention is spread over ranks.
 *
 * @param algorithm its name in options
 * @param grid the context-parallel ranks of one replica
 * @param sharding which rows a ring rank holds
 * @param pattern how keys and values travel
 * @param dataType of attention's tensors; everything else computes in FLOAT
 * @param generalMask whether the mask comes as data instead of following from the documents' ends
 */
public record Parallelism(
    ContextParallelAlgorithm algorithm,
    CpGrid grid,
    Sharding sharding,
    ExchangePattern pattern,
    DataType dataType,
    boolean generalMask) {
  /** Checks that the parts fit each other. */
  public Parallelism {
    boolean gathers = pattern == ExchangePattern.ALL_GATHER;
    if (gathers != (algorithm == ContextParallelAlgorithm.KV_ALLGATHER_CP)) {
      throw new BadInputException(
          "%s does not go with exchange pattern %s; the nearest is %s"
              .formatted(algorithm.option(), pattern, algorithm.pattern()));
    }
  }

  /** One rank that computes everything itself, in FLOAT. */
  public static Parallelism single() {
    return new Parallelism(
        ContextParallelAlgorithm.MEGATRON_CP,
        CpGrid.ring(1),
        Sharding.ZIGZAG,
        ExchangePattern.DIRECT,
        DataType.FLOAT,
        false);
  }
}
