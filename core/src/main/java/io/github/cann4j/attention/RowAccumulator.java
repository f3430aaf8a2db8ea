// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.plan.RowRange;

/**
 * Sums partial results in fp32 in those rows of a tensor that several steps contribute to. An fp32 tensor is its own
 * accumulator.
 */
final class RowAccumulator {
  private final Recording recording;
  private final Tensor target;
  private final RowRange range;
  private final Tensor sums;

  RowAccumulator(Recording recording, String name, Tensor target, RowRange range) {
    this.recording = recording;
    this.target = target;
    this.range = range;
    if (range.isEmpty()) {
      sums = null;
    } else if (target.dataType() == DataType.FLOAT) {
      sums = Recording.rows(target, range);
    } else {
      sums =
          recording.scratch(
              name, DataType.FLOAT, target.size(0), range.length(), target.size(2), target.size(3));
    }
  }

  /** Starts from what the target holds. */
  void begin() {
    if (sums != null && target.dataType() != DataType.FLOAT) {
      recording.copy(sums, Recording.rows(target, range));
    }
  }

  /** Starts from nothing. */
  void zero() {
    if (sums != null) {
      recording.zero(sums);
    }
  }

  /** The fp32 sums of some rows of the range. */
  Tensor rows(RowRange rows) {
    return Recording.rows(sums, rows.shift(-range.begin()));
  }

  void add(RowRange rows, Tensor partial) {
    recording.add(rows(rows), partial);
  }

  void finish() {
    if (sums != null && target.dataType() != DataType.FLOAT) {
      recording.copy(Recording.rows(target, range), sums);
    }
  }
}
