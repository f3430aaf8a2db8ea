// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;

/** What becomes of the losses of rows. */
public enum Reduction {
  /** Their mean over the rows that count. */
  MEAN,
  /** Their sum. */
  SUM,
  /** They stay. */
  NONE;

  private final MemorySegment text = Arena.global().allocateFrom(name().toLowerCase(Locale.ROOT));

  /** CANN's name as a C string. */
  MemorySegment text() {
    return text;
  }
}
