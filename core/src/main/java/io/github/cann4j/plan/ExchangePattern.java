// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.plan;

/** How key/value rows, and the gradients of them, travel between ring ranks. */
public enum ExchangePattern {
  /**
   * In step i rank r receives the rows it needs straight from their owner r-i and sends its own to
   * r+i (modulo the ring degree); gradients go straight back. Sends only rows that the receiver
   * needs.
   */
  DIRECT,
  /**
   * In step i rank r works on the rows of owner r+i, received from r+1, where they were in step
   * i-1; only neighbours talk. Gradient accumulators, in fp32, travel on with the rows and reach
   * the owner after the last step. A rank passes on what the ranks after it still need.
   */
  RING,
  /**
   * Every rank first gathers all rows that it needs, each straight from its owner, and then
   * computes without merging; their gradients go straight back, in fp32. Takes memory for all these
   * rows at once. Sends only rows that the receiver needs.
   */
  ALL_GATHER
}
