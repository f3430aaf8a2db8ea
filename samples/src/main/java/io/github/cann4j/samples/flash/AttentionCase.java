// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.flash;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.HalfFloats;
import io.github.cann4j.attention.ReferenceAttention;
import io.github.cann4j.packing.PackedSequence;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * Seeded inputs of one attention layer over some documents, rounded to their type, with the fp64
 * reference of all results. Rows lie document after document.
 */
public final class AttentionCase {
  private final PackedSequence documents;
  private final int heads;
  private final int kvHeads;
  private final int headDim;
  private final DataType type;
  private final float[] query;
  private final float[] key;
  private final float[] value;
  private final float[] outGradient;
  private final ReferenceAttention.Forward forward;
  private final ReferenceAttention.Gradients gradients;

  /** Draws the inputs and computes the reference. */
  public AttentionCase(
      PackedSequence documents, int heads, int kvHeads, int headDim, DataType type, long seed) {
    this.documents = documents;
    this.heads = heads;
    this.kvHeads = kvHeads;
    this.headDim = headDim;
    this.type = type;
    RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    int rows = Math.toIntExact(documents.length());
    query = draw(random, rows * heads * headDim);
    key = draw(random, rows * kvHeads * headDim);
    value = draw(random, rows * kvHeads * headDim);
    outGradient = draw(random, rows * heads * headDim);
    ReferenceAttention reference =
        new ReferenceAttention(documents, heads, kvHeads, headDim, headDim, scale());
    forward = reference.forward(query, key, value);
    gradients = reference.backward(query, key, value, outGradient);
  }

  private float[] draw(RandomGenerator random, int elements) {
    float[] values = new float[elements];
    for (int i = 0; i < elements; i++) {
      float value = (float) random.nextGaussian();
      values[i] =
          type == DataType.BF16 ? HalfFloats.bf16ToFloat(HalfFloats.floatToBf16(value)) : value;
    }
    return values;
  }

  PackedSequence documents() {
    return documents;
  }

  int heads() {
    return heads;
  }

  int kvHeads() {
    return kvHeads;
  }

  int headDim() {
    return headDim;
  }

  DataType type() {
    return type;
  }

  double scale() {
    return 1 / Math.sqrt(headDim);
  }

  /** (Query, key) pairs that may attend, per head. */
  long pairs() {
    long pairs = 0;
    for (int i = 0; i < documents.documentCount(); i++) {
      long length = documents.documentLength(i);
      pairs += length * (length + 1) / 2;
    }
    return pairs;
  }

  float[] query() {
    return query;
  }

  float[] key() {
    return key;
  }

  float[] value() {
    return value;
  }

  float[] outGradient() {
    return outGradient;
  }

  double[] expectedOut() {
    return forward.out();
  }

  double[] expectedQueryGradient() {
    return gradients.dq();
  }

  double[] expectedKeyGradient() {
    return gradients.dk();
  }

  double[] expectedValueGradient() {
    return gradients.dv();
  }
}
