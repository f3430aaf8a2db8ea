// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.Workspace;
import io.github.cann4j.plan.AttentionCall;
import io.github.cann4j.plan.CallMask;
import io.github.cann4j.plan.RowRange;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The merge of two partial results, by CANN's operator and by elementwise operators, against fp64. */
@Tag("npu")
class PartialMergeTest {
  private static final int HEADS = 2;
  private static final int ROWS = 12;
  private static final int DIM = 16;
  private static final int COPIES = 8;

  private final Random random = new Random(5);

  @ParameterizedTest
  @CsvSource({"false, 0, 12", "true, 0, 12", "false, 3, 8", "true, 3, 8"})
  void mergesRowsOfADocument(boolean composed, int begin, int end) {
    Device device = Device.open(0);
    AttentionConfig config =
        AttentionConfig.builder()
            .heads(HEADS, HEADS)
            .headDim(DIM)
            .dataType(DataType.FLOAT)
            .build();
    RowRange all = new RowRange(0, ROWS);
    RowRange rows = new RowRange(begin, end);
    int n = end - begin;
    try (Stream stream = device.createStream();
        Workspace workspace = new Workspace(device);
        BufferPool pool = new BufferPool(stream)) {
      BufferPool.Lease lease = pool.lease();
      Program program = new Program();
      Recording recording =
          new Recording(program, stream, stream, workspace, lease, null, config);
      SoftmaxStats stats =
          new SoftmaxStats(
              recording,
              ROWS,
              List.of(new AttentionCall(List.of(all), List.of(all), CallMask.DENSE)),
              ROWS);
      float[] out = gaussian(ROWS * HEADS * DIM);
      float[] max = statistics(ROWS, false);
      float[] sum = statistics(ROWS, true);
      float[] partialOut = gaussian(n * HEADS * DIM);
      float[] partialMax = statistics(n, false);
      float[] partialSum = statistics(n, true);
      Tensor tOut = upload(device, out, ROWS, HEADS, DIM);
      stats.dense().max().buffer().copyFrom(MemorySegment.ofArray(max));
      stats.dense().sum().buffer().copyFrom(MemorySegment.ofArray(sum));
      SoftmaxStats.Piece piece = stats.pieces(0, rows).getFirst();
      assertEquals(rows, piece.rows());
      PartialMerge merge =
          PartialMerge.record(
              recording,
              tOut.slice(0, begin, end),
              piece,
              upload(device, partialOut, n, HEADS, DIM),
              upload(device, partialMax, 1, HEADS, n, COPIES),
              upload(device, partialSum, 1, HEADS, n, COPIES));
      if (composed) {
        merge.refuse();
      }
      program.run();
      stream.synchronize();

      float[] mergedOut = download(tOut.buffer(), out.length);
      float[] mergedMax = download(stats.dense().max().buffer(), max.length);
      float[] mergedSum = download(stats.dense().sum().buffer(), sum.length);
      for (int head = 0; head < HEADS; head++) {
        for (int row = 0; row < ROWS; row++) {
          int at = (head * ROWS + row) * COPIES;
          int outAt = (row * HEADS + head) * DIM;
          if (!rows.contains(row)) {
            assertEquals(max[at], mergedMax[at]);
            assertEquals(out[outAt], mergedOut[outAt]);
            continue;
          }
          int partialAt = (head * n + row - begin) * COPIES;
          double m = Math.max(max[at], partialMax[partialAt]);
          double a = sum[at] * Math.exp(max[at] - m);
          double b = partialSum[partialAt] * Math.exp(partialMax[partialAt] - m);
          for (int c = 0; c < COPIES; c++) {
            assertEquals(m, mergedMax[at + c], 1e-6);
            assertEquals(a + b, mergedSum[at + c], 1e-5);
          }
          for (int d = 0; d < DIM; d++) {
            double expected =
                (out[outAt + d] * a
                        + partialOut[((row - begin) * HEADS + head) * DIM + d] * b)
                    / (a + b);
            assertEquals(expected, mergedOut[outAt + d], 1e-5);
          }
        }
      }
      lease.release();
    }
  }

  private float[] gaussian(int length) {
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** One value per head and row, in eight copies. */
  private float[] statistics(int rows, boolean positive) {
    float[] values = new float[HEADS * rows * COPIES];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          i % COPIES > 0
              ? values[i - 1]
              : positive ? 1 + random.nextFloat() : (float) random.nextGaussian() * 3;
    }
    return values;
  }

  private static Tensor upload(Device device, float[] values, long... shape) {
    DeviceBuffer buffer = device.allocate(4L * values.length);
    buffer.copyFrom(MemorySegment.ofArray(values));
    return Tensor.of(buffer, DataType.FLOAT, shape);
  }

  private static float[] download(DeviceBuffer buffer, int length) {
    float[] values = new float[length];
    buffer.copyTo(0, MemorySegment.ofArray(values));
    return values;
  }
}
