// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.probe;

import io.github.cann4j.acl.Cann;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.FlashAttentionVarLenScore;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.aclnn.RingAttentionUpdate;
import io.github.cann4j.aclnn.RotaryMode;
import io.github.cann4j.aclnn.RotaryOps;
import io.github.cann4j.aclnn.SoftmaxLayout;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.support.Bench;
import java.util.List;

/** Asks for what the toolkit's release does not have, in a process of its own. */
public final class OlderToolkitProbe {
  private OlderToolkitProbe() {}

  /** Prints what each call says. */
  public static void main(String[] args) {
    System.out.println("VERSION " + Cann.toolkit().version());
    try (Bench bench = new Bench(0);
        Communicator alone = Communicator.initAll(List.of(bench.device)).getFirst()) {
      Tensor x = bench.garbage(DataType.FLOAT, 2, 1, 64);
      Tensor out = bench.garbage(DataType.FLOAT, 2, 1, 64);
      Tensor max = bench.garbage(DataType.FLOAT, 2, 1, 8);
      Tensor sum = bench.garbage(DataType.FLOAT, 2, 1, 8);
      say(() -> bench.stream.launchHostFunc(() -> {}));
      Tensor four = bench.garbage(DataType.FLOAT, 1, 1, 1, 64);
      Tensor turned = bench.garbage(DataType.FLOAT, 1, 1, 1, 64);
      say(
          () ->
              RotaryOps.rotaryPositionEmbedding(
                  four, four, four, RotaryMode.HALF, turned, bench.stream, bench.workspace));
      say(() -> alone.allToAllVC(x, new long[][] {{128}}, out, bench.stream));
      var attention =
          FlashAttentionVarLenScore.builder()
              .query(x)
              .key(x)
              .value(x)
              .actualSeqQLen(2)
              .actualSeqKvLen(2)
              .scaleValue(1)
              .softmaxMax(max)
              .softmaxSum(sum)
              .attentionOut(out);
      say(() -> attention.softmaxLayout(SoftmaxLayout.SAME_AS_INPUT).build());
      Tensor newMax = bench.garbage(DataType.FLOAT, 2, 1, 8);
      Tensor newSum = bench.garbage(DataType.FLOAT, 2, 1, 8);
      var update =
          RingAttentionUpdate.builder()
              .prevAttnOut(x)
              .prevSoftmaxMax(max)
              .prevSoftmaxSum(sum)
              .curAttnOut(x)
              .curSoftmaxMax(max)
              .curSoftmaxSum(sum)
              .actualSeqQLen(bench.longs(0, 2))
              .inputLayout(Layout.TND)
              .softmaxLayout(SoftmaxLayout.SAME_AS_INPUT)
              .attnOut(out)
              .softmaxMax(newMax)
              .softmaxSum(newSum);
      say(update::build);
      // What fails for want of a function breaks nothing.
      attention.softmaxLayout(SoftmaxLayout.BY_SEQUENCE).build().run(bench.stream, bench.workspace);
      alone.barrier(bench.stream);
      bench.stream.synchronize();
      System.out.println("WORKS");
    }
  }

  private static void say(Runnable call) {
    try {
      call.run();
      System.out.println("NOT REFUSED");
    } catch (UnsupportedOperationException e) {
      System.out.println("REFUSED " + e.getMessage());
    }
  }
}
