// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.KvGather;
import io.github.cann4j.plan.RowRange;
import io.github.cann4j.plan.Transfer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Records KV all-gather attention of a ring rank: the keys and values that its queries need come together before the
 * calls that use them, so that nothing is merged; what needs only own rows is computed meanwhile. In backward they are
 * gathered again, and the gradients of those of others go home in fp32, where they are summed in the order of ranks.
 */
final class GatherAttention {
  private final Recording recording;
  private final Optional<Communicator> ring;
  private final int ringRank;
  private final LocalTensors tensors;
  private final SoftmaxStats stats;
  private final KvGather gather;

  GatherAttention(
      Recording recording,
      Optional<Communicator> ring,
      int ringRank,
      LocalTensors tensors,
      SoftmaxStats stats,
      KvGather gather) {
    this.recording = recording;
    this.ring = ring;
    this.ringRank = ringRank;
    this.tensors = tensors;
    this.stats = stats;
    this.gather = gather;
  }

  /** All calls that a gathering rank makes. */
  static List<AttentionCall> calls(KvGather gather) {
    return Stream.concat(gather.localCalls().stream(), gather.calls().stream()).toList();
  }

  void forward(ExchangeLane lane) {
    GatherExchange exchange = postKeysAndValues(lane);
    stats.beginOutside(tensors.out());
    local().forward();
    LocalTensors gathered = assemble(exchange);
    on(gathered).forward();
  }

  /**
   * Records the gradients.
   *
   * @param gradients of the rank's tensors
   * @param validRows rows before the padding
   * @param lane of keys and values
   * @param gradientLane of their gradients
   */
  void backward(
      LocalTensors.Gradients gradients,
      long validRows,
      ExchangeLane lane,
      ExchangeLane gradientLane) {
    GatherExchange exchange = postKeysAndValues(lane);
    FirstCalls local = local();
    boolean shared = local.sharesKeys();
    RowRange own = shared ? new RowRange(0, validRows) : RowRange.EMPTY;
    for (Transfer send : gather.sends()) {
      own = own.hull(send.rows().ranges().getFirst()).hull(send.rows().ranges().getLast());
    }
    RowAccumulator dk = new RowAccumulator(recording, "dk-sums", gradients.k(), own);
    RowAccumulator dv = new RowAccumulator(recording, "dv-sums", gradients.v(), own);
    recording.zeroOutside(ranges(calls(gather).stream().map(AttentionCall::q)), gradients.q());
    List<RowRange> written =
        shared
            ? List.of(new RowRange(0, validRows))
            : ranges(Stream.concat(local.keyRows().stream(), ownParts()));
    recording.zeroOutside(written, gradients.k());
    recording.zeroOutside(written, gradients.v());
    local.backward(gradients, dk, dv);

    LocalTensors gathered = assemble(exchange);
    Gathered gatheredGradients = gatheredBackward(gathered, gradients);
    takeOwn(gatheredGradients, gradients, shared, dk, dv);
    GatherExchange home =
        new GatherExchange(
            recording,
            ring,
            gradientLane,
            "gather-dkdv",
            DataType.FLOAT,
            tensors,
            gather.receives(),
            gather.sends());
    forParts(
        (part, rows) -> {
          for (KvExchange.Block block : home.sends()) {
            if (block.owner() == part.owner()) {
              recording.copy(
                  block.firstRows(part.rows()), Recording.rows(gatheredGradients.dk(), rows));
              recording.copy(
                  block.secondRows(part.rows()), Recording.rows(gatheredGradients.dv(), rows));
            }
          }
        });
    home.post();
    if (!shared) {
      dk.begin();
      dv.begin();
    }
    home.await();
    for (KvExchange.Block block : home.receives()) {
      for (RowRange rows : block.rows().ranges()) {
        dk.add(rows, block.firstRows(rows));
        dv.add(rows, block.secondRows(rows));
      }
    }
    dk.finish();
    dv.finish();
  }

  private static List<RowRange> ranges(Stream<RowRange> rows) {
    return rows.sorted(Comparator.comparingLong(RowRange::begin)).toList();
  }

  private Stream<RowRange> ownParts() {
    return gather.parts().stream()
        .filter(part -> part.owner() == ringRank)
        .map(KvGather.Part::rows);
  }

  private FirstCalls local() {
    return new FirstCalls(recording, tensors, stats, gather.localCalls());
  }

