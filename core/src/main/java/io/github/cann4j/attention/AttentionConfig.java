// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.plan.CpGrid;
import java.util.stream.IntStream;

/**
 * The shape of an attention layer, the same on every rank.
 *
 * @param heads query heads N, before any split over ranks
 * @param kvHeads key and value heads; divides {@code heads}
 * @param headDim elements D of one query or key head
 * @param headDimV elements Dv of one value head, at most D
 * @param dataType FLOAT, BF16 or FLOAT16, of q, k, v, out and all gradients
 * @param layout {@link Layout#TND} (packed, tensors {@code [rows, N, D]}) or {@link Layout#BSND} (tensors {@code
 *     [batch, rows, N, D]}; every batch element has the plan's documents)
 * @param batchSize batch elements; 1 in TND
 * @param scale factor of the scores q·k, usually 1/√D
 */
public record AttentionConfig(
    int heads,
    int kvHeads,
    int headDim,
    int headDimV,
    DataType dataType,
    Layout layout,
    int batchSize,
    double scale) {

  private static final int ALIGNMENT = 32;

  /** Checks the values; see the parameters. */
  public AttentionConfig {
    if (heads < 1 || heads > 256 || kvHeads < 1 || heads % kvHeads != 0) {
      throw new IllegalArgumentException(
          "heads must be 1 to 256 and a multiple of kv heads, not heads=%d, kvHeads=%d"
              .formatted(heads, kvHeads));
    }
    if (headDim < 1 || headDim > 512 || headDimV < 1 || headDimV > headDim) {
      throw new IllegalArgumentException(
          "head dimensions must satisfy 1 <= Dv <= D <= 512, not D=%d, Dv=%d"
              .formatted(headDim, headDimV));
    }
    if (dataType != DataType.FLOAT && dataType != DataType.BF16 && dataType != DataType.FLOAT16) {
      throw new UnsupportedOperationException(
          "context-parallel attention in "
              + dataType
              + " is not supported; use BF16, FLOAT16 or FLOAT");
    }
    if (layout != Layout.TND && layout != Layout.BSND) {
      throw new UnsupportedOperationException(
          "layout " + layout + " is not supported here; use TND for packed rows or BSND");
    }
    if (batchSize < 1 || layout == Layout.TND && batchSize != 1) {
      throw new IllegalArgumentException(
          "batch size %d does not fit layout %s; TND has none (1), BSND at least 1"
              .formatted(batchSize, layout));
    }
    if (!Double.isFinite(scale)) {
      throw new IllegalArgumentException("scale must be finite, not " + scale);
    }
  }

  /** {@return a builder} */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Refuses a grid whose Ulysses degree exceeds the query heads of this layer, or that would leave
   * rows whose size in bytes is no multiple of 32, on which CANN needs every view aligned.
   * Otherwise any head counts do: the query heads are split as evenly as whole heads can be, kv
   * heads go to the ranks that need them.
   *
   * @param grid the context-parallel grid
   * @throws UnsupportedOperationException naming the nearest degree and algorithm, or head
   *     dimension, that would do
   */
  public void requireSplittable(CpGrid grid) {
    int degree = grid.ulyssesDegree();
    if (heads < degree) {
      int nearest =
          IntStream.rangeClosed(1, heads).filter(d -> grid.size() % d == 0).max().orElseThrow();
      throw new UnsupportedOperationException(
          "Ulysses degree %d is more than heads=%d, so that a rank would have none; the nearest for %d ranks is %s"
              .formatted(
                  degree,
                  heads,
                  grid.size(),
                  nearest > 1
                      ? ContextParallelAlgorithm.HYBRID_CP.option() + " with degree " + nearest
                      : ContextParallelAlgorithm.MEGATRON_CP.option()));
    }
    HeadSplit split = new HeadSplit(heads, kvHeads, degree);
    for (int rank = 0; rank < degree; rank++) {
      for (HeadSplit.Run run : split.runs(rank)) {
        requireAligned(run.heads(), headDim, degree);
        requireAligned(run.heads(), headDimV, degree);
        // A shared head is added to what other ranks computed of it, by itself.
        int together = split.isShared(run.firstKvHead()) ? 1 : run.kvHeads();
        requireAligned(together, headDim, degree);
        requireAligned(together, headDimV, degree);
      }
    }
  }

  private void requireAligned(int rowHeads, int dim, int degree) {
    if ((long) rowHeads * dim * dataType.byteSize() % ALIGNMENT != 0) {
      throw new UnsupportedOperationException(
          ("a row of %d elements of %s per rank (heads=%d, kvHeads=%d, D=%d, Dv=%d, Ulysses degree"
               + " %d) is no multiple of %d bytes; use a head dimension that is a multiple of %d")
              .formatted(
                  (long) rowHeads * dim,
                  dataType,
                  heads,
                  kvHeads,
                  headDim,
                  headDimV,
                  degree,
                  ALIGNMENT,
                  ALIGNMENT / dataType.byteSize()));
    }
  }

  /** Collects the values of an {@link AttentionConfig}. */
  public static final class Builder {
    private int heads;
    private int kvHeads;
    private int headDim;
    private int headDimV;
    private DataType dataType = DataType.BF16;
    private Layout layout = Layout.TND;
    private int batchSize = 1;
    private double scale = Double.NaN;

    private Builder() {}

    /**
     * Sets the head counts.
     *
     * @param heads query heads
     * @param kvHeads key and value heads
     * @return this
     */
    public Builder heads(int heads, int kvHeads) {
      this.heads = heads;
      this.kvHeads = kvHeads;
      return this;
    }

    /**
     * Sets one head dimension for q, k and v.
     *
     * @param headDim elements of a head
     * @return this
     */
    public Builder headDim(int headDim) {
      return headDim(headDim, headDim);
    }

    /**
     * Sets the head dimensions.
     *
     * @param headDim elements of a query or key head
     * @param headDimV elements of a value head
     * @return this
     */
    public Builder headDim(int headDim, int headDimV) {
      this.headDim = headDim;
      this.headDimV = headDimV;
      return this;
    }

    /**
     * Sets the data type; BF16 if never set.
     *
     * @param dataType of all tensors
     * @return this
     */
    public Builder dataType(DataType dataType) {
      this.dataType = dataType;
      return this;
    }

    /**
     * Sets the layout; TND if never set.
     *
     * @param layout of all tensors
     * @return this
     */
    public Builder layout(Layout layout) {
      this.layout = layout;
      return this;
    }

    /**
     * Sets the batch size of BSND; 1 if never set.
     *
     * @param batchSize batch elements
     * @return this
     */
    public Builder batchSize(int batchSize) {
      this.batchSize = batchSize;
      return this;
    }

    /**
     * Sets the factor of the scores; 1/√D if never set.
     *
     * @param scale the factor
     * @return this
     */
    public Builder scale(double scale) {
      this.scale = scale;
      return this;
    }

    /**
     * Checks the values.
     *
     * @return the configuration
     */
    public AttentionConfig build() {
      return new AttentionConfig(
          heads,
          kvHeads,
          headDim,
          headDimV,
          dataType,
          layout,
          batchSize,
          Double.isNaN(scale) ? 1 / Math.sqrt(headDim) : scale);
    }
  }
}
