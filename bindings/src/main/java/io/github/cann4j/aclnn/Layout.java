// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * How the dimensions of an attention tensor are ordered: B batch, S sequence, N heads, D head size,
 * H = N·D with the heads one after the other, T all tokens of packed sequences.
 */
public enum Layout {
  /** [T, N, D], packed sequences of different lengths. */
  TND,
  /** [B, S, N, D]. */
  BSND,
  /** [B, N, S, D]. */
  BNSD,
  /** [B, S, H]. */
  BSH,
  /** [S, B, H]. */
  SBH;

  private final MemorySegment text = Arena.global().allocateFrom(name());

  /** CANN's name as a C string. */
  MemorySegment text() {
    return text;
  }
}
