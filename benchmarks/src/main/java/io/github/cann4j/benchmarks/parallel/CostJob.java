// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.parallel;

import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.packing.PackedSequence;
import java.util.List;

/**
 * What is compared with what.
 *
 * @param cases the first is one device, which all others are compared with
 * @param rounds in each, every case runs once; there is one more before them, to warm up
 */
record CostJob(AttentionConfig config, PackedSequence sequence, List<CostCase> cases, int rounds) {

  CostJob {
    cases = List.copyOf(cases);
  }

  int mostRanks() {
    return cases.stream().mapToInt(CostCase::ranks).max().orElse(1);
  }

  /** Two products per allowed pair forward, five backward. */
  double flops() {
    double pair = 2.0 * (config.headDim() + config.headDimV()) * config.heads();
    return 3.5 * pair * cases.getFirst().plan().totalWork();
  }
}
