// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** In which order the softmax statistics of packed sequences (TND) are stored. */
public enum SoftmaxLayout {
  /** Sequence after sequence as [N][its rows][8], though declared as [T, N, 8]. */
  BY_SEQUENCE(""),
  /** As declared, [T, N, 8]; needs a toolkit with the fourth version of the functions. */
  SAME_AS_INPUT("same_as_input");

  private final MemorySegment text;

  SoftmaxLayout(String text) {
    this.text = Arena.global().allocateFrom(text);
  }

  /** CANN's name as a C string. */
  MemorySegment text() {
    return text;
  }
}
