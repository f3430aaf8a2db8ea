// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.launch;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.acl.DeviceBuffer;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.ReduceOp;
import java.lang.foreign.MemorySegment;

/** A collective operation whose result tells whether all ranks took part. */
final class RankSum {
  private RankSum() {}

  /** The sum of all ranks' numbers; each rank's is one more than its rank. */
  static float of(Communicator world) {
    Device device = world.device();
    float[] value = {world.rank() + 1};
    try (Stream stream = device.createStream();
        DeviceBuffer from = device.allocate(Float.BYTES);
        DeviceBuffer to = device.allocate(Float.BYTES)) {
      from.copyFrom(MemorySegment.ofArray(value));
      world.allReduce(
          Tensor.of(from, DataType.FLOAT, 1),
          Tensor.of(to, DataType.FLOAT, 1),
          ReduceOp.SUM,
          stream);
      stream.synchronize();
      to.copyTo(MemorySegment.ofArray(value));
    }
    return value[0];
  }

  static float expected(int ranks) {
    return ranks * (ranks + 1) / 2f;
  }
}
