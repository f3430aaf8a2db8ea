// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.OutputStream;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * Writes a whole plan as JSON, so that any program can check it: documents, mask, and for every
 * ring rank its chunks, calls and transfers.
 *
 * <p>Ranges of rows are pairs {@code [begin, end]}, the end not included. {@code documents} and
 * {@code chunks} are rows of the sequence. Rows of calls and transfers are counted in a ring rank's
 * local order, that is in its chunks laid end to end: {@code q} in that of the rank itself, {@code
 * kv} and transferred rows in that of the {@code owner}. Under the pattern {@code ALL_GATHER} a
 * rank has a {@code gather} instead of {@code steps}; {@code kv} of its {@code calls} then counts
 * in its {@code parts} laid end to end. Masks of calls are those of {@link CallMask}, counted
 * within a segment; {@code preTokens} and {@code nextTokens} are as CANN means them.
 */
public final class PlanJson {
  private final ContextParallelPlan plan;
  private final JsonGenerator json;
  private final long kvBytesPerRow;
  private final long gradientBytesPerRow;

  private PlanJson(
      ContextParallelPlan plan, JsonGenerator json, long kvBytesPerRow, long gradientBytesPerRow) {
    this.plan = plan;
    this.json = json;
    this.kvBytesPerRow = kvBytesPerRow;
    this.gradientBytesPerRow = gradientBytesPerRow;
  }

  /**
   * Writes a plan. Derives the steps of all ring ranks.
   *
   * @param plan the plan
   * @param out where to; UTF-8, flushed but not closed
   * @param kvBytesPerRow bytes of one row of keys and values together
   * @param gradientBytesPerRow bytes of one row of dk and dv together, in the type they travel in
   * @throws IOException if writing fails
   */
  public static void write(
      ContextParallelPlan plan, OutputStream out, long kvBytesPerRow, long gradientBytesPerRow)
      throws IOException {
    try (JsonGenerator json = new JsonFactory().createGenerator(out, JsonEncoding.UTF8)) {
      json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
      new PlanJson(plan, json, kvBytesPerRow, gradientBytesPerRow).write();
    }
  }

