// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.benchmarks.attention;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.HalfFloats;
import io.github.cann4j.benchmarks.attention.AttentionRunner.Result;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/**
 * The same inputs for every implementation, whatever the order of its elements: a value is a
 * function of its place (row, head, element), a multiple of 1/128 below 1, which all types hold
 * exactly.
 */
public final class AttentionInputs {
  private static final int SAMPLES = 64;

  private AttentionInputs() {}

  /** An input tensor. */
  public enum Input {
    QUERY,
    KEY,
    VALUE,
    OUT_GRADIENT
  }

  /** Place of an element in a tensor of rows, heads and elements. */
  public record Place(long row, int head, int element) {}

  private static int mix(long value) {
    long bits = value * 0x9e3779b97f4a7c15L;
    bits = (bits ^ bits >>> 32) * 0xd6e8feb86659fd93L;
    return (int) (bits >>> 40);
  }

  private static float value(Input input, long row, int head, int element) {
    long place = ((row << 8 | head) << 10 | element) << 2 | input.ordinal();
    return ((mix(place) & 255) - 127.5f + 0.5f) / 128;
  }

  /**
   * Writes an input.
   *
   * @param headsFirst whether the rows of one head follow one another, instead of the heads of one
   *     row
   */
  public static void fill(
      MemorySegment target, AttentionShape shape, Input input, boolean headsFirst) {
    int heads = heads(shape, input == Input.QUERY || input == Input.OUT_GRADIENT);
    int dim = input == Input.QUERY || input == Input.KEY ? shape.dim() : shape.valueDim();
    long rows = shape.length();
    IntStream.range(0, heads)
        .parallel()
        .forEach(
            head -> {
              for (long row = 0; row < rows; row++) {
                long first = (headsFirst ? head * rows + row : row * heads + head) * dim;
                for (int i = 0; i < dim; i++) {
                  put(target, shape.type(), first + i, value(input, row, head, i));
                }
              }
            });
  }

  /** Places spread over a result; the same ones on every call. */
  public static Place[] places(AttentionShape shape, Result result) {
    int heads = heads(shape, result == Result.OUT || result == Result.QUERY_GRADIENT);
    int dim =
        result == Result.OUT || result == Result.VALUE_GRADIENT ? shape.valueDim() : shape.dim();
    Place[] places = new Place[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
      places[i] =
          new Place(
              Math.floorMod(mix(3L * i), shape.length()),
              Math.floorMod(mix(3L * i + 1), heads),
              Math.floorMod(mix(3L * i + 2), dim));
    }
    return places;
  }

  /** Reads the places of a result; the order of elements as in {@link #fill}. */
  public static double[] sample(
      MemorySegment source, AttentionShape shape, Result result, boolean headsFirst) {
    int heads = heads(shape, result == Result.OUT || result == Result.QUERY_GRADIENT);
    int dim =
        result == Result.OUT || result == Result.VALUE_GRADIENT ? shape.valueDim() : shape.dim();
    Place[] places = places(shape, result);
    double[] values = new double[places.length];
    for (int i = 0; i < values.length; i++) {
      Place p = places[i];
      long row = headsFirst ? p.head() * shape.length() + p.row() : p.row() * heads + p.head();
      values[i] = get(source, shape.type(), row * dim + p.element());
    }
    return values;
  }

  private static int heads(AttentionShape shape, boolean query) {
    return query ? shape.heads() : shape.kvHeads();
  }

  private static void put(MemorySegment target, DataType type, long index, float value) {
    switch (type) {
      case FLOAT -> target.setAtIndex(ValueLayout.JAVA_FLOAT, index, value);
      case BF16 -> target.setAtIndex(ValueLayout.JAVA_SHORT, index, HalfFloats.floatToBf16(value));
      case FLOAT16 ->
          target.setAtIndex(ValueLayout.JAVA_SHORT, index, HalfFloats.floatToFp16(value));
      default -> throw new IllegalArgumentException("type " + type);
    }
  }

  private static float get(MemorySegment source, DataType type, long index) {
    return switch (type) {
      case FLOAT -> source.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, index);
      case BF16 ->
          HalfFloats.bf16ToFloat(source.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, index));
      case FLOAT16 ->
          HalfFloats.fp16ToFloat(source.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, index));
      default -> throw new IllegalArgumentException("type " + type);
    };
  }
}
