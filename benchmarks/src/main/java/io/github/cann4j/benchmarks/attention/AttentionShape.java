// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.packing.PackedSequence;
import java.util.List;
import java.util.Locale;

/**
 * Causal attention of one size.
 *
 * @param type FLOAT, BF16 or FLOAT16
 * @param documents lengths of packed documents, which follow one another; one for a dense sequence
 * @param heads query heads
 * @param kvHeads key and value heads
 * @param dim elements of a query or key row of one head
 * @param valueDim elements of a value row of one head
 */
public record AttentionShape(
    DataType type, List<Long> documents, int heads, int kvHeads, int dim, int valueDim) {

  public AttentionShape {
    documents = List.copyOf(documents);
  }

  /** One sequence, as many key heads as query heads. */
  public static AttentionShape dense(DataType type, long length, int heads, int dim) {
    return new AttentionShape(type, List.of(length), heads, heads, dim, dim);
  }

  /** The same in another type. */
  public AttentionShape withType(DataType other) {
    return new AttentionShape(other, documents, heads, kvHeads, dim, valueDim);
  }

  /** Rows of all documents together. */
  public long length() {
    return documents.stream().mapToLong(Long::longValue).sum();
  }

  /** Whether there is more than one document. */
  public boolean packed() {
    return documents.size() > 1;
  }

  /** Floating-point operations of a forward pass, over allowed (query, key) pairs only. */
  public double forwardFlops() {
    double pairs = documents.stream().mapToDouble(n -> 0.5 * n * (n + 1)).sum();
    return 2.0 * (dim + valueDim) * heads * pairs;
  }

  /** As many again for the gradient, 2.5 times. */
  public double backwardFlops() {
    return 2.5 * forwardFlops();
  }

  PackedSequence packedSequence() {
    return PackedSequence.ofLengths(documents.stream().mapToLong(Long::longValue).toArray());
  }

  /** How people write the type. */
  public String typeName() {
    return switch (type) {
      case FLOAT -> "fp32";
      case BF16 -> "bf16";
      case FLOAT16 -> "fp16";
      default -> type.name().toLowerCase(Locale.ROOT);
    };
  }

  /** The sizes of heads, such as "N 8, D 128" or "N 8/2, D 192/128". */
  public String headSizes() {
    return "N %s, D %s".formatted(pair(heads, kvHeads), pair(dim, valueDim));
  }

  private static String pair(int first, int second) {
    return first == second ? "" + first : first + "/" + second;
  }
}
