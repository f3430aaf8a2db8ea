// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.HalfFloats;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.support.Bench;
import io.github.cann4j.support.Seed;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

@Tag("npu")
class TensorOpsTest {
  private Bench bench;

  @BeforeEach
  void open() {
    bench = new Bench(6);
  }

  @AfterEach
  void close() {
    bench.close();
  }

  private Tensor floats(float... values) {
    return bench.of(DataType.FLOAT, values, values.length);
  }

  private void assertValues(Tensor tensor, float... expected) {
    assertArrayEquals(expected, bench.floats(tensor), 1e-6f);
  }

  @Test
  void arithmetic() {
    Tensor a = floats(1, 2, 3, 4);
    Tensor b = floats(8, 6, -4, 0.5f);
    Tensor out = bench.garbage(DataType.FLOAT, 4);
    TensorOps.add(a, b, 0.5, out, bench.stream, bench.workspace);
    assertValues(out, 5, 5, 1, 4.25f);
    TensorOps.sub(a, b, 2, out, bench.stream, bench.workspace);
    assertValues(out, -15, -10, 11, 3);
    TensorOps.mul(a, b, out, bench.stream, bench.workspace);
    assertValues(out, 8, 12, -12, 2);
    TensorOps.div(a, b, out, bench.stream, bench.workspace);
    assertValues(out, 0.125f, 2 / 6f, -0.75f, 8);
    TensorOps.maximum(a, b, out, bench.stream, bench.workspace);
    assertValues(out, 8, 6, 3, 4);
    TensorOps.muls(a, -2, out, bench.stream, bench.workspace);
    assertValues(out, -2, -4, -6, -8);
    TensorOps.exp(floats(0, 1, -1, 0.5f), out, bench.stream, bench.workspace);
    assertValues(out, 1, (float) Math.E, (float) Math.exp(-1), (float) Math.exp(0.5));
    TensorOps.inplaceAdd(a, b, -1, bench.stream, bench.workspace);
    assertValues(a, -7, -4, 7, 3.5f);
    TensorOps.inplaceMuls(a, 2, bench.stream, bench.workspace);
    assertValues(a, -14, -8, 14, 7);
    TensorOps.inplaceZero(a, bench.stream, bench.workspace);
    assertValues(a, 0, 0, 0, 0);
  }

  @Test
  void theRestOfArithmetic() {
    Tensor a = floats(1, 2, 3, 4);
    Tensor b = floats(8, 6, -4, 0.5f);
    Tensor out = bench.garbage(DataType.FLOAT, 4);
    TensorOps.adds(a, 10, 0.5, out, bench.stream, bench.workspace);
    assertValues(out, 6, 7, 8, 9);
    TensorOps.neg(a, out, bench.stream, bench.workspace);
    assertValues(out, -1, -2, -3, -4);
    TensorOps.log(a, out, bench.stream, bench.workspace);
    assertValues(out, 0, (float) Math.log(2), (float) Math.log(3), (float) Math.log(4));
    TensorOps.silu(a, out, bench.stream, bench.workspace);
    float[] expected = new float[4];
    for (int i = 0; i < 4; i++) {
      expected[i] = (float) ((i + 1) / (1 + Math.exp(-i - 1)));
    }
    assertValues(out, expected);
    TensorOps.inplaceAdds(a, 1, 2, bench.stream, bench.workspace);
    assertValues(a, 3, 4, 5, 6);
    TensorOps.inplaceSub(a, b, 0.5, bench.stream, bench.workspace);
    assertValues(a, -1, 1, 7, 5.75f);
    TensorOps.inplaceMul(a, b, bench.stream, bench.workspace);
    assertValues(a, -8, 6, -28, 2.875f);
    TensorOps.inplaceDiv(a, b, bench.stream, bench.workspace);
    assertValues(a, -1, 1, 7, 5.75f);
    TensorOps.inplaceFillScalar(a, 0.5, bench.stream, bench.workspace);
    TensorOps.inplaceExp(a, bench.stream, bench.workspace);
    float e = (float) Math.exp(0.5);
    assertValues(a, e, e, e, e);
    Tensor condition = bench.garbage(DataType.BOOL, 4);
    condition.buffer().copyFrom(java.lang.foreign.MemorySegment.ofArray(new byte[] {1, 0, 0, 1}));
    TensorOps.sWhere(condition, a, b, out, bench.stream, bench.workspace);
    assertValues(out, e, 6, -4, e);
  }

