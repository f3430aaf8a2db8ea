// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Stream;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.toolkit.OptionalFunctions;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;

/**
 * Merges two partial results of the same queries over different keys, {@code
 * aclnnRingAttentionUpdate}, or V2 for statistics in the order of the input: with m = max(m₁, m₂),
 * a = s₁·e^(m₁−m), b = s₂·e^(m₂−m) and s = a + b, the output is o₁·a/s + o₂·b/s, all in fp32. Rows
 * that saw no key (s = 0) must be left out: two of them merge to NaN.
 *
 * <p>Immutable; a record may be run any number of times, from platform threads. All tensors are on
 * one device; outputs overlap nothing, inputs included.
 *
 * @param prevAttnOut first partial output, FLOAT, FLOAT16 or BF16; SBH: [S, B, H], TND: [T, N, D]
 * @param prevSoftmaxMax its row maxima, FLOAT; SBH: [B, N, S, 8], TND: [T, N, 8] stored as
 *     softmaxLayout says
 * @param prevSoftmaxSum its row sums, as the maxima
 * @param curAttnOut second partial output, as the first
 * @param curSoftmaxMax its row maxima
 * @param curSoftmaxSum its row sums
 * @param actualSeqQLen TND only: on the device, INT64, the cumulative ends of the sequences after a
 *     leading 0 (unlike the arrays of the attention operators); null for SBH
 * @param inputLayout SBH or TND
 * @param softmaxLayout TND only: how the statistics are stored
 * @param attnOut merged output, type and shape of the inputs
 * @param softmaxMax merged maxima
 * @param softmaxSum merged sums
 */
