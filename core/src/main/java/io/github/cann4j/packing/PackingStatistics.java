// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

/**
 * What a packer has done so far.
 *
 * @param documents documents added, empty ones included
 * @param emptyDocuments documents without tokens, which were left out
 * @param targetlessDocuments documents of which no token, after truncation, was to be predicted
 *     from one before it, which were left out
 * @param splitDocuments documents longer than a sequence that were split
 * @param truncatedDocuments documents longer than a sequence that were truncated
 * @param truncatedTokens tokens that truncation dropped, appended EOD tokens included
 * @param droppedDocuments documents longer than a sequence that were left out
 * @param droppedTokens tokens of those, appended EOD tokens included
 * @param sequences sequences handed out
 * @param tokens tokens in them, appended EOD tokens included
 * @param targetTokens those of them that are to be predicted
 * @param paddingRows padding rows in them
 * @param inOrderSequences sequences that all documents so far need if packed in order, one open at
 *     a time
 */
public record PackingStatistics(
    long documents,
    long emptyDocuments,
    long targetlessDocuments,
    long splitDocuments,
    long truncatedDocuments,
    long truncatedTokens,
    long droppedDocuments,
    long droppedTokens,
    long sequences,
    long tokens,
    long targetTokens,
    long paddingRows,
    long inOrderSequences) {

  /** {@return which part of all rows holds tokens: 0 … 1; 1 if there are no rows} */
  public double fillRate() {
    return sequences == 0 ? 1 : (double) tokens / (tokens + paddingRows);
  }

  /** {@return what {@link #fillRate} would be after packing in order; after {@code finish} only} */
  public double inOrderFillRate() {
    return sequences == 0 ? 1 : fillRate() * sequences / inOrderSequences;
  }
}
