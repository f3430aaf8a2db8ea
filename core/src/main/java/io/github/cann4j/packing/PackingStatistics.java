// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.packing;

/**
 * What a packer has done so far.
 *
 * @param documents documents added, empty ones included
 * @param emptyDocuments documents without tokens, which were left out
 * @param splitDocuments documents longer than a sequence that were split
 * @param truncatedDocuments documents longer than a sequence that were truncated
 * @param truncatedTokens tokens that truncation dropped, appended EOD tokens included
 * @param sequences sequences handed out
 * @param tokens tokens in them, appended EOD tokens included
 * @param paddingRows padding rows in them
 */
public record PackingStatistics(
    long documents,
    long emptyDocuments,
    long splitDocuments,
    long truncatedDocuments,
    long truncatedTokens,
    long sequences,
    long tokens,
    long paddingRows) {}
