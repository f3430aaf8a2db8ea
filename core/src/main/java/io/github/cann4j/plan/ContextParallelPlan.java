// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.TokenType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.Stream;

/**
 * How attention over one packed sequence is spread over context-parallel ranks: which rows a rank
 * holds, which kernel calls it makes and which rows travel. Computed once per batch, the same on
 * every rank, carried out by the executors in {@code io.github.cann4j.attention}.
 *
 * <p>A query row attends to those rows of its document that the mask allows; every such (query,
 * key) pair is in exactly one call of one ring rank, and no other pair is. Padding rows are in no
 * call and no transfer.
 *
 * <p>Three orders of rows occur: <em>global</em> (the packed sequence), a <em>ring rank's local
 * order</em> (its chunks end to end; what steps are counted in) and a <em>CP rank's local
 * order</em>: the ring rank's local rows cut into {@code ulyssesDegree} equal consecutive pieces.
 * With a Ulysses degree of 1 the last two are the same.
 *
 * <p>Immutable and thread-safe. Steps, or what a rank gathers, are derived when first asked for,
 * per ring rank, and kept. Arrays returned are copies.
 */
public final class ContextParallelPlan {
  private final PackedSequence sequence;
  private final CpGrid grid;
  private final Sharding sharding;
  private final ExchangePattern pattern;
  private final AttentionMask mask;
  private final int maxSequencesPerCall;
  private final long maxPairsPerCall;
  private final long maxMaskBytes;
  private final ShardLayout layout;
  private final StepPlanner stepPlanner;
  private final GatherPlanner gatherPlanner;
  private final AllowedPairs pairs;
  private final TrafficBound bound;
  private final AtomicReferenceArray<List<AttentionStep>> steps;
  private final AtomicReferenceArray<KvGather> gathers;
  private volatile byte[] contentHash;

  private ContextParallelPlan(
      Builder builder, ShardLayout layout, AttentionMask simplestMask, AllowedPairs pairs) {
    sequence = builder.sequence;
    grid = builder.grid;
    sharding = builder.sharding;
    pattern = builder.pattern;
    mask = builder.mask;
    maxSequencesPerCall = builder.maxSequencesPerCall;
    maxPairsPerCall = builder.maxPairsPerCall;
    maxMaskBytes = builder.maxMaskBytes;
    this.layout = layout;
    PlanGeometry geometry = new PlanGeometry(sequence, layout, simplestMask);
    stepPlanner = new StepPlanner(geometry, pattern, maxSequencesPerCall, maxPairsPerCall);
    gatherPlanner = new GatherPlanner(geometry, maxSequencesPerCall, maxPairsPerCall);
    this.pairs = pairs;
    bound = new TrafficBound(geometry, pattern);
    steps = new AtomicReferenceArray<>(grid.ringDegree());
    gathers = new AtomicReferenceArray<>(grid.ringDegree());
  }

  /**
   * Starts a plan for a sequence on a grid.
   *
   * @param sequence documents and padding
   * @param grid the ranks
   * @return a builder
   */
  public static Builder builder(PackedSequence sequence, CpGrid grid) {
    return new Builder(sequence, grid);
  }

  /** {@return the documents} */
  public PackedSequence sequence() {
    return sequence;
  }

  /** {@return the ranks} */
  public CpGrid grid() {
    return grid;
  }

  /** {@return which rows a rank holds} */
  public Sharding sharding() {
    return sharding;
  }

  /** {@return how rows travel} */
  public ExchangePattern pattern() {
    return pattern;
  }

  /** {@return which keys of its document a query attends to} */
  public AttentionMask mask() {
    return mask;
  }

  /** {@return most segments that a call has} */
  public int maxSequencesPerCall() {
    return maxSequencesPerCall;
  }

  /** {@return most (query, key) pairs per head that a call has} */
  public long maxPairsPerCall() {
    return maxPairsPerCall;
  }

  /** {@return most bytes of masks that a ring rank may need} */
  public long maxMaskBytes() {
    return maxMaskBytes;
  }

