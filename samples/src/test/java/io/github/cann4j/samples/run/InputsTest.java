// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.samples.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.attention.AttentionConfig;
import io.github.cann4j.attention.ReferenceAttention;
import io.github.cann4j.packing.PackedSequence;
import io.github.cann4j.packing.PackedTokens;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class InputsTest {
  private static final int DIM = 8;
  private static final PackedSequence DOCUMENTS =
      PackedSequence.ofLengths(new long[] {40, 1, 25, 3}, 72);

  private static AttentionConfig config(DataType type) {
    return AttentionConfig.builder().heads(4, 2).headDim(DIM).dataType(type).build();
  }

  private static AttentionInputs inputs(boolean reset, DataType type, long seed) {
    int[] tokens = IntStream.range(0, 72).map(i -> i * i % 17).toArray();
    return new AttentionInputs(config(type), PackedTokens.of(DOCUMENTS, tokens), reset, seed);
  }

  private static float[] row(AttentionInputs inputs, Part part, long row) {
    float[] values = new float[inputs.width(part)];
    inputs.row(part, row, 0, inputs.heads(part), values, 0);
    return values;
  }

  @Test
  void sameSeedTokenAndPositionGiveTheSameRow() {
    for (Part part : Part.values()) {
      assertArrayEquals(
          row(inputs(true, DataType.FLOAT, 3), part, 11),
          row(inputs(true, DataType.FLOAT, 3), part, 11));
      assertFalse(
          Arrays.equals(
              row(inputs(true, DataType.FLOAT, 3), part, 11),
              row(inputs(true, DataType.FLOAT, 4), part, 11)),
          part::toString);
    }
  }

  @Test
  void aHeadAloneIsThatHeadOfTheRow() {
    AttentionInputs inputs = inputs(true, DataType.FLOAT, 1);
    for (Part part : Part.values()) {
      float[] all = row(inputs, part, 20);
      float[] head = new float[DIM];
      inputs.row(part, 20, 1, 2, head, 0);
      assertArrayEquals(Arrays.copyOfRange(all, DIM, 2 * DIM), head);
    }
  }

  @Test
  void scoresDependOnTheDistanceOfPositions() {
    TokenProjection projection = new TokenProjection(1, 1, 1, DIM, 1000);
    assertEquals(score(projection, 5, 3), score(projection, 905, 903), 1e-4);
    assertTrue(Math.abs(score(projection, 5, 3) - score(projection, 5, 0)) > 1e-3);
  }

  private static double score(TokenProjection projection, int queryAt, int keyAt) {
    float[] query = new float[DIM];
    float[] key = new float[DIM];
    projection.project(Part.QUERY, 42, queryAt, 0, 1, query, 0);
    projection.project(Part.KEY, 43, keyAt, 0, 1, key, 0);
    return IntStream.range(0, DIM).mapToDouble(d -> (double) query[d] * key[d]).sum();
  }

  @Test
  void resettingPositionsMattersAfterTheFirstDocument() {
    AttentionInputs reset = inputs(true, DataType.FLOAT, 1);
    AttentionInputs running = inputs(false, DataType.FLOAT, 1);
    assertArrayEquals(row(reset, Part.QUERY, 39), row(running, Part.QUERY, 39));
    assertFalse(Arrays.equals(row(reset, Part.QUERY, 45), row(running, Part.QUERY, 45)));
    assertArrayEquals(row(reset, Part.VALUE, 45), row(running, Part.VALUE, 45));
  }

  @Test
  void valuesHaveMeanZeroAndVarianceOne() {
    TokenProjection projection = new TokenProjection(1, 4, 4, 64, 0);
    double sum = 0;
    double squares = 0;
    float[] row = new float[256];
    for (int token = 0; token < 200; token++) {
      projection.project(Part.VALUE, token, 0, 0, 4, row, 0);
      for (float value : row) {
        sum += value;
        squares += value * value;
      }
    }
    int count = 200 * 256;
    assertEquals(0, sum / count, 0.05);
    assertEquals(1, squares / count, 0.2);
  }

  /** The sampled rows agree with core's reference, which is written another way. */
  @ParameterizedTest
  @EnumSource(names = {"FLOAT", "BF16"})
  void sampledRowsAgreeWithTheReference(DataType type) {
    AttentionConfig config = config(type);
    AttentionInputs inputs = inputs(true, type, 9);
    ReferenceRows sampled = new ReferenceRows(inputs, config, DOCUMENTS, 4);
    assertEquals(69, sampled.rows());

    ReferenceAttention reference =
        new ReferenceAttention(DOCUMENTS, 4, 2, DIM, DIM, config.scale());
    float[] q = all(inputs, Part.QUERY);
    float[] k = all(inputs, Part.KEY);
    float[] v = all(inputs, Part.VALUE);
    ReferenceAttention.Gradients gradients =
        reference.backward(q, k, v, all(inputs, Part.OUT_GRADIENT));
    compare(sampled, OutputPart.OUT, reference.forward(q, k, v).out());
    compare(sampled, OutputPart.QUERY_GRADIENT, gradients.dq());
    compare(sampled, OutputPart.KEY_GRADIENT, gradients.dk());
    compare(sampled, OutputPart.VALUE_GRADIENT, gradients.dv());
  }

  private static float[] all(AttentionInputs inputs, Part part) {
    int width = inputs.width(part);
    float[] values = new float[72 * width];
    for (int row = 0; row < 72; row++) {
      inputs.roundedRow(part, row, 0, inputs.heads(part), values, row * width);
    }
    return values;
  }

  private static void compare(ReferenceRows sampled, OutputPart part, double[] expected) {
    ErrorMeter meter = new ErrorMeter(new Tolerance(1e-6, 1e-6));
    float[] values = new float[expected.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) expected[i];
    }
    int width = values.length / 72;
    for (int row = 0; row < 72; row++) {
      sampled.compare(part, row, values, row * width, meter);
    }
    assertEquals(69L * width, meter.count());
    assertTrue(meter.passed(), meter::worst);
  }

  @Test
  void rowsOfALongDocumentAreItsLastOnes() {
    PackedSequence one = PackedSequence.ofLengths(72);
    AttentionConfig config =
        AttentionConfig.builder().heads(256, 256).headDim(DIM).dataType(DataType.FLOAT).build();
    int[] tokens = new int[72];
    AttentionInputs inputs = new AttentionInputs(config, PackedTokens.of(one, tokens), true, 1);
    ReferenceRows sampled = new ReferenceRows(inputs, config, one, 1);
    assertEquals(54, sampled.rows());
    ErrorMeter meter = new ErrorMeter(new Tolerance(1, 1));
    sampled.compare(OutputPart.OUT, 17, new float[256 * DIM], 0, meter);
    assertEquals(0, meter.count());
    sampled.compare(OutputPart.OUT, 18, new float[256 * DIM], 0, meter);
    assertEquals(256 * DIM, meter.count());
  }
}
