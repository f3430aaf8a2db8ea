// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.benchmarks.attention.Measurement.Case;
import io.github.cann4j.benchmarks.attention.Measurement.Outcome;
import io.github.cann4j.benchmarks.report.Figure;
import io.github.cann4j.benchmarks.report.Figure.Better;
import io.github.cann4j.benchmarks.report.Figure.Reference;
import io.github.cann4j.benchmarks.report.Figure.Target;
import io.github.cann4j.benchmarks.report.Recorder;
import io.github.cann4j.benchmarks.worker.WorkerClient;
import io.github.cann4j.benchmarks.worker.WorkerProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** Attention beside libtorch and the processor's peak, on one thread and on all. */
public final class AttentionSuite {
  private static final String PART = "attention";
  private static final String UNIT = "GFLOP/s";
  private static final String FMA = "FMA peak";
  private static final String BF16_DOT = "BF16 peak";
  private static final String TORCH = "libtorch";
  private static final String BEST_FP32 = "best fp32 of libtorch";
  private static final String OWN_FP32 = "cann4j fp32";
  private static final long PACKED_ROWS = 16384;
  private static final String DENSE = "N 8, D 128";

  private final boolean quick;
  private final PeakMeter peaks;
  private final Recorder recorder;
  private final List<AttentionPeer> peers;

  /**
   * @param quick whether to measure short sequences only
   * @param nativeDirectory the one with build.sh
   */
  public AttentionSuite(boolean quick, Path nativeDirectory, Recorder recorder) {
    this.quick = quick;
    this.recorder = recorder;
    peaks = new PeakMeter(nativeDirectory);
    peers =
        ServiceLoader.load(AttentionPeer.class).stream().map(ServiceLoader.Provider::get).toList();
    if (peers.isEmpty()) {
      recorder.note(
          "Attention was measured without libtorch; Maven's option -Ppeers fetches it (300 MB).");
    }
  }

  /** Measures all. */
  public void run() {
    int all = Runtime.getRuntime().availableProcessors();
    LongStream.of(1, all).distinct().forEach(threads -> run((int) threads, threads == all));
    recorder.note(
        "A pass of a peer that would take more than %.0f s is left out; one that takes more than %.0f times as long"
                .formatted(Measurement.LONGEST, Measurement.SLOW)
            + " as cann4j's is measured once.");
  }

  private void run(int threads, boolean last) {
    List<WorkerProcess> workers = new ArrayList<>();
    try {
      workers.add(start(AttentionWorker.CANN4J, threads, Map.of()));
      for (AttentionPeer peer : peers) {
        workers.add(start(peer.name(), threads, peer.environment()));
      }
      for (WorkerClient worker : workers) {
        recorder.fact(worker.name(), worker.describe());
      }
      recorder.fact("Instruction set of the kernels", peaks.measure(1).instructionSet());
      Measurement measurement = new Measurement(List.copyOf(workers), () -> peaks.measure(threads));
      String suffix = threads == 1 ? "1 thread" : threads + " threads";
      mainCases(measurement, suffix, 2048, 5);
      if (!quick) {
        mainCases(measurement, suffix, 8192, 3);
      }
      otherShapes(measurement, suffix);
      if (last) {
        lengths(measurement, suffix);
      }
    } finally {
      workers.forEach(WorkerProcess::close);
    }
  }

