// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

/** How a packer chooses the sequence that a document goes into. */
public enum PackingStrategy {
  /** Documents go into one sequence after the other as they come; needs no storage. */
  IN_ORDER,
  /**
   * All documents are collected first, in a temporary file; then the longest is placed first, and
   * each into the first sequence that has room for it. Where that would need more sequences than
   * documents in order, they are packed in order. Sequences come in the order of their first
   * documents, and documents inside a sequence in the order in which they were added.
   */
  FIRST_FIT_DECREASING
}
