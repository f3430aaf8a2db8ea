// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import io.github.cann4j.benchmarks.attention.PeakMeter.Peak;
import io.github.cann4j.benchmarks.report.Median;
import io.github.cann4j.benchmarks.worker.WorkerClient;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/** Measures some cases by several implementations in turns, and compares their results. */
final class Measurement {
  /** A pass of a peer that takes longer, in seconds, is left out. */
  static final double LONGEST = 12;

  /** A pass that takes a peer so many times as long as cann4j is measured once. */
  static final double SLOW = 4;

  private static final double WARM_UP = 1.5; // seconds from which a turn is warm enough itself

  private final List<WorkerClient> workers; // the first is cann4j
  private final Supplier<Peak> peak;
  private final Probe probe = new Probe();

  Measurement(List<WorkerClient> workers, Supplier<Peak> peak) {
    this.workers = workers;
    this.peak = peak;
  }

  /**
   * What to measure.
   *
   * @param backward whether to measure the gradient too
   * @param peers whether peers take part
   */
  record Case(AttentionShape shape, boolean backward, boolean peers) {}

  /**
   * What came out.
   *
   * @param series times by implementation, for each case
   * @param fp32Peak median of all rounds, in GFLOP/s
   * @param bf16Peak as well, or 0
   */
  record Outcome(List<SequencedMap<String, Series>> series, double fp32Peak, double bf16Peak) {}

  private static final class Turn {
    private final Case what;
    private final WorkerClient worker;
    private final Plan plan;
    private final Series series = new Series();
    private final int number;
    private List<double[]> samples;

    Turn(Case what, WorkerClient worker, Plan plan) {
      this.what = what;
      this.worker = worker;
      this.plan = plan;
      number = worker.prepare(what.shape());
    }

    void warmUp() {
      worker.forward(number);
      if (plan.backward()) {
        worker.backward(number);
      }
    }

    void run(boolean first) {
      if (first || !plan.forwardOnce()) {
        pause();
        series.addForward(worker.forward(number));
      }
      if (plan.backward() && (first || !plan.backwardOnce())) {
        series.addBackward(worker.backward(number));
      }
      if (first) { // a later forward pass may come without its backward pass
        samples = worker.sample(number, plan.backward());
      }
    }
  }

  private record Plan(
      boolean backward, boolean forwardOnce, boolean backwardOnce, boolean warmUp) {}

  /** Measures all cases in each round. */
  Outcome run(List<Case> cases, int rounds) {
    // Before anything is prepared, as probing clears what is there.
    cases.forEach(what -> participants(what).forEach(w -> probe.foretell(w, what.shape())));
    List<SequencedMap<String, Turn>> turns = cases.stream().map(this::plan).toList();
    List<Turn> all = turns.stream().flatMap(each -> each.values().stream()).toList();
    all.stream().filter(turn -> turn.plan.warmUp()).forEach(Turn::warmUp);
    List<Double> fp32 = new ArrayList<>();
    List<Double> bf16 = new ArrayList<>();
    for (int round = 0; round < rounds; round++) {
      Peak now = peak.get();
      fp32.add(now.fp32());
      bf16.add(now.bf16());
      for (Turn turn : all) {
        turn.run(round == 0);
      }
    }
    turns.forEach(Measurement::compare);
    workers.forEach(WorkerClient::clear);
    return new Outcome(
        turns.stream().map(Measurement::series).toList(),
        Median.of(fp32.stream().mapToDouble(v -> v)),
        Median.of(bf16.stream().mapToDouble(v -> v)));
  }

  private List<WorkerClient> participants(Case what) {
    return what.peers() ? workers : workers.subList(0, 1);
  }

  private SequencedMap<String, Turn> plan(Case what) {
    SequencedMap<String, Turn> turns = new LinkedHashMap<>();
    AttentionShape shape = what.shape();
    Probe.Times own = probe.foretell(workers.getFirst(), shape);
    for (WorkerClient worker : participants(what)) {
      Probe.Times times = probe.foretell(worker, shape);
      boolean peer = worker != workers.getFirst();
      if (peer && times.forward() > LONGEST) {
        continue;
      }
      boolean backward = what.backward() && !(peer && times.backward() > LONGEST);
      boolean forwardOnce = peer && times.forward() > SLOW * own.forward();
      boolean backwardOnce = peer && times.backward() > SLOW * own.backward();
      double warmUp = times.forward() + (backward ? times.backward() : 0);
      turns.put(
          worker.name(),
          new Turn(what, worker, new Plan(backward, forwardOnce, backwardOnce, warmUp < WARM_UP)));
    }
    return turns;
  }

  /** Until the threads of the last turn have stopped to look for more work. */
  private static void pause() {
    LockSupport.parkNanos(20_000_000);
  }

  private static SequencedMap<String, Series> series(SequencedMap<String, Turn> turns) {
    SequencedMap<String, Series> series = new LinkedHashMap<>();
    turns.forEach((name, turn) -> series.put(name, turn.series));
    return series;
  }

  private static void compare(SequencedMap<String, Turn> turns) {
    Turn own = turns.firstEntry().getValue();
    turns.sequencedValues().stream()
        .skip(1)
        .forEach(
            peer -> {
              int results = Math.min(own.samples.size(), peer.samples.size());
              Agreement.require(
                  peer.worker.name(),
                  own.what.shape(),
                  own.samples.subList(0, results),
                  peer.samples.subList(0, results));
            });
  }
}