  private FirstCalls on(LocalTensors gathered) {
    return new FirstCalls(recording, gathered, stats, gather.calls());
  }

  private GatherExchange postKeysAndValues(ExchangeLane lane) {
    GatherExchange exchange =
        new GatherExchange(
            recording,
            ring,
            lane,
            "gather-kv",
            recording.dataType(),
            tensors,
            gather.sends(),
            gather.receives());
    for (KvExchange.Block block : exchange.sends()) {
      for (RowRange rows : block.rows().ranges()) {
        recording.copy(block.firstRows(rows), Recording.rows(tensors.k(), rows));
        recording.copy(block.secondRows(rows), Recording.rows(tensors.v(), rows));
      }
    }
    exchange.post();
    return exchange;
  }

  /** Lays the gathered rows end to end. */
  private LocalTensors assemble(GatherExchange exchange) {
    exchange.await();
    Tensor k = gatheredLike("gathered-k", tensors.k(), recording.dataType());
    Tensor v = gatheredLike("gathered-v", tensors.v(), recording.dataType());
    KvExchange.Block own = KvExchange.Block.own(tensors);
    forParts(
        (part, rows) -> {
          KvExchange.Block block = part.owner() == ringRank ? own : received(exchange, part);
          recording.copy(Recording.rows(k, rows), block.firstRows(part.rows()));
          recording.copy(Recording.rows(v, rows), block.secondRows(part.rows()));
        });
    return new LocalTensors(tensors.q(), k, v, tensors.out());
  }

  private static KvExchange.Block received(GatherExchange exchange, KvGather.Part part) {
    return exchange.receives().stream()
        .filter(block -> block.owner() == part.owner())
        .findFirst()
        .orElseThrow();
  }

  private interface PartVisitor {
    void part(KvGather.Part part, RowRange gatheredRows);
  }

  private void forParts(PartVisitor visitor) {
    long begin = 0;
    for (KvGather.Part part : gather.parts()) {
      long end = begin + part.rows().length();
      visitor.part(part, new RowRange(begin, end));
      begin = end;
    }
  }

  private Tensor gatheredLike(String name, Tensor like, DataType type) {
    // A rank that gathers nothing has no calls that would read the one row.
    long rows = Math.max(1, gather.gatheredRows());
    return recording.scratch(
        name, type, like.size(0), rows, like.size(2), like.size(3));
  }

  /** Dk and dv of the gathered rows: fp32 sums where calls share keys, else as the kernel gives them. */
  private record Gathered(Tensor dk, Tensor dv) {}

  private Gathered gatheredBackward(LocalTensors gathered, LocalTensors.Gradients gradients) {
    FirstCalls calls = on(gathered);
    boolean shared = calls.sharesKeys();
    DataType type = shared ? DataType.FLOAT : recording.dataType();
    Tensor targetK = gatheredLike("gathered-dk", tensors.k(), type);
    Tensor targetV = gatheredLike("gathered-dv", tensors.v(), type);
    // An fp32 tensor is its own accumulator.
    RowRange summed = shared ? new RowRange(0, gather.gatheredRows()) : RowRange.EMPTY;
    RowAccumulator dk = new RowAccumulator(recording, "gathered-dk-sums", targetK, summed);
    RowAccumulator dv = new RowAccumulator(recording, "gathered-dv-sums", targetV, summed);
    if (!shared && !gather.parts().isEmpty()) {
      recording.zeroOutside(calls.keyRows(), targetK);
      recording.zeroOutside(calls.keyRows(), targetV);
    }
    calls.backward(
        new LocalTensors.Gradients(gradients.out(), gradients.q(), targetK, targetV), dk, dv);
    return new Gathered(targetK, targetV);
  }

  /** Takes over the gradients of own rows that were gathered with others. */
  private void takeOwn(
      Gathered gathered,
      LocalTensors.Gradients gradients,
      boolean shared,
      RowAccumulator dk,
      RowAccumulator dv) {
    forParts(
        (part, rows) -> {
          if (part.owner() != ringRank) {
            return;
          }
          Tensor partDk = Recording.rows(gathered.dk(), rows);
          Tensor partDv = Recording.rows(gathered.dv(), rows);
          if (shared) {
            dk.add(part.rows(), partDk);
            dv.add(part.rows(), partDv);
          } else {
            recording.copy(Recording.rows(gradients.k(), part.rows()), partDk);
            recording.copy(Recording.rows(gradients.v(), part.rows()), partDv);
          }
        });
  }
}
