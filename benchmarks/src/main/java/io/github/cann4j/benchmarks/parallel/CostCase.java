// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.parallel;

import io.github.cann4j.plan.ContextParallelPlan;

/** One way to compute the attention of the job: an algorithm on some ranks, or one device. */
record CostCase(String algorithm, ContextParallelPlan plan) {
  int ranks() {
    return plan.grid().size();
  }

  String name() {
    return algorithm + ", cp " + ranks();
  }
}
