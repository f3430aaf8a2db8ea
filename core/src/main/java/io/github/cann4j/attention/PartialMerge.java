// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.aclnn.AclnnException;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.aclnn.RingAttentionUpdate;
import io.github.cann4j.aclnn.TensorOps;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Merges a partial attention result of some rows into what these rows have so far, in fp32, as one batch element in SBH
 * (rows of TND are rows of SBH). Where the toolkit refuses {@code aclnnRingAttentionUpdate} for a shape, elementwise
 * operators compute the same.
 *
 * <p>With maxima m₁, m₂ and sums s₁, s₂: m = max(m₁, m₂), a = s₁·e^(m₁−m), b = s₂·e^(m₂−m), s = a + b and out =
 * out₁·a/s + out₂·b/s.
 */
final class PartialMerge {
  private static final Logger LOG = LoggerFactory.getLogger(PartialMerge.class);
  private static final AtomicBoolean REPORTED = new AtomicBoolean();

  private final Recording recording;
  private final Tensor out;
  private final Tensor previousOut;
  private final Tensor previousMax;
  private final Tensor previousSum;
  private final Tensor currentOut;
  private final Tensor currentMax;
  private final Tensor currentSum;
  private final Tensor newMax;
  private final Tensor newSum;
  private final RingAttentionUpdate update;
  private boolean refused;

  /**
   * Records the merge.
   *
   * @param recording of the program
   * @param out fp32 accumulator {@code [rows, heads, Dv]}, contiguous; replaced by the merged rows
   * @param stats of these rows so far; replaced by the merged ones
   * @param partialOut {@code [rows, heads, Dv]}, contiguous, in the layer's type
   * @param partialMax {@code [1, heads, rows, 8]}
   * @param partialSum likewise
   * @return the merge, which the program has
   */
  static PartialMerge record(
      Recording recording,
      Tensor out,
      SoftmaxStats.Piece stats,
      Tensor partialOut,
      Tensor partialMax,
      Tensor partialSum) {
    PartialMerge merge =
        new PartialMerge(recording, out, stats, partialOut, partialMax, partialSum);
    recording.program().add(merge::run);
    if (merge.newMax != stats.max()) {
      recording.copy(stats.max(), merge.newMax);
      recording.copy(stats.sum(), merge.newSum);
    }
    return merge;
  }

  /** Makes room for merges of up to so many rows. */
  static void reserve(Recording recording, long rows) {
    AttentionConfig config = recording.config();
    long outElements = rows * config.heads() * config.headDimV();
    recording.scratch("merge-previous-out", DataType.FLOAT, outElements);
    if (config.dataType() != DataType.FLOAT) {
      recording.scratch("merge-current-out", DataType.FLOAT, outElements);
    }
    long statistics = rows * config.heads() * Recording.STATISTIC_COPIES;
    recording.scratch("merge-previous-max", DataType.FLOAT, statistics);
    recording.scratch("merge-previous-sum", DataType.FLOAT, statistics);
  }

  /** Goes on as if the toolkit had refused the operator. */
  void refuse() {
    refused = true;
  }

  private PartialMerge(
      Recording recording,
      Tensor out,
      SoftmaxStats.Piece stats,
      Tensor partialOut,
      Tensor partialMax,
      Tensor partialSum) {
    this.recording = recording;
    this.out = out;
    long rows = out.size(0);
    long heads = out.size(1);
    long dim = out.size(2);
    long copies = Recording.STATISTIC_COPIES;
    previousOut = copyOf("merge-previous-out", out, rows, heads, dim);
    previousMax = copyOf("merge-previous-max", stats.max(), 1, heads, rows, copies);
    previousSum = copyOf("merge-previous-sum", stats.sum(), 1, heads, rows, copies);
    currentOut =
        partialOut.dataType() == DataType.FLOAT
            ? partialOut
            : copyOf("merge-current-out", partialOut, rows, heads, dim);
    currentMax =
        partialMax.isContiguous()
            ? partialMax
            : copyOf("merge-current-max", partialMax, 1, heads, rows, copies);
    currentSum =
        partialSum.isContiguous()
            ? partialSum
            : copyOf("merge-current-sum", partialSum, 1, heads, rows, copies);
    boolean direct = stats.max().isContiguous();
    newMax =
        direct
            ? stats.max()
            : recording.scratch("merge-new-max", DataType.FLOAT, 1, heads, rows, copies);
    newSum =
        direct
            ? stats.sum()
            : recording.scratch("merge-new-sum", DataType.FLOAT, 1, heads, rows, copies);
    update =
        RingAttentionUpdate.builder()
            .prevAttnOut(previousOut.reshape(rows, 1, heads * dim))
            .prevSoftmaxMax(previousMax)
            .prevSoftmaxSum(previousSum)
            .curAttnOut(currentOut.reshape(rows, 1, heads * dim))
            .curSoftmaxMax(currentMax)
            .curSoftmaxSum(currentSum)
            .inputLayout(Layout.SBH)
            .attnOut(out.reshape(rows, 1, heads * dim))
            .softmaxMax(newMax)
            .softmaxSum(newSum)
            .build();
  }

  private Tensor copyOf(String name, Tensor source, long... shape) {
    Tensor copy = recording.scratch(name, DataType.FLOAT, shape);
    recording.copy(copy, source);
    return copy;
  }

  private void run() {
    if (!refused) {
      try {
        update.run(recording.compute(), recording.workspace());
        return;
      } catch (AclnnException e) {
        if (!e.function().endsWith("GetWorkspaceSize")) {
          throw e;
        }
        refused = true;
        // Every program meets the same refusal, for each shape anew: once is enough to know.
        if (REPORTED.compareAndSet(false, true)) {
          LOG.warn("Merging with elementwise operators, which is slower: {}", e.getMessage());
        }
      }
    }
    runComposed();
  }

  /** The same with elementwise operators; all statistics but the new ones serve as scratch. */
  private void runComposed() {
    var stream = recording.compute();
    var workspace = recording.workspace();
    TensorOps.maximum(previousMax, currentMax, newMax, stream, workspace);
    TensorOps.sub(previousMax, newMax, 1, newSum, stream, workspace);
    TensorOps.exp(newSum, previousMax, stream, workspace);
    TensorOps.mul(previousMax, previousSum, newSum, stream, workspace);
    TensorOps.sub(currentMax, newMax, 1, previousSum, stream, workspace);
    TensorOps.exp(previousSum, currentMax, stream, workspace);
    TensorOps.mul(currentMax, currentSum, previousSum, stream, workspace);
    TensorOps.add(newSum, previousSum, 1, currentSum, stream, workspace);
    TensorOps.div(newSum, currentSum, previousMax, stream, workspace);
    TensorOps.div(previousSum, currentSum, currentMax, stream, workspace);
    TensorOps.inplaceCopy(newSum, currentSum, stream, workspace);
    TensorOps.mul(previousOut, perRow(previousMax), out, stream, workspace);
    TensorOps.mul(currentOut, perRow(currentMax), previousOut, stream, workspace);
    TensorOps.inplaceAdd(out, previousOut, 1, stream, workspace);
  }

  /** {@code [1, heads, rows, 8]} as {@code [rows, heads, 1]}, which broadcasts over a head. */
  private static Tensor perRow(Tensor statistic) {
    long heads = statistic.size(1);
    long rows = statistic.size(2);
    return statistic.reshape(heads, rows, statistic.size(3)).slice(2, 0, 1).permute(1, 0, 2);
  }
}