  private static WorkerProcess start(String name, int threads, Map<String, String> environment) {
    Map<String, String> variables = new HashMap<>(environment);
    variables.put("CANN4J_CPU_THREADS", Integer.toString(threads));
    variables.put("OMP_NUM_THREADS", Integer.toString(threads));
    try {
      return WorkerProcess.start(
          name, AttentionWorker.class, List.of(name, Integer.toString(threads)), variables);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void mainCases(Measurement measurement, String suffix, long length, int rounds) {
    List<Case> cases =
        Stream.of(DataType.FLOAT, DataType.BF16, DataType.FLOAT16)
            .map(
                type ->
                    new Case(
                        AttentionShape.dense(type, length, 8, 128), true, type != DataType.FLOAT16))
            .toList();
    Outcome outcome = measurement.run(cases, quick ? Math.min(rounds, 3) : rounds);
    String group = "Causal, S %d, %s, %s".formatted(length, DENSE, suffix);
    for (int i = 0; i < cases.size(); i++) {
      for (boolean both : new boolean[] {false, true}) {
        add(group, cases.get(i).shape(), outcome, i, both);
      }
    }
  }

  private static OptionalDouble rate(
      Outcome outcome, int number, String worker, AttentionShape shape, boolean both) {
    Series series = outcome.series().get(number).get(worker);
    if (series == null) {
      return OptionalDouble.empty();
    }
    return both ? series.bothRate(shape) : series.forwardRate(shape);
  }

  private void add(String group, AttentionShape shape, Outcome outcome, int number, boolean both) {
    DataType type = shape.type();
    List<Reference> references = new ArrayList<>(limits(outcome));
    for (AttentionPeer peer : peers) {
      rate(outcome, number, peer.name(), shape, both)
          .ifPresent(rate -> references.add(new Reference(peer.name(), rate)));
    }
    List<Target> targets = new ArrayList<>();
    switch (type) {
      case FLOAT -> {
        targets.add(new Target(FMA, both ? 0.65 : 0.75));
        targets.add(new Target(TORCH, 1.4));
      }
      case BF16 -> {
        targets.add(new Target(outcome.bf16Peak() > 0 ? BF16_DOT : FMA, 0.55));
        targets.add(new Target(TORCH, 2));
        targets.add(new Target(BEST_FP32, 1));
        peers.stream()
            .flatMapToDouble(peer -> rate(outcome, 0, peer.name(), shape, both).stream())
            .max()
            .ifPresent(best -> references.add(new Reference(BEST_FP32, best)));
      }
      default -> {
        targets.add(new Target(OWN_FP32, 0.9));
        references.add(
            new Reference(
                OWN_FP32, rate(outcome, 0, AttentionWorker.CANN4J, shape, both).orElseThrow()));
      }
    }
    add(group, pass(shape.typeName(), both), outcome, number, shape, both, references, targets);
  }

  private static String pass(String what, boolean both) {
    return what + (both ? " forward + backward" : " forward");
  }

  private static List<Reference> limits(Outcome outcome) {
    List<Reference> limits = new ArrayList<>();
    limits.add(new Reference(FMA, outcome.fp32Peak()));
    if (outcome.bf16Peak() > 0) {
      limits.add(new Reference(BF16_DOT, outcome.bf16Peak()));
    }
    return limits;
  }

  private void add(
      String group,
      String name,
      Outcome outcome,
      int number,
      AttentionShape shape,
      boolean both,
      List<Reference> references,
      List<Target> targets) {
    double value = rate(outcome, number, AttentionWorker.CANN4J, shape, both).orElseThrow();
    recorder.add(new Figure(PART, group, name, value, UNIT, Better.HIGHER, references, targets));
  }

  /** Head sizes, groups of heads and packed documents, beside the dense case of the same type. */
  private void otherShapes(Measurement measurement, String suffix) {
    long length = 2048;
    List<Case> cases = new ArrayList<>();
    for (DataType type : List.of(DataType.FLOAT, DataType.BF16)) {
      List<Long> one = List.of(length);
      cases.add(new Case(AttentionShape.dense(type, length, 8, 128), true, false));
      cases.add(new Case(AttentionShape.dense(type, length, 16, 64), true, false));
      cases.add(new Case(new AttentionShape(type, one, 8, 8, 192, 128), true, false));
      cases.add(new Case(AttentionShape.dense(type, length, 4, 256), true, false));
      cases.add(new Case(new AttentionShape(type, one, 8, 2, 128, 128), true, false));
      cases.add(
          new Case(
              new AttentionShape(type, Documents.random(PACKED_ROWS), 8, 8, 128, 128),
              true,
              false));
    }
    Outcome outcome = measurement.run(cases, quick ? 3 : 5);
    String group = "Other shapes, S %d, %s".formatted(length, suffix);
    int dense = 0;
    for (int i = 0; i < cases.size(); i++) {
      AttentionShape shape = cases.get(i).shape();
      boolean first = shape.equals(AttentionShape.dense(shape.type(), length, 8, 128));
      dense = first ? i : dense;
      for (boolean both : new boolean[] {false, true}) {
        List<Reference> references = new ArrayList<>(limits(outcome));
        List<Target> targets = new ArrayList<>();
        if (!first) {
          AttentionShape base = cases.get(dense).shape();
          double rate = rate(outcome, dense, AttentionWorker.CANN4J, base, both).orElseThrow();
          references.add(new Reference(DENSE, rate));
          targets.add(new Target(DENSE, shape.packed() ? 0.8 : 0.85));
        }
        String what =
            shape.packed()
                ? "%d documents, mean %d, of %d rows"
                    .formatted(
                        shape.documents().size(),
                        shape.length() / shape.documents().size(),
                        shape.length())
                : shape.headSizes();
        add(
            group,
            pass(shape.typeName() + " " + what + ",", both),
            outcome,
            i,
            shape,
            both,
            references,
            targets);
      }
    }
  }

  /** The rate from short sequences to very long ones, which have one head and are run once. */
  private void lengths(Measurement measurement, String suffix) {
    String group = "Rate by length, forward, D 128, " + suffix;
    Map<Boolean, List<Long>> lengths =
        LongStream.of(128, 512, 1024, 2048, 4096, 8192, 16384, 32768, 131072)
            .filter(length -> !quick || length <= 4096)
            .boxed()
            .collect(Collectors.partitioningBy(length -> length > 16384));
    for (boolean once : new boolean[] {false, true}) {
      for (long length : lengths.get(once)) {
        List<Case> cases =
            Stream.of(DataType.FLOAT, DataType.BF16)
                .filter(type -> !once || type == DataType.FLOAT)
                .map(
                    type ->
                        new Case(
                            AttentionShape.dense(type, length, once ? 1 : 8, 128), false, !once))
                .toList();
        Outcome outcome = measurement.run(cases, once ? 1 : length > 4096 ? 1 : 5);
        for (int i = 0; i < cases.size(); i++) {
          AttentionShape shape = cases.get(i).shape();
          List<Reference> references = new ArrayList<>(limits(outcome));
          for (AttentionPeer peer : peers) {
            rate(outcome, i, peer.name(), shape, false)
                .ifPresent(rate -> references.add(new Reference(peer.name(), rate)));
          }
          String name = "%s, S %d, N %d".formatted(shape.typeName(), length, shape.heads());
          add(group, name, outcome, i, shape, false, references, List.of());
        }
      }
    }
  }
}
