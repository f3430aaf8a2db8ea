// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import io.github.cann4j.benchmarks.worker.WorkerClient;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Foretells from a short sequence how long the passes over a long one take. */
final class Probe {
  private static final long LENGTH = 1024;

  private final Map<String, Times> known = new HashMap<>();

  /** Seconds of both passes. */
  record Times(double forward, double backward) {
    double both() {
      return forward + backward;
    }
  }

  Times foretell(WorkerClient worker, AttentionShape shape) {
    AttentionShape brief =
        new AttentionShape(
            shape.type(),
            List.of(LENGTH),
            shape.heads(),
            shape.kvHeads(),
            shape.dim(),
            shape.valueDim());
    Times times = known.computeIfAbsent(worker.name() + brief, key -> measure(worker, brief));
    double factor = shape.forwardFlops() / brief.forwardFlops();
    return new Times(times.forward() * factor, times.backward() * factor);
  }

  private static Times measure(WorkerClient worker, AttentionShape brief) {
    int number = worker.prepare(brief);
    Times times = null;
    for (int i = 0; i < 2; i++) { // the first one loads and translates
      times = new Times(worker.forward(number), worker.backward(number));
    }
    worker.clear();
    return times;
  }
}
