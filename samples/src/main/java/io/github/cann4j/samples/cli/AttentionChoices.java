// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.cli;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.aclnn.Layout;
import io.github.cann4j.plan.ExchangePattern;
import io.github.cann4j.plan.Sharding;

/** The choices that attention programs share. */
public final class AttentionChoices {
  /** Element types of tensors. */
  public static final Choice<DataType> DTYPE =
      new Choice<>("--dtype", "fp32", DataType.FLOAT, "bf16", DataType.BF16)
          .or("fp16", DataType.FLOAT16);

  /** Layouts of tensors. */
  public static final Choice<Layout> LAYOUT =
      new Choice<>("--layout", "tnd", Layout.TND, "bsnd", Layout.BSND);

  /** Which rows a ring rank holds. */
  public static final Choice<Sharding> SHARDING =
      new Choice<>("--sharding", "zigzag", Sharding.ZIGZAG, "contiguous", Sharding.CONTIGUOUS)
          .or("balanced", Sharding.BALANCED)
          .or("zigzag-per-document", Sharding.ZIGZAG_PER_DOCUMENT);

  /** Whether the mask follows from the documents' ends or comes as data. */
  public static final Choice<Boolean> GENERAL_MASK =
      new Choice<>("--attention-mask-type", "causal", false, "general", true);

  /** How rows travel between ring ranks. */
  public static final Choice<ExchangePattern> EXCHANGE_PATTERN =
      new Choice<>(
          "--exchange-pattern", "direct", ExchangePattern.DIRECT, "ring", ExchangePattern.RING);

  private AttentionChoices() {}
}
