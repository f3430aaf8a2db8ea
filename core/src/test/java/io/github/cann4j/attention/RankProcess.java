// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Device;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.hccl.Communicator;
import io.github.cann4j.hccl.RootInfo;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.ContextParallelPlan;
import io.github.cann4j.plan.CpGrid;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * A process with some of the ranks of a grid, each a thread: {@code DIRECTORY RING ULYSSES FIRST END}. The process of
 * rank 0 puts the root info into the directory. Each process checks the rows of its ranks.
 */
final class RankProcess {
  private RankProcess() {}

  public static void main(String[] args) throws Exception {
    Path rootFile = Path.of(args[0]).resolve("root");
    CpGrid grid = new CpGrid(Integer.parseInt(args[1]), Integer.parseInt(args[2]));
    int first = Integer.parseInt(args[3]);
    int end = Integer.parseInt(args[4]);
    AttentionConfig config =
        ContextParallelAttentionTest.config(DataType.FLOAT, 8, 4, Layout.TND, 1);
    AttentionCase problem =
        new AttentionCase(PackedSequence.ofLengths(1, 1, 37, 101, 1, 3, 65, 31), config, 7);
    ContextParallelPlan plan = problem.plan(grid);
    List<double[]> expected = problem.reference();
    // Rows of ranks elsewhere are right from the start.
    float[][] results = expected.stream().map(RankProcess::floats).toArray(float[][]::new);
    RootInfo root = first == 0 ? RootInfo.create(Device.open(0)) : await(rootFile);
    if (first == 0) {
      root.writeTo(rootFile);
    }
    List<CompletableFuture<Long>> sent = new ArrayList<>();
    for (int rank = first; rank < end; rank++) {
      int me = rank;
      CompletableFuture<Long> result = new CompletableFuture<>();
      sent.add(result);
      Thread.ofPlatform()
          .daemon()
          .start(
              () -> {
                Device device = Device.open(me);
                try (Communicator world = Communicator.create(device, root, grid.size(), me);
                    ContextParallelGroups groups = ContextParallelGroups.create(world, grid)) {
                  result.complete(problem.runRank(plan, device, groups, 2, results));
                } catch (Throwable e) {
                  result.completeExceptionally(e);
                }
              });
    }
    for (CompletableFuture<Long> result : sent) {
      result.get();
    }
    ContextParallelAttentionTest.Tolerance.of(DataType.FLOAT)
        .check(
            expected, new AttentionCase.Results(results[0], results[1], results[2], results[3], 0));
    System.out.printf("ranks %d to %d agree with the reference%n", first, end - 1);
  }

  private static float[] floats(double[] values) {
    float[] result = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = (float) values[i];
    }
    return result;
  }

  private static RootInfo await(Path file) throws Exception {
    for (int i = 0; i < 600 && !Files.exists(file); i++) {
      Thread.sleep(100);
    }
    return RootInfo.readFrom(file);
  }
}
