// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.TensorOps;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.RowRange;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Row maxima and sums of the softmax, in the order in which the local step's kernel writes them and its gradient reads
 * them: one block {@code [heads][rows][8]} per segment. A hop touches rows of one document, hence few blocks, which are
 * addressed as strided views; nothing is ever reordered.
 */
final class SoftmaxStats {
  private final Recording recording;
  private final Tensor max;
  private final Tensor sum;
  private final long rows;
  private final int heads;
  private final List<RowRange> segments;
  private final List<RowRange> outside;

  /**
   * One part of a row range that lies in one block.
   *
   * @param rows local rows
   * @param max view {@code [1, heads, rows, 8]}
   * @param sum likewise
   */
  record Piece(RowRange rows, Tensor max, Tensor sum) {}

  /**
   * Reserves the statistics.
   *
   * @param recording of the forward program
   * @param rows of the rank, padding included
   * @param firstCalls begin the output of the queries that they have
   * @param validRows rows before the padding
   */
  SoftmaxStats(
      Recording recording, long rows, List<AttentionCall> firstCalls, long validRows) {
    this.recording = recording;
    this.rows = rows;
    this.heads = recording.config().heads();
    long elements = recording.batch() * rows * heads * Recording.STATISTIC_COPIES;
    max = recording.kept(DataType.FLOAT, elements);
    sum = recording.kept(DataType.FLOAT, elements);
    segments = new ArrayList<>();
    firstCalls.forEach(call -> segments.addAll(call.qSegments()));
    segments.sort(Comparator.comparingLong(RowRange::begin));
    outside = Recording.gaps(segments, validRows);
    segments.addAll(outside);
    segments.sort(Comparator.comparingLong(RowRange::begin));
  }

  /** Lets queries that no first call has begin with output 0 and a sum of nothing. */
  void beginOutside(Tensor out) {
    recording.zeroOutside(segments, out);
    for (RowRange gap : outside) {
      for (int b = 0; b < recording.batch(); b++) {
        recording.zero(Recording.packedRows(out, b, gap));
        Tensor gapMax = packed(max, b, gap);
        recording
            .program()
            .add(
                () ->
                    TensorOps.inplaceFillScalar(
                        gapMax, -Float.MAX_VALUE, recording.compute(), recording.workspace()));
        recording.zero(packed(sum, b, gap));
      }
    }
  }

  /** Those of whole segments of one batch element, as the variable-length kernel declares them. */
  CallRecorder.Statistics packed(int batch, RowRange callRows) {
    return new CallRecorder.Statistics(packed(max, batch, callRows), packed(sum, batch, callRows));
  }

  /** Those of one whole segment of one batch element, as the dense kernel declares them. */
  CallRecorder.Statistics segment(int batch, RowRange rows) {
    long[] shape = {1, heads, rows.length(), Recording.STATISTIC_COPIES};
    return new CallRecorder.Statistics(
        packed(max, batch, rows).reshape(shape), packed(sum, batch, rows).reshape(shape));
  }

  /** All, as the dense kernel declares them; only if all rows are one segment. */
  CallRecorder.Statistics dense() {
    return new CallRecorder.Statistics(dense(max), dense(sum));
  }

  private Tensor packed(Tensor statistic, int batch, RowRange callRows) {
    return Tensor.of(
        statistic.buffer(),
        byteOffset(batch, callRows.begin()),
        DataType.FLOAT,
        callRows.length(),
        heads,
        Recording.STATISTIC_COPIES);
  }

  private Tensor dense(Tensor statistic) {
    long batch = statistic.elements() / (rows * heads * Recording.STATISTIC_COPIES);
    return statistic.reshape(batch, heads, rows, Recording.STATISTIC_COPIES);
  }

  private long byteOffset(int batch, long row) {
    return (batch * rows + row)
        * heads
        * Recording.STATISTIC_COPIES
        * DataType.FLOAT.byteSize();
  }

  List<Piece> pieces(int batch, RowRange range) {
    List<Piece> pieces = new ArrayList<>();
    for (int i = firstSegmentEndingAfter(range.begin()); i < segments.size(); i++) {
      RowRange segment = segments.get(i);
      RowRange part = segment.intersect(range);
      if (part.isEmpty()) {
        break;
      }
      pieces.add(new Piece(part, block(max, batch, segment, part), block(sum, batch, segment, part)));
    }
    return pieces;
  }

  private int firstSegmentEndingAfter(long row) {
    int low = 0;
    int high = segments.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (segments.get(middle).end() <= row) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  private Tensor block(Tensor statistic, int batch, RowRange segment, RowRange part) {
    long copies = Recording.STATISTIC_COPIES;
    long headStride = segment.length() * copies;
    long offset =
        byteOffset(batch, segment.begin())
            + (part.begin() - segment.begin()) * copies * DataType.FLOAT.byteSize();
    return Tensor.strided(
        statistic.buffer(),
        offset,
        DataType.FLOAT,
        new long[] {1, heads, part.length(), copies},
        new long[] {heads * headStride, headStride, copies, 1});
  }
}