  /**
   * Device memory of the masks that a ring rank needs for a general mask, 0 for all others: a byte
   * per pair of those blocks that are neither allowed nor excluded as a whole.
   *
   * @param ringRank 0 … ring degree − 1
   * @return bytes
   */
  public long maskBytes(int ringRank) {
    return calls(ringRank)
        .filter(call -> call.mask() instanceof CallMask.General)
        .mapToLong(call -> Math.multiplyExact(call.q().length(), call.keys()))
        .sum();
  }

  private Stream<AttentionCall> calls(int ringRank) {
    return pattern == ExchangePattern.ALL_GATHER
        ? Stream.concat(gather(ringRank).localCalls().stream(), gather(ringRank).calls().stream())
        : steps(ringRank).stream().flatMap(step -> step.calls().stream());
  }

  /** {@return rows of each CP rank, padding included} */
  public long localRows() {
    return sequence.length() / grid.size();
  }

  /**
   * Rows of a ring rank, padding included; the same for all.
   *
   * @param ringRank 0 … ring degree − 1
   * @return their number
   */
  public long ringRows(int ringRank) {
    return layout.rows(ringRank);
  }

  /**
   * Rows of a ring rank before padding, a prefix of its local rows.
   *
   * @param ringRank 0 … ring degree − 1
   * @return their number
   */
  public long validRingRows(int ringRank) {
    return layout.rowsBefore(ringRank, sequence.validLength());
  }

  /**
   * Global rows of a ring rank in its local order; ranges ascend and do not touch.
   *
   * @param ringRank 0 … ring degree − 1
   * @return the ranges
   */
  public List<RowRange> ringShard(int ringRank) {
    return layout.global(ringRank, new RowRange(0, layout.rows(ringRank)));
  }

  /**
   * Global rows of a CP rank in its local order; ranges ascend and do not touch.
   *
   * @param cpRank 0 … CP size − 1
   * @return the ranges
   */
  public List<RowRange> shard(int cpRank) {
    long begin = grid.ulyssesRank(cpRank) * localRows();
    return layout.global(grid.ringRank(cpRank), new RowRange(begin, begin + localRows()));
  }

  /**
   * Maps rank-major positions (the local rows of CP rank 0, then those of rank 1, ...) to global
   * rows.
   *
   * @return a new array
   */
  public long[] permutation() {
    long[] permutation = new long[(int) sequence.length()];
    int position = 0;
    for (int rank = 0; rank < grid.size(); rank++) {
      for (RowRange rows : shard(rank)) {
        for (long row = rows.begin(); row < rows.end(); row++) {
          permutation[position++] = row;
        }
      }
    }
    return permutation;
  }

  /**
   * Maps global rows to rank-major positions; see {@link #permutation()}.
   *
   * @return a new array
   */
  public long[] inversePermutation() {
    long[] permutation = permutation();
    long[] inverse = new long[permutation.length];
    for (int position = 0; position < inverse.length; position++) {
      inverse[(int) permutation[position]] = position;
    }
    return inverse;
  }

  /**
   * Position ids of a CP rank's rows, in local order.
   *
   * @param cpRank 0 … CP size − 1
   * @param reset whether they restart at 0 in each document of {@link #sequence()}. Where attention
   *     is not reset but positions are, plan on {@link PackedSequence#asOneDocument()} and {@link
   *     #gather(long[], int) gather} the position ids of the documents
   * @return a new array
   */
  public long[] positionIds(int cpRank, boolean reset) {
    long[] ids = new long[(int) localRows()];
    int offset = 0;
    for (RowRange rows : shard(cpRank)) {
      sequence.positionIds(reset, rows.begin(), rows.end(), ids, offset);
      offset += (int) rows.length();
    }
    return ids;
  }

