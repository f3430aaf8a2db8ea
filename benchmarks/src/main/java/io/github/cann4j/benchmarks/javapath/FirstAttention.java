// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.javapath;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionVarLenScore;
import io.github.cann4j.aclnn.Workspace;
import java.lang.foreign.MemorySegment;

/** Computes attention of one row, says so, and ends; {@link StartUp} runs it. */
public final class FirstAttention {
  private static final int DIM = 16;
  private static final int PLACE = 512;

  private FirstAttention() {}

  /** Prints the first element of the result, which is that of the only value. */
  public static void main(String[] args) {
    Device device = Device.open(0);
    try (Stream stream = device.createStream();
        Workspace workspace = new Workspace(device);
        DeviceBuffer memory = device.allocate(6 * PLACE)) {
      float[] values = new float[6 * PLACE / Float.BYTES];
      for (int i = 0; i < values.length; i++) {
        values[i] = i;
      }
      memory.copyFrom(MemorySegment.ofArray(values));
      FlashAttentionVarLenScore.builder()
          .query(tensor(memory, 0, DIM))
          .key(tensor(memory, 1, DIM))
          .value(tensor(memory, 2, DIM))
          .actualSeqQLen(1)
          .actualSeqKvLen(1)
          .scaleValue(0.25)
          .attentionOut(tensor(memory, 3, DIM))
          .softmaxMax(tensor(memory, 4, 8))
          .softmaxSum(tensor(memory, 5, 8))
          .build()
          .run(stream, workspace);
      stream.synchronize();
      float[] result = new float[DIM];
      memory.copyTo(3 * PLACE, MemorySegment.ofArray(result));
      System.out.println(result[0]);
    }
  }

  private static Tensor tensor(DeviceBuffer memory, int place, long columns) {
    return Tensor.of(memory, (long) place * PLACE, DataType.FLOAT, 1, 1, columns);
  }

  /** What {@link #main} prints. */
  static String result() {
    return Float.toString(2 * PLACE / Float.BYTES);
  }
}