  @Test
  void operandsBroadcastAndResultsMayReplaceThem() {
    Tensor matrix = bench.of(DataType.FLOAT, new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    TensorOps.add(matrix, floats(10, 20, 30), 1, matrix, bench.stream, bench.workspace);
    assertValues(matrix, 11, 22, 33, 14, 25, 36);
    Tensor column = bench.of(DataType.FLOAT, new float[] {2, 3}, 2, 1);
    TensorOps.mul(matrix, column, matrix, bench.stream, bench.workspace);
    assertValues(matrix, 22, 44, 66, 42, 75, 108);
  }

  @Test
  void integersAddExactly() {
    Tensor a = bench.ints(Integer.MAX_VALUE - 5, 7);
    TensorOps.inplaceAdd(a, bench.ints(1, 2), 3, bench.stream, bench.workspace);
    assertArrayEquals(new int[] {Integer.MAX_VALUE - 2, 13}, bench.intsOf(a));
    String message = refused(() -> TensorOps.inplaceAdd(a, a, 0.5, bench.stream, bench.workspace));
    assertTrue(message.contains("0.5") && message.contains("INT32"), message);
  }

  @Test
  void castRoundsToNearestEven() {
    Tensor source = bench.normal(Seed.random("castRoundsToNearestEven"), DataType.FLOAT, 1000);
    Tensor narrow = bench.garbage(DataType.BF16, 1000);
    Tensor wide = bench.garbage(DataType.FLOAT, 1000);
    TensorOps.cast(source, narrow, bench.stream, bench.workspace);
    TensorOps.cast(narrow, wide, bench.stream, bench.workspace);
    float[] expected = bench.floats(source);
    for (int i = 0; i < expected.length; i++) {
      expected[i] = HalfFloats.bf16ToFloat(HalfFloats.floatToBf16(expected[i]));
    }
    assertArrayEquals(expected, bench.floats(wide));
  }

  @Test
  void copiesAreStridedCastAndBroadcast() {
    Tensor source = bench.of(DataType.FLOAT, new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    // Columns 16 and 17: CANN wants views that begin on a multiple of 32 bytes.
    Tensor target = bench.of(DataType.BF16, new float[2 * 32], 2, 32);
    TensorOps.inplaceCopy(
        target.slice(1, 16, 18), source.slice(1, 0, 2), bench.stream, bench.workspace);
    float[] expected = new float[2 * 32];
    expected[16] = 1;
    expected[17] = 2;
    expected[32 + 16] = 4;
    expected[32 + 17] = 5;
    assertValues(target, expected);
    TensorOps.inplaceCopy(target, floats(9), bench.stream, bench.workspace);
    Arrays.fill(expected, 9);
    assertValues(target, expected);
    Tensor turned = bench.garbage(DataType.FLOAT, 3, 2);
    TensorOps.inplaceCopy(turned, source.permute(1, 0), bench.stream, bench.workspace);
    assertValues(turned, 1, 4, 2, 5, 3, 6);
  }

  @Test
  void permuteCopiesInOrder() {
    float[] values = new float[24];
    float[] expected = new float[24];
    for (int i = 0; i < 24; i++) {
      values[i] = i;
    }
    for (int a = 0; a < 2; a++) {
      for (int b = 0; b < 3; b++) {
        for (int c = 0; c < 4; c++) {
          expected[(c * 2 + a) * 3 + b] = values[(a * 3 + b) * 4 + c];
        }
      }
    }
    Tensor out = bench.garbage(DataType.FLOAT, 4, 2, 3);
    TensorOps.permute(
        bench.of(DataType.FLOAT, values, 2, 3, 4),
        new int[] {2, 0, 1},
        out,
        bench.stream,
        bench.workspace);
    assertValues(out, expected);
  }

  @Test
  void zeroLeavesGapsAlone() {
    Tensor matrix = bench.of(DataType.FLOAT, new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    TensorOps.inplaceZero(matrix.slice(1, 0, 2), bench.stream, bench.workspace);
    assertValues(matrix, 0, 0, 3, 0, 0, 6);
  }

  private static String refused(Executable call) {
    return assertThrows(IllegalArgumentException.class, call).getMessage();
  }

  @Test
  void badArgumentsAreRefused() {
    Tensor a = floats(1, 2, 3, 4);
    Tensor three = floats(1, 2, 3);
    String message = refused(() -> TensorOps.add(a, three, 1, a, bench.stream, bench.workspace));
    assertTrue(message.contains("FLOAT[3]") && message.contains("FLOAT[4]"), message);
    refused(
        () -> TensorOps.cast(a, bench.garbage(DataType.BF16, 3), bench.stream, bench.workspace));
    refused(() -> TensorOps.inplaceCopy(three, a, bench.stream, bench.workspace));
    refused(() -> TensorOps.add(floats(1), floats(2), 1, a, bench.stream, bench.workspace));
    refused(
        () ->
            TensorOps.permute(a.reshape(2, 2), new int[] {0, 0}, a, bench.stream, bench.workspace));
    refused(
        () ->
            TensorOps.inplaceCopy(
                a.slice(0, 1, 4), a.slice(0, 0, 3), bench.stream, bench.workspace));
    refused(
        () ->
            TensorOps.add(
                a.slice(0, 0, 3), three, 1, a.slice(0, 1, 4), bench.stream, bench.workspace));
    try (Bench other = new Bench(7)) {
      Tensor remote = other.of(DataType.FLOAT, new float[4], 4);
      message = refused(() -> TensorOps.add(a, remote, 1, a, bench.stream, bench.workspace));
      assertTrue(message.contains("device 7") && message.contains("device 6"), message);
    }
  }
}