  /**
   * Labels of a CP rank's rows, in local order: the next token of the same document, also where
   * that row is on another rank, and {@link PackedSequence#IGNORE_LABEL} in a document's last row
   * and in padding.
   *
   * @param cpRank 0 … CP size − 1
   * @param tokens the whole sequence's token ids in global order
   * @param type type of the token ids
   * @return a new array
   */
  public long[] labels(int cpRank, MemorySegment tokens, TokenType type) {
    long[] labels = new long[(int) localRows()];
    int offset = 0;
    for (RowRange rows : shard(cpRank)) {
      sequence.labels(
          tokens, type, PackedSequence.IGNORE_LABEL, rows.begin(), rows.end(), labels, offset);
      offset += (int) rows.length();
    }
    return labels;
  }

  /**
   * Loss weights of a CP rank's rows, in local order; see {@link PackedSequence#lossWeights()}.
   *
   * @param cpRank 0 … CP size − 1
   * @return a new array
   */
  public float[] lossWeights(int cpRank) {
    float[] weights = new float[(int) localRows()];
    int offset = 0;
    for (RowRange rows : shard(cpRank)) {
      sequence.lossWeights(rows.begin(), rows.end(), weights, offset);
      offset += (int) rows.length();
    }
    return weights;
  }

  /**
   * A CP rank's part of one value per global row, in local order.
   *
   * @param global one value per row of the sequence
   * @param cpRank 0 … CP size − 1
   * @return a new array
   */
  public long[] gather(long[] global, int cpRank) {
    long[] local = new long[(int) localRows()];
    gather(MemorySegment.ofArray(global), Long.BYTES, cpRank, MemorySegment.ofArray(local));
    return local;
  }

  /**
   * A CP rank's part of one value per global row, in local order.
   *
   * @param global one value per row of the sequence
   * @param cpRank 0 … CP size − 1
   * @return a new array
   */
  public float[] gather(float[] global, int cpRank) {
    float[] local = new float[(int) localRows()];
    gather(MemorySegment.ofArray(global), Float.BYTES, cpRank, MemorySegment.ofArray(local));
    return local;
  }

  /**
   * Copies a CP rank's rows out of the whole sequence.
   *
   * @param global host memory of {@code sequence().length()} rows of {@code bytesPerRow}
   * @param bytesPerRow size of a row in bytes
   * @param cpRank 0 … CP size − 1
   * @param local host memory of {@link #localRows()} such rows, filled in local order
   * @throws IllegalArgumentException if a segment has another size
   */
  public void gather(MemorySegment global, long bytesPerRow, int cpRank, MemorySegment local) {
    checkSizes(global, bytesPerRow, local);
    long offset = 0;
    for (RowRange rows : shard(cpRank)) {
      long bytes = rows.length() * bytesPerRow;
      MemorySegment.copy(global, rows.begin() * bytesPerRow, local, offset, bytes);
      offset += bytes;
    }
  }

  /**
   * Copies a CP rank's rows to their places in the whole sequence: the inverse of gather.
   *
   * @param local one value per row of the rank, in local order
   * @param bytesPerRow size of a row in bytes
   * @param cpRank 0 … CP size − 1
   * @param global one value per row of the sequence
   */
  public void scatter(MemorySegment local, long bytesPerRow, int cpRank, MemorySegment global) {
    checkSizes(global, bytesPerRow, local);
    long offset = 0;
    for (RowRange rows : shard(cpRank)) {
      long bytes = rows.length() * bytesPerRow;
      MemorySegment.copy(local, offset, global, rows.begin() * bytesPerRow, bytes);
      offset += bytes;
    }
  }

  private void checkSizes(MemorySegment global, long bytesPerRow, MemorySegment local) {
    if (bytesPerRow < 1
        || global.byteSize() != sequence.length() * bytesPerRow
        || local.byteSize() != localRows() * bytesPerRow) {
      throw new IllegalArgumentException(
          "rows of "
              + bytesPerRow
              + " bytes need "
              + sequence.length() * bytesPerRow
              + " bytes for the sequence and "
              + localRows() * bytesPerRow
              + " for a rank, but the segments have "
              + global.byteSize()
              + " and "
              + local.byteSize());
    }
  }