public record RingAttentionUpdate(
    Tensor prevAttnOut,
    Tensor prevSoftmaxMax,
    Tensor prevSoftmaxSum,
    Tensor curAttnOut,
    Tensor curSoftmaxMax,
    Tensor curSoftmaxSum,
    Tensor actualSeqQLen,
    Layout inputLayout,
    SoftmaxLayout softmaxLayout,
    Tensor attnOut,
    Tensor softmaxMax,
    Tensor softmaxSum) {
  private static final long TND_HEAD_DIM_GRAIN = 64;
  private static final MemorySegment TND_ORDER = Arena.global().allocateFrom("TND");
  private static final String[] NAMES = {
    "prevAttnOut",
    "prevSoftmaxMax",
    "prevSoftmaxSum",
    "curAttnOut",
    "curSoftmaxMax",
    "curSoftmaxSum",
    "attnOut",
    "softmaxMax",
    "softmaxSum"
  };

  /** Checks everything; throws as {@link Builder#build} says. */
  public RingAttentionUpdate {
    Tensor[] outputs = {prevAttnOut, curAttnOut, attnOut};
    Tensor[] statistics = {
      prevSoftmaxMax, prevSoftmaxSum, curSoftmaxMax, curSoftmaxSum, softmaxMax, softmaxSum
    };
    Tensor[] all = {
      prevAttnOut,
      prevSoftmaxMax,
      prevSoftmaxSum,
      curAttnOut,
      curSoftmaxMax,
      curSoftmaxSum,
      attnOut,
      softmaxMax,
      softmaxSum
    };
    for (int i = 0; i < all.length; i++) {
      Objects.requireNonNull(all[i], NAMES[i]);
    }
    for (int i = 0; i < all.length; i++) {
      requireDevice(all[i], NAMES[i], prevAttnOut);
    }
    requireType(prevAttnOut);
    for (Tensor output : outputs) {
      if (output.dataType() != prevAttnOut.dataType() || !output.hasShapeOf(prevAttnOut)) {
        throw new IllegalArgumentException(
            "prevAttnOut, curAttnOut and attnOut must have one type and shape: %s, %s, %s"
                .formatted(prevAttnOut, curAttnOut, attnOut));
      }
    }
    for (Tensor one : statistics) {
      if (one.dataType() != DataType.FLOAT || !one.hasShapeOf(prevSoftmaxMax)) {
        throw new IllegalArgumentException(
            "the softmax tensors must be FLOAT of one shape: %s and %s"
                .formatted(prevSoftmaxMax, one));
      }
    }
    requireLayout(inputLayout, prevAttnOut, prevSoftmaxMax, actualSeqQLen);
    if (softmaxLayout == SoftmaxLayout.SAME_AS_INPUT) {
      if (inputLayout != Layout.TND) {
        throw new IllegalArgumentException(
            "softmaxLayout %s belongs to layout TND, not to %s"
                .formatted(softmaxLayout, inputLayout));
      }
      OptionalFunctions.require(
          "aclnnRingAttentionUpdateV2",
          "softmaxLayout " + SoftmaxLayout.SAME_AS_INPUT,
          "use SBH with B = 1");
    }
    for (int i = 6; i < all.length; i++) {
      for (int j = 0; j < i; j++) {
        Overlap.refuse(all[i], NAMES[i], all[j], NAMES[j]);
      }
    }
  }

  private static void requireDevice(Tensor tensor, String name, Tensor first) {
    if (tensor.device() != first.device()) {
      throw new IllegalArgumentException(
          "%s is on %s, but prevAttnOut is on %s".formatted(name, tensor.device(), first.device()));
    }
  }

  private static void requireType(Tensor output) {
    DataType type = output.dataType();
    if (type != DataType.FLOAT && type != DataType.FLOAT16 && type != DataType.BF16) {
      throw new UnsupportedOperationException(
          "partial outputs are FLOAT, FLOAT16 or BF16, not %s; cast them to FLOAT".formatted(type));
    }
  }

  private static void requireLayout(
      Layout layout, Tensor output, Tensor statistics, Tensor sequences) {
    if (layout != Layout.SBH && layout != Layout.TND) {
      throw new UnsupportedOperationException(
          ("partial results are merged in layout SBH or TND, not %s;"
                  + " SBH with B = 1 fits contiguous rows")
              .formatted(layout));
    }
    int rank = layout == Layout.SBH ? 4 : 3;
    boolean empty = output.elements() == 0 || statistics.elements() == 0;
    if (empty
        || output.rank() != 3
        || statistics.rank() != rank
        || statistics.size(rank - 1) != 8) {
      throw shapes(layout, output, statistics);
    }
    if (layout == Layout.SBH) {
      long heads = statistics.size(1);
      boolean fits =
          statistics.size(0) == output.size(1)
              && statistics.size(2) == output.size(0)
              && heads > 0
              && output.size(2) % heads == 0;
      if (!fits) {
        throw shapes(layout, output, statistics);
      }
      if (sequences != null) {
        throw new IllegalArgumentException("actualSeqQLen belongs to layout TND, not to SBH");
      }
      return;
    }
    if (statistics.size(0) != output.size(0) || statistics.size(1) != output.size(1)) {
      throw shapes(layout, output, statistics);
    }
    if (sequences == null
        || sequences.dataType() != DataType.INT64
        || sequences.rank() != 1
        || sequences.size(0) < 2) {
      throw new IllegalArgumentException(
          "layout TND needs actualSeqQLen: INT64, one dimension, a 0 and the end of each sequence;"
              + " not "
              + sequences);
    }
    requireDevice(sequences, "actualSeqQLen", output);
    requireSupportedTnd(output);
  }

  private static void requireSupportedTnd(Tensor output) {
    long heads = output.size(1);
    long dim = output.size(2);
    if (dim % TND_HEAD_DIM_GRAIN != 0
        || dim > AttentionSizes.MAX_HEAD_DIM
        || heads > AttentionSizes.MAX_HEADS) {
      throw new UnsupportedOperationException(
          ("layout TND takes head sizes that are multiples of %d up to %d and up to %d heads, not"
                  + " %d and %d; use SBH")
              .formatted(
                  TND_HEAD_DIM_GRAIN,
                  AttentionSizes.MAX_HEAD_DIM,
                  AttentionSizes.MAX_HEADS,
                  dim,
                  heads));
    }
  }

  private static IllegalArgumentException shapes(Layout layout, Tensor output, Tensor statistics) {
    return new IllegalArgumentException(
        "layout %s needs %s, none empty, not %s and %s"
            .formatted(
                layout,
                layout == Layout.SBH
                    ? "outputs [S, B, H] and softmax tensors [B, N, S, 8] with N dividing H"
                    : "outputs [T, N, D] and softmax tensors [T, N, 8]",
                output,
                statistics));
  }

  /**
   * Starts a description.
   *
   * @return an empty builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Submits the operator.
   *
   * @param stream a stream of the tensors' device
   * @param workspace the stream's workspace
   * @throws AclnnException if the toolkit refuses the call
   */
  public void run(Stream stream, Workspace workspace) {
    AttentionChecks.streamDevice(stream, attnOut);
    if (softmaxLayout == SoftmaxLayout.BY_SEQUENCE) {
      Operator.run(
          "aclnnRingAttentionUpdate",
          stream,
          workspace,
          RingAttentionUpdate::plan,
          this,
          cann_h.aclnnRingAttentionUpdate$address());
    } else {
      Operator.run(
          "aclnnRingAttentionUpdateV2",
          stream,
          workspace,
          RingAttentionUpdate::planV2,
          this,
          cann_h.aclnnRingAttentionUpdateV2$address());
    }
    // The views own the handles that the operator was given.
    Reference.reachabilityFence(this);
  }

  private MemorySegment sequences() {
    return actualSeqQLen == null ? MemorySegment.NULL : actualSeqQLen.handle();
  }

  private int plan(MemorySegment size, MemorySegment executor) {
    return cann_h.aclnnRingAttentionUpdateGetWorkspaceSize(
        prevAttnOut.handle(),
        prevSoftmaxMax.handle(),
        prevSoftmaxSum.handle(),
        curAttnOut.handle(),
        curSoftmaxMax.handle(),
        curSoftmaxSum.handle(),
        sequences(),
        inputLayout.text(),
        attnOut.handle(),
        softmaxMax.handle(),
        softmaxSum.handle(),
        size,
        executor);
  }

  private int planV2(MemorySegment size, MemorySegment executor) {
    return cann_h.aclnnRingAttentionUpdateV2GetWorkspaceSize(
        prevAttnOut.handle(),
        prevSoftmaxMax.handle(),
        prevSoftmaxSum.handle(),
        curAttnOut.handle(),
        curSoftmaxMax.handle(),
        curSoftmaxSum.handle(),
        sequences(),
        inputLayout.text(),
        TND_ORDER,
        attnOut.handle(),
        softmaxMax.handle(),
        softmaxSum.handle(),
        size,
        executor);
  }

  /** Collects the parts of a {@link RingAttentionUpdate}. For one thread. */
  public static final class Builder {
    private Tensor prevAttnOut;
    private Tensor prevSoftmaxMax;
    private Tensor prevSoftmaxSum;
    private Tensor curAttnOut;
    private Tensor curSoftmaxMax;
    private Tensor curSoftmaxSum;
    private Tensor actualSeqQLen;
    private Layout inputLayout = Layout.SBH;
    private SoftmaxLayout softmaxLayout = SoftmaxLayout.BY_SEQUENCE;
    private Tensor attnOut;
    private Tensor softmaxMax;
    private Tensor softmaxSum;

    private Builder() {}

    /**
     * Sets the first partial output.
     *
     * @param tensor [S, B, H] or [T, N, D]
     * @return this builder
     */
    public Builder prevAttnOut(Tensor tensor) {
      prevAttnOut = tensor;
      return this;
    }

    /**
     * Sets the row maxima of the first partial result.
     *
     * @param tensor FLOAT, [B, N, S, 8] or [T, N, 8]
     * @return this builder
     */
    public Builder prevSoftmaxMax(Tensor tensor) {
      prevSoftmaxMax = tensor;
      return this;
    }

    /**
     * Sets the row sums of the first partial result.
     *
     * @param tensor shape of the maxima
     * @return this builder
     */
    public Builder prevSoftmaxSum(Tensor tensor) {
      prevSoftmaxSum = tensor;
      return this;
    }

    /**
     * Sets the second partial output.
     *
     * @param tensor type and shape of the first
     * @return this builder
     */
    public Builder curAttnOut(Tensor tensor) {
      curAttnOut = tensor;
      return this;
    }

    /**
     * Sets the row maxima of the second partial result.
     *
     * @param tensor shape of the first's
     * @return this builder
     */
    public Builder curSoftmaxMax(Tensor tensor) {
      curSoftmaxMax = tensor;
      return this;
    }

    /**
     * Sets the row sums of the second partial result.
     *
     * @param tensor shape of the first's
     * @return this builder
     */
    public Builder curSoftmaxSum(Tensor tensor) {
      curSoftmaxSum = tensor;
      return this;
    }

    /**
     * Sets the sequence ends for layout TND.
     *
     * @param tensor INT64 on the device, 0 and the cumulative ends
     * @return this builder
     */
    public Builder actualSeqQLen(Tensor tensor) {
      actualSeqQLen = tensor;
      return this;
    }

    /**
     * Sets the order of dimensions.
     *
     * @param layout SBH, the default, or TND
     * @return this builder
     */
    public Builder inputLayout(Layout layout) {
      inputLayout = layout;
      return this;
    }

    /**
     * Sets the order of the statistics in memory, for layout TND.
     *
     * @param layout {@link SoftmaxLayout#BY_SEQUENCE} by default
     * @return this builder
     */
    public Builder softmaxLayout(SoftmaxLayout layout) {
      softmaxLayout = layout;
      return this;
    }

    /**
     * Sets where to put the merged output.
     *
     * @param tensor type and shape of the partial outputs
     * @return this builder
     */
    public Builder attnOut(Tensor tensor) {
      attnOut = tensor;
      return this;
    }

    /**
     * Sets where to put the merged maxima.
     *
     * @param tensor shape of the partial maxima
     * @return this builder
     */
    public Builder softmaxMax(Tensor tensor) {
      softmaxMax = tensor;
      return this;
    }

    /**
     * Sets where to put the merged sums.
     *
     * @param tensor shape of the partial maxima
     * @return this builder
     */
    public Builder softmaxSum(Tensor tensor) {
      softmaxSum = tensor;
      return this;
    }

    /**
     * Checks and makes the record.
     *
     * @return the record
     * @throws IllegalArgumentException if parts do not fit, with their values
     * @throws UnsupportedOperationException for a layout, type or head size that CANN does not
     *     take, naming the nearest
     */
    public RingAttentionUpdate build() {
      return new RingAttentionUpdate(
          prevAttnOut,
          prevSoftmaxMax,
          prevSoftmaxSum,
          curAttnOut,
          curSoftmaxMax,
          curSoftmaxSum,
          actualSeqQLen,
          inputLayout,
          softmaxLayout,
          attnOut,
          softmaxMax,
          softmaxSum);
    }
  }
}
