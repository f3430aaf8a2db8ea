// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.plan.AttentionMask;
import io.github.cann4j.plan.GeneralMask;
import io.github.cann4j.plan.RowRange;

/** Causal documents as a mask like any other. */
public final class DocumentPattern {
  private DocumentPattern() {}

  /**
   * The pairs that causal documents allow, one by one instead of by a rule; for a plan on {@link
   * PackedSequence#asOneDocument()}.
   */
  public static AttentionMask mask(PackedSequence documents) {
    GeneralMask.Builder pattern = GeneralMask.builder(documents.length());
    for (int d = 0; d < documents.documentCount(); d++) {
      RowRange rows = new RowRange(documents.documentBegin(d), documents.documentEnd(d));
      pattern.allowCausal(rows, rows);
    }
    return AttentionMask.general(pattern.build());
  }
}