  /**
   * Allowed (query, key) pairs per head whose query row a ring rank holds.
   *
   * @param ringRank 0 … ring degree − 1
   * @return their number
   */
  public long work(int ringRank) {
    long work = 0;
    for (int c = 0; c < layout.chunks(ringRank); c++) {
      work += pairs.pairs(layout.chunkBegin(ringRank, c), layout.chunkEnd(ringRank, c));
    }
    return work;
  }

  /** {@return allowed (query, key) pairs per head of the whole sequence} */
  public long totalWork() {
    return pairs.total();
  }

  /**
   * The steps of a ring rank. There are {@code ringDegree} of them, step i at index i, also where
   * one {@link AttentionStep#isEmpty() has nothing to do}; step 0 is the local one.
   *
   * @param ringRank 0 … ring degree − 1
   * @return an immutable list
   * @throws IllegalStateException if the pattern is {@link ExchangePattern#ALL_GATHER}, which has
   *     {@link #gather} instead
   */
  public List<AttentionStep> steps(int ringRank) {
    Objects.checkIndex(ringRank, grid.ringDegree());
    if (pattern == ExchangePattern.ALL_GATHER) {
      throw new IllegalStateException("a plan with ALL_GATHER has no steps; use gather(ringRank)");
    }
    List<AttentionStep> known = steps.get(ringRank);
    if (known != null) {
      return known;
    }
    steps.compareAndSet(ringRank, null, stepPlanner.steps(ringRank));
    return steps.get(ringRank);
  }

  /**
   * What a ring rank gathers and computes.
   *
   * @param ringRank 0 … ring degree − 1
   * @return its part of the plan
   * @throws IllegalStateException if the pattern is not {@link ExchangePattern#ALL_GATHER}; others
   *     have {@link #steps}
   */
  public KvGather gather(int ringRank) {
    Objects.checkIndex(ringRank, grid.ringDegree());
    if (pattern != ExchangePattern.ALL_GATHER) {
      throw new IllegalStateException(
          "a plan with %s gathers nothing; use steps(ringRank)".formatted(pattern));
    }
    KvGather known = gathers.get(ringRank);
    if (known != null) {
      return known;
    }
    gathers.compareAndSet(ringRank, null, gatherPlanner.gather(ringRank));
    return gathers.get(ringRank);
  }

  /**
   * Key/value rows that a ring rank sends in one forward pass; backward sends them again.
   *
   * @param ringRank 0 … ring degree − 1
   * @return their number
   */
  public long forwardRowsSent(int ringRank) {
    return rows(
        pattern == ExchangePattern.ALL_GATHER
            ? gather(ringRank).sends().stream()
            : steps(ringRank).stream().flatMap(step -> step.kvSend().stream()));
  }

  /**
   * Rows of key/value gradients that a ring rank sends in one backward pass.
   *
   * @param ringRank 0 … ring degree − 1
   * @return their number
   */
  public long gradientRowsSent(int ringRank) {
    return rows(
        pattern == ExchangePattern.ALL_GATHER
            ? gather(ringRank).receives().stream()
            : steps(ringRank).stream().flatMap(step -> step.gradientSend().stream()));
  }

  private static long rows(Stream<Transfer> transfers) {
    return transfers.mapToLong(transfer -> transfer.rows().rows()).sum();
  }

  /**
   * Bytes that a ring rank sends to other ring ranks in one forward pass.
   *
   * @param ringRank 0 … ring degree − 1
   * @param kvBytesPerRow bytes of one row of keys and values together: (D + Dv) * heads * element
   *     size
   * @return bytes
   */
  public long forwardBytesSent(int ringRank, long kvBytesPerRow) {
    return Math.multiplyExact(forwardRowsSent(ringRank), kvBytesPerRow);
  }

