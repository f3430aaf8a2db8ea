// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;
import java.util.ArrayList;
import java.util.List;

/**
 * Records the attention of a rank that computes some of the heads, over all rows of its Ulysses
 * group. Each run of heads is an attention of its own; while one is computed, the heads of the next
 * come, and the results of the one before leave.
 */
final class UlyssesAttention {
  private final HeadSplit split;
  private final Communicator ulysses;
  private final ExchangeLane lane;
  private final long rows;
  private final RunRecorder recorder;
  private final List<HeadSplit.Run> mine;
  private final List<LocalTensors> runs = new ArrayList<>();
  private final List<SoftmaxStats> stats = new ArrayList<>();

  /** Records the attention of one run of heads, whose layer is that of the recording. */
  interface RunRecorder {
    SoftmaxStats stats(Recording recording, LocalTensors tensors);

    void forward(Recording recording, LocalTensors tensors, SoftmaxStats stats);

    void backward(
        Recording recording,
        LocalTensors tensors,
        LocalTensors.Gradients gradients,
        SoftmaxStats stats);
  }

  /**
   * Makes the attention of one rank.
   *
   * @param split of the layer's heads
   * @param ulysses communicator of the group
   * @param lane of its transfers
   * @param rows of the whole group
   * @param recorder of each run
   */
  UlyssesAttention(
      HeadSplit split, Communicator ulysses, ExchangeLane lane, long rows, RunRecorder recorder) {
    this.split = split;
    this.ulysses = ulysses;
    this.lane = lane;
    this.rows = rows;
    this.recorder = recorder;
    this.mine = split.runs(ulysses.rank());
  }

  /**
   * Records forward.
   *
   * @param recording of the layer with all heads
   * @param tensors {@code [B, L, heads, dim]}
   */
  void forward(Recording recording, LocalTensors tensors) {
    UlyssesExchange exchange = exchange(recording, tensors.q());
    int[] ready = new int[split.exchanges()];
    for (int i = 0; i < ready.length; i++) {
      LocalTensors run =
          i < mine.size() ? kept(recording, mine.get(i), tensors) : nothing(exchange);
      runs.add(run);
      exchange.scatter(tensors.q(), split.queries(i), run.q());
      exchange.scatter(tensors.k(), split.keys(i), run.k());
      exchange.scatter(tensors.v(), split.keys(i), run.v());
      ready[i] = exchange.posted();
    }
    HeadCollector out = HeadCollector.ofQueries(recording, tensors.out());
    for (int i = 0; i < ready.length; i++) {
      LocalTensors run = runs.get(i);
      if (i < mine.size()) {
        exchange.await(ready[i]);
        Recording ofRun = ofRun(recording, i);
        stats.add(recorder.stats(ofRun, run));
        recorder.forward(ofRun, run, stats.get(i));
      }
      exchange.gather(run.out(), split.queries(i), out);
    }
    exchange.await(exchange.posted());
    out.finish();
  }

  /**
   * Records backward.
   *
   * @param recording of another program than forward's
   * @param gradients {@code [B, L, heads, dim]}
   */
  void backward(Recording recording, LocalTensors.Gradients gradients) {
    UlyssesExchange exchange = exchange(recording, gradients.q());
    int[] ready = new int[split.exchanges()];
    List<LocalTensors.Gradients> ofRuns = new ArrayList<>();
    for (int i = 0; i < ready.length; i++) {
      ofRuns.add(i < mine.size() ? scratch(recording, i, gradients) : noGradients(exchange));
      exchange.scatter(gradients.out(), split.queries(i), ofRuns.get(i).out());
      ready[i] = exchange.posted();
    }
    HeadCollector dq = HeadCollector.ofQueries(recording, gradients.q());
    HeadCollector dk = HeadCollector.ofKeys(recording, "dk-head-sums", gradients.k(), split);
    HeadCollector dv = HeadCollector.ofKeys(recording, "dv-head-sums", gradients.v(), split);
    for (int i = 0; i < ready.length; i++) {
      LocalTensors.Gradients run = ofRuns.get(i);
      if (i < mine.size()) {
        exchange.await(ready[i]);
        recorder.backward(ofRun(recording, i), runs.get(i), run, stats.get(i));
      }
      exchange.gather(run.q(), split.queries(i), dq);
      exchange.gather(run.k(), split.keys(i), dk);
      exchange.gather(run.v(), split.keys(i), dv);
    }
    exchange.await(exchange.posted());
    dq.finish();
    dk.finish();
    dv.finish();
  }

  private UlyssesExchange exchange(Recording recording, Tensor queries) {
    UlyssesExchange exchange = new UlyssesExchange(recording, ulysses, lane);
    exchange.reserve(queries, split.queries(0));
    return exchange;
  }

  private Recording ofRun(Recording recording, int i) {
    return recording.withHeads(mine.get(i).heads(), mine.get(i).kvHeads());
  }

  private LocalTensors kept(Recording recording, HeadSplit.Run run, LocalTensors all) {
    return new LocalTensors(
        recording.kept(recording.dataType(), shape(all.q(), run.heads())),
        recording.kept(recording.dataType(), shape(all.k(), run.kvHeads())),
        recording.kept(recording.dataType(), shape(all.v(), run.kvHeads())),
        recording.kept(recording.dataType(), shape(all.out(), run.heads())));
  }

  /** Each run has its own: what one sends is still on its way while the next is computed. */
  private LocalTensors.Gradients scratch(Recording recording, int i, LocalTensors.Gradients all) {
    HeadSplit.Run run = mine.get(i);
    return new LocalTensors.Gradients(
        recording.scratch("split-dout-" + i, recording.dataType(), shape(all.out(), run.heads())),
        recording.scratch("split-dq-" + i, recording.dataType(), shape(all.q(), run.heads())),
        recording.scratch("split-dk-" + i, recording.dataType(), shape(all.k(), run.kvHeads())),
        recording.scratch("split-dv-" + i, recording.dataType(), shape(all.v(), run.kvHeads())));
  }

  private static LocalTensors nothing(UlyssesExchange exchange) {
    Tensor nothing = exchange.nothing();
    return new LocalTensors(nothing, nothing, nothing, nothing);
  }

  private static LocalTensors.Gradients noGradients(UlyssesExchange exchange) {
    Tensor nothing = exchange.nothing();
    return new LocalTensors.Gradients(nothing, nothing, nothing, nothing);
  }

  private long[] shape(Tensor all, int heads) {
    return new long[] {all.size(0), rows, heads, all.size(3)};
  }
}
