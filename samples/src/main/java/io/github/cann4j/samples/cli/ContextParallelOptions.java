// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.attention.ContextParallelAlgorithm;
import io.github.cann4j.plan.CpGrid;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.Sharding;
import picocli.CommandLine.Option;

/** The options that say how attention is spread over ranks and which tokens see each other. */
public final class ContextParallelOptions {
  @Option(
      names = "--context-parallel-size",
      paramLabel = "N",
      defaultValue = "4",
      description = "Context-parallel ranks; divides --seq-length (default: ${DEFAULT-VALUE}).")
  private int size;

  @Option(
      names = "--ulysses-degree-in-cp",
      paramLabel = "N",
      description =
          "Ranks of a Ulysses group in hybrid_cp_algo (default: 2 if that divides the ranks, else"
              + " all of them).")
  private Integer ulyssesDegree;

  @Option(
      names = "--attention-mask-type",
      paramLabel = "NAME",
      defaultValue = "causal",
      description =
          "causal, or general: the same pairs of tokens, but given as a mask like any other"
              + " (default: ${DEFAULT-VALUE}).")
  private String maskType;

  @Option(
      names = "--reset-position-ids",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description = "Restart position ids after each EOD token (default: ${DEFAULT-VALUE}).")
  private boolean resetPositionIds;

  @Option(
      names = "--reset-attention-mask",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description =
          "Attend inside each document only; else over the whole sequence (default:"
              + " ${DEFAULT-VALUE}).")
  private boolean resetAttentionMask;

  @Option(
      names = "--dtype",
      paramLabel = "NAME",
      defaultValue = "fp32",
      description = "Type of attention's tensors: fp32, bf16 or fp16 (default: ${DEFAULT-VALUE}).")
  private String dtype;

  @Option(
      names = "--exchange-pattern",
      paramLabel = "NAME",
      defaultValue = "direct",
      description =
          "How keys and values travel in megatron_cp_algo and hybrid_cp_algo: direct (to the rank"
              + " that needs them) or ring (to the previous rank) (default: ${DEFAULT-VALUE}).")
  private String exchangePattern;

  @Option(
      names = "--sharding",
      paramLabel = "NAME",
      defaultValue = "zigzag",
      description =
          "Rows of a ring rank: zigzag, contiguous, balanced (even work on packed documents, few"
              + " rows sent) or zigzag-per-document (default: ${DEFAULT-VALUE}).")
  private String sharding;

  /** The context-parallel ranks. */
  public int size() {
    return size;
  }

  /** Whether the mask comes as data instead of following from the documents' ends. */
  public boolean generalMask() {
    return AttentionChoices.GENERAL_MASK.parse(maskType);
  }

  /** Whether position ids restart in each document. */
  public boolean resetPositionIds() {
    return resetPositionIds;
  }

  /** Whether tokens attend inside their document only. */
  public boolean resetAttentionMask() {
    return resetAttentionMask;
  }

  /** The type of attention's tensors. */
  public DataType dataType() {
    return AttentionChoices.DTYPE.parse(dtype);
  }

  /** Which rows a ring rank holds. */
  public Sharding sharding() {
    return AttentionChoices.SHARDING.parse(sharding);
  }

  /** How rows travel in an algorithm: as asked between ranks of a ring, else as it must. */
  public ExchangePattern pattern(ContextParallelAlgorithm algorithm) {
    ExchangePattern asked = AttentionChoices.EXCHANGE_PATTERN.parse(exchangePattern);
    return algorithm.pattern() == ExchangePattern.DIRECT ? asked : algorithm.pattern();
  }

  /** The ranks of an algorithm as a grid. */
  public CpGrid grid(ContextParallelAlgorithm algorithm) {
    return BadInputException.check(
        () ->
            algorithm.grid(size, ulyssesDegree != null ? ulyssesDegree : size % 2 == 0 ? 2 : size));
  }

  /** Refuses a number of ranks below one, or one that does not divide a sequence. */
  public void requireDivides(int seqLength) {
    Numbers.requireAtLeast("--seq-length", seqLength, 1);
    Numbers.requireAtLeast("--context-parallel-size", size, 1);
    if (seqLength % size != 0) {
      throw new BadInputException(
          "--seq-length %d is not divisible by --context-parallel-size %d; %s would be"
              .formatted(seqLength, size, Numbers.nearestMultiples(seqLength, size)));
    }
  }
}