  /**
   * Bytes that a ring rank sends to other ring ranks in one backward pass: keys and values again,
   * and their gradients.
   *
   * @param ringRank 0 … ring degree − 1
   * @param kvBytesPerRow bytes of one row of keys and values together
   * @param gradientBytesPerRow bytes of one row of dk and dv together, in the type they travel in
   * @return bytes
   */
  public long backwardBytesSent(int ringRank, long kvBytesPerRow, long gradientBytesPerRow) {
    return Math.addExact(
        forwardBytesSent(ringRank, kvBytesPerRow),
        Math.multiplyExact(gradientRowsSent(ringRank), gradientBytesPerRow));
  }

  /**
   * The fewest bytes that a ring rank can send in one forward pass under this sharding and pattern:
   * each row once to every rank whose queries see it, in a ring once over every link up to the
   * farthest of these. Counted from rows and mask, not from the steps.
   *
   * @param ringRank 0 … ring degree − 1
   * @param kvBytesPerRow bytes of one row of keys and values together
   * @return bytes
   */
  public long forwardBytesBound(int ringRank, long kvBytesPerRow) {
    Objects.checkIndex(ringRank, grid.ringDegree());
    return Math.multiplyExact(bound.forwardRows(ringRank), kvBytesPerRow);
  }

  /**
   * The fewest bytes that a ring rank can send in one backward pass under this sharding and
   * pattern: keys and values as in forward, and the gradients of each row that its queries, or in a
   * ring those of the ranks that the row came from, see.
   *
   * @param ringRank 0 … ring degree − 1
   * @param kvBytesPerRow bytes of one row of keys and values together
   * @param gradientBytesPerRow bytes of one row of dk and dv together, in the type they travel in
   * @return bytes
   */
  public long backwardBytesBound(int ringRank, long kvBytesPerRow, long gradientBytesPerRow) {
    return Math.addExact(
        forwardBytesBound(ringRank, kvBytesPerRow),
        Math.multiplyExact(bound.gradientRows(ringRank), gradientBytesPerRow));
  }

  /**
   * SHA-256 over everything that must agree on all ranks: documents, padding, mask, grid, sharding,
   * pattern and limits; 32 bytes.
   *
   * @return a new array
   */
  public byte[] contentHash() {
    byte[] hash = contentHash;
    if (hash == null) {
      hash = PlanHash.of(this);
      contentHash = hash;
    }
    return hash.clone();
  }

  @Override
  public String toString() {
    return "ContextParallelPlan["
        + sequence
        + ", "
        + mask
        + ", "
        + grid
        + ", "
        + sharding
        + ", "
        + pattern
        + ", hash="
        + HexFormat.of().formatHex(contentHash(), 0, 6)
        + "]";
  }

  /** Collects the options of a plan. Not thread-safe. */
  public static final class Builder {
    private final PackedSequence sequence;
    private final CpGrid grid;
    private Sharding sharding = Sharding.ZIGZAG;
    private ExchangePattern pattern = ExchangePattern.DIRECT;
    private AttentionMask mask = AttentionMask.causal();
    private int maxSequencesPerCall = 2048;
    private long maxPairsPerCall = Long.MAX_VALUE;
    private long maxMaskBytes = 1L << 30;
    private List<List<RowRange>> ringShards;

    private Builder(PackedSequence sequence, CpGrid grid) {
      this.sequence = Objects.requireNonNull(sequence, "sequence");
      this.grid = Objects.requireNonNull(grid, "grid");
    }

    /**
     * Which rows a rank holds; {@link Sharding#ZIGZAG} if not said.
     *
     * @param sharding which rows a rank holds
     * @return this
     */
    public Builder sharding(Sharding sharding) {
      this.sharding = Objects.requireNonNull(sharding, "sharding");
      return this;
    }

    /**
     * How rows travel; {@link ExchangePattern#DIRECT} if not said.
     *
     * @param pattern how rows travel
     * @return this
     */
    public Builder pattern(ExchangePattern pattern) {
      this.pattern = Objects.requireNonNull(pattern, "pattern");
      return this;
    }