  private void write() throws IOException {
    json.writeStartObject();
    json.writeStringField("format", "cann4j context-parallel plan 1");
    json.writeStringField("hash", HexFormat.of().formatHex(plan.contentHash()));
    json.writeNumberField("rows", plan.sequence().length());
    json.writeArrayFieldStart("documents");
    for (int d = 0; d < plan.sequence().documentCount(); d++) {
      range(new RowRange(plan.sequence().documentBegin(d), plan.sequence().documentEnd(d)));
    }
    json.writeEndArray();
    mask();
    json.writeNumberField("ringDegree", plan.grid().ringDegree());
    json.writeNumberField("ulyssesDegree", plan.grid().ulyssesDegree());
    json.writeStringField("sharding", plan.sharding().name());
    json.writeStringField("pattern", plan.pattern().name());
    json.writeNumberField("maxSequencesPerCall", plan.maxSequencesPerCall());
    json.writeNumberField("maxPairsPerCall", plan.maxPairsPerCall());
    json.writeNumberField("maxMaskBytes", plan.maxMaskBytes());
    json.writeNumberField("kvBytesPerRow", kvBytesPerRow);
    json.writeNumberField("gradientBytesPerRow", gradientBytesPerRow);
    json.writeNumberField("work", plan.totalWork());
    json.writeArrayFieldStart("ringRanks");
    for (int rank = 0; rank < plan.grid().ringDegree(); rank++) {
      ringRank(rank);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private void mask() throws IOException {
    json.writeObjectFieldStart("mask");
    switch (plan.mask()) {
      case AttentionMask.Causal _ -> json.writeStringField("kind", "causal");
      case AttentionMask.Full _ -> json.writeStringField("kind", "full");
      case AttentionMask.SlidingWindow(long left, long right) -> {
        json.writeStringField("kind", "slidingWindow");
        json.writeNumberField("left", left);
        json.writeNumberField("right", right);
      }
      case AttentionMask.Prefix prefix -> {
        json.writeStringField("kind", "prefix");
        json.writeFieldName("lengths");
        json.writeArray(prefix.lengths(), 0, prefix.lengths().length);
      }
      case AttentionMask.General(GeneralMask pattern) -> {
        json.writeStringField("kind", "general");
        json.writeArrayFieldStart("keysOfRows");
        for (long row = 0; row < pattern.rows(); row++) {
          ranges(pattern.keys(row));
        }
        json.writeEndArray();
      }
    }
    json.writeEndObject();
  }

  private void ringRank(int rank) throws IOException {
    json.writeStartObject();
    json.writeNumberField("ringRank", rank);
    json.writeFieldName("chunks");
    ranges(plan.ringShard(rank));
    json.writeNumberField("work", plan.work(rank));
    json.writeNumberField("forwardBytesSent", plan.forwardBytesSent(rank, kvBytesPerRow));
    json.writeNumberField("forwardBytesBound", plan.forwardBytesBound(rank, kvBytesPerRow));
    json.writeNumberField(
        "backwardBytesSent", plan.backwardBytesSent(rank, kvBytesPerRow, gradientBytesPerRow));
    json.writeNumberField(
        "backwardBytesBound", plan.backwardBytesBound(rank, kvBytesPerRow, gradientBytesPerRow));
    if (plan.pattern() == ExchangePattern.ALL_GATHER) {
      gather(plan.gather(rank));
    } else {
      json.writeArrayFieldStart("steps");
      for (AttentionStep step : plan.steps(rank)) {
        step(step);
      }
      json.writeEndArray();
    }
    json.writeEndObject();
  }

  private void step(AttentionStep step) throws IOException {
    json.writeStartObject();
    json.writeNumberField("index", step.index());
    json.writeNumberField("owner", step.owner());
    calls("firstCalls", step.firstCalls());
    calls("mergedCalls", step.mergedCalls());
    transfer("kvSend", step.kvSend(), kvBytesPerRow);
    transfer("kvReceive", step.kvReceive(), kvBytesPerRow);
    transfer("gradientSend", step.gradientSend(), gradientBytesPerRow);
    transfer("gradientReceive", step.gradientReceive(), gradientBytesPerRow);
    json.writeEndObject();
  }

  private void gather(KvGather gather) throws IOException {
    json.writeObjectFieldStart("gather");
    calls("localCalls", gather.localCalls());
    transfers("sends", gather.sends());
    transfers("receives", gather.receives());
    json.writeArrayFieldStart("parts");
    for (KvGather.Part part : gather.parts()) {
      json.writeStartObject();
      json.writeNumberField("owner", part.owner());
      json.writeFieldName("rows");
      range(part.rows());
      json.writeEndObject();
    }
    json.writeEndArray();
    calls("calls", gather.calls());
    json.writeEndObject();
  }

  private void calls(String name, List<AttentionCall> calls) throws IOException {
    json.writeArrayFieldStart(name);
    for (AttentionCall call : calls) {
      json.writeStartObject();
      callMask(call.mask());
      json.writeNumberField("pairs", call.pairs());
      json.writeFieldName("q");
      ranges(call.qSegments());
      json.writeFieldName("kv");
      ranges(call.kvSegments());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private void callMask(CallMask mask) throws IOException {
    json.writeObjectFieldStart("mask");
    switch (mask) {
      case CallMask.Dense _ -> json.writeStringField("kind", "dense");
      case CallMask.Causal _ -> json.writeStringField("kind", "causal");
      case CallMask.Prefix(List<Long> lengths) -> {
        json.writeStringField("kind", "prefix");
        json.writeArrayFieldStart("lengths");
        for (long length : lengths) {
          json.writeNumber(length);
        }
        json.writeEndArray();
      }
      case CallMask.Band(long preTokens, long nextTokens) -> {
        json.writeStringField("kind", "band");
        json.writeNumberField("preTokens", preTokens);
        json.writeNumberField("nextTokens", nextTokens);
      }
      case CallMask.General(GeneralMask _, long firstQuery, RowSet keyRows) -> {
        json.writeStringField("kind", "general");
        json.writeNumberField("firstQuery", firstQuery);
        json.writeFieldName("keyRows");
        ranges(keyRows.ranges());
      }
    }
    json.writeEndObject();
  }

  private void transfers(String name, List<Transfer> transfers) throws IOException {
    json.writeArrayFieldStart(name);
    for (Transfer transfer : transfers) {
      transfer(transfer, kvBytesPerRow);
    }
    json.writeEndArray();
  }

  private void transfer(String name, Optional<Transfer> transfer, long bytesPerRow)
      throws IOException {
    if (transfer.isPresent()) {
      json.writeFieldName(name);
      transfer(transfer.get(), bytesPerRow);
    }
  }

  private void transfer(Transfer transfer, long bytesPerRow) throws IOException {
    json.writeStartObject();
    json.writeNumberField("peer", transfer.peer());
    json.writeNumberField("owner", transfer.owner());
    json.writeFieldName("ranges");
    ranges(transfer.rows().ranges());
    json.writeNumberField("rows", transfer.rows().rows());
    json.writeNumberField("bytes", Math.multiplyExact(transfer.rows().rows(), bytesPerRow));
    json.writeEndObject();
  }

  private void ranges(List<RowRange> ranges) throws IOException {
    json.writeStartArray();
    for (RowRange rows : ranges) {
      range(rows);
    }
    json.writeEndArray();
  }

  private void range(RowRange rows) throws IOException {
    json.writeArray(new long[] {rows.begin(), rows.end()}, 0, 2);
  }
}
