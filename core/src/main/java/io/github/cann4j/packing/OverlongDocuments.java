// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

/** What a packer does with a document that is longer than a sequence. */
public enum OverlongDocuments {
  /** Throws {@link IllegalArgumentException}. */
  REFUSE,
  /**
   * Cuts it into pieces of one whole sequence each and a rest that is packed like any document.
   * Pieces do not attend to each other.
   */
  SPLIT,
  /** Keeps as many tokens as a sequence has rows, from the document's beginning. */
  TRUNCATE,
  /** Leaves it out. */
  DROP
}