    /**
     * Which keys of its document a query attends to; causal if not said.
     *
     * @param mask which keys of its document a query attends to
     * @return this
     */
    public Builder mask(AttentionMask mask) {
      this.mask = Objects.requireNonNull(mask, "mask");
      return this;
    }

    /**
     * Most segments of a kernel call; 2048, CANN's limit, if not said.
     *
     * @param maxSequencesPerCall at least 1
     * @return this
     */
    public Builder maxSequencesPerCall(int maxSequencesPerCall) {
      this.maxSequencesPerCall = maxSequencesPerCall;
      return this;
    }

    /**
     * Most (query, key) pairs per head of a kernel call; no limit if not said.
     *
     * @param maxPairsPerCall at least the keys that one row can have on a ring rank
     * @return this
     */
    public Builder maxPairsPerCall(long maxPairsPerCall) {
      this.maxPairsPerCall = maxPairsPerCall;
      return this;
    }

    /** Everything that determines the plan, equal to that of a builder of the same plan. */
    Object content() {
      return Arrays.asList(
          sequence,
          grid,
          sharding,
          pattern,
          mask,
          maxSequencesPerCall,
          maxPairsPerCall,
          maxMaskBytes,
          ringShards);
    }

    /**
     * Most bytes of masks that a ring rank may need for a general mask; 1 GiB if not said.
     * Attention on a plan that needs more is refused, with the number.
     *
     * @param maxMaskBytes at least 0
     * @return this
     */
    public Builder maxMaskBytes(long maxMaskBytes) {
      this.maxMaskBytes = maxMaskBytes;
      return this;
    }

    /** Any layout with equal row counts; overrides the sharding's. */
    Builder ringShards(List<List<RowRange>> ringShards) {
      this.ringShards = ringShards;
      return this;
    }

    /**
     * Makes the plan.
     *
     * @return what was built
     * @throws IllegalArgumentException if the CP size does not divide the sequence length, the mask
     *     does not fit the documents, or a limit cannot be kept
     */
    public ContextParallelPlan build() {
      if (sequence.length() % grid.size() != 0) {
        throw new IllegalArgumentException(
            "sequence length "
                + sequence.length()
                + " is not divisible by the context-parallel size "
                + grid.size()
                + " (ring "
                + grid.ringDegree()
                + " x Ulysses "
                + grid.ulyssesDegree()
                + "); pad the sequence to "
                + Math.ceilDiv(sequence.length(), grid.size()) * grid.size()
                + " rows or choose a size that divides it");
      }
      if (maxSequencesPerCall < 1) {
        throw new IllegalArgumentException(
            "sequences per call must be at least 1, not " + maxSequencesPerCall);
      }
      if (maxMaskBytes < 0) {
        throw new IllegalArgumentException(
            "bytes of masks must be at least 0, not " + maxMaskBytes);
      }
      mask.requireFits(sequence);
      long ringRows =
          pattern == ExchangePattern.ALL_GATHER
              ? sequence.length()
              : sequence.length() / grid.ringDegree();
      // A query row is never split, and it has at most this many keys in one call.
      long widestRow = Math.min(ringRows, sequence.longestDocument());
      if (maxPairsPerCall < Math.max(1, widestRow)) {
        throw new IllegalArgumentException(
            "at most "
                + maxPairsPerCall
                + " pairs per call cannot be kept: one query row alone may have "
                + Math.max(1, widestRow)
                + " keys on a ring rank (longest document "
                + sequence.longestDocument()
                + ", "
                + ringRows
                + " rows at hand on a ring rank); raise the limit to at least that");
      }
      AttentionMask simplest = SeenRows.simplest(sequence, mask);
      AllowedPairs pairs = new AllowedPairs(sequence, simplest);
      return new ContextParallelPlan(
          this,
          ringShards == null
              ? ShardLayout.of(sharding, sequence, simplest, pairs, grid.ringDegree())
              : ShardLayout.of(ringShards),
          simplest,
          pairs);
    }
  }
}
