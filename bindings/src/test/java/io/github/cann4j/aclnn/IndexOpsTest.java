// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.aclnn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.AclException;
import io.github.cann4j.acl.DataType;
import io.github.cann4j.acl.Tensor;
import io.github.cann4j.support.Bench;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("npu")
class IndexOpsTest {
  private Bench bench;

  @BeforeEach
  void open() {
    bench = new Bench(6);
  }

  @AfterEach
  void close() {
    bench.close();
  }

  private Tensor matrix(int rows, int columns, float... values) {
    return bench.of(DataType.FLOAT, values, rows, columns);
  }

  private void assertValues(Tensor tensor, float... expected) {
    assertArrayEquals(expected, bench.floats(tensor), 1e-6f);
  }

  @Test
  void slicesByIndex() {
    Tensor self = matrix(3, 2, 1, 2, 3, 4, 5, 6);
    Tensor out = bench.garbage(DataType.FLOAT, 4, 2);
    IndexOps.indexSelect(self, 0, bench.longs(2, 0, 0, 1), out, bench.stream, bench.workspace);
    assertValues(out, 5, 6, 1, 2, 1, 2, 3, 4);
    Tensor columns = bench.garbage(DataType.FLOAT, 3, 1);
    IndexOps.indexSelect(self, -1, bench.ints(1), columns, bench.stream, bench.workspace);
    assertValues(columns, 2, 4, 6);
  }

  @Test
  void sumsByIndex() {
    Tensor self = matrix(3, 2, 1, 1, 1, 1, 1, 1);
    Tensor source = matrix(4, 2, 1, 2, 3, 4, 5, 6, 7, 8);
    Tensor out = bench.garbage(DataType.FLOAT, 3, 2);
    IndexOps.indexAdd(
        self, 0, bench.longs(2, 0, 2, 2), source, 2, out, bench.stream, bench.workspace);
    assertValues(out, 7, 9, 1, 1, 1 + 2 * 13, 1 + 2 * 16);
  }

  @Test
  void elementsByIndex() {
    Tensor self = matrix(2, 3, 1, 2, 3, 4, 5, 6);
    Tensor index = bench.garbage(DataType.INT64, 2, 2);
    TensorOps.cast(matrix(2, 2, 2, 0, 1, 1), index, bench.stream, bench.workspace);
    Tensor out = bench.garbage(DataType.FLOAT, 2, 2);
    IndexOps.gather(self, 1, index, out, bench.stream, bench.workspace);
    assertValues(out, 3, 1, 5, 5);
  }

  @Test
  void anIndexOutOfRangeAppearsAtTheNextSynchronization() {
    Tensor self = matrix(3, 2, 1, 2, 3, 4, 5, 6);
    Tensor out = bench.garbage(DataType.FLOAT, 1, 2);
    IndexOps.indexSelect(self, 0, bench.longs(3), out, bench.stream, bench.workspace);
    String message =
        assertThrows(AclException.class, () -> bench.stream.synchronize()).getMessage();
    assertTrue(message.contains("3"), message);
  }

  @Test
  void everySecondSlice() {
    Tensor self = matrix(5, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    Tensor out = bench.garbage(DataType.FLOAT, 2, 2);
    IndexOps.slice(self, 0, -4, 99, 2, out, bench.stream, bench.workspace);
    assertValues(out, 3, 4, 7, 8);
    assertThrows(
        IllegalArgumentException.class,
        () -> IndexOps.slice(self, 0, 0, 5, 0, out, bench.stream, bench.workspace));
  }

  @Test
  void joinsViewsToo() {
    Tensor first = matrix(2, 2, 1, 2, 3, 4);
    Tensor second = matrix(3, 2, 5, 6, 7, 8, 9, 10).slice(0, 1, 3);
    Tensor rows = bench.garbage(DataType.FLOAT, 4, 2);
    IndexOps.cat(List.of(first, second), 0, rows, bench.stream, bench.workspace);
    assertValues(rows, 1, 2, 3, 4, 7, 8, 9, 10);
    Tensor columns = bench.garbage(DataType.FLOAT, 2, 4);
    IndexOps.cat(List.of(first, second), -1, columns, bench.stream, bench.workspace);
    assertValues(columns, 1, 2, 7, 8, 3, 4, 9, 10);
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    IndexOps.cat(
                        List.of(first, matrix(1, 2, 1, 2)),
                        1,
                        columns,
                        bench.stream,
                        bench.workspace))
            .getMessage();
    assertTrue(message.contains("tensors[1]"), message);
  }

  @Test
  void embeddingAndItsGradient() {
    Tensor weight = matrix(3, 2, 1, 2, 3, 4, 5, 6);
    Tensor indices = bench.longs(2, 0, 2);
    Tensor out = bench.garbage(DataType.FLOAT, 3, 2);
    IndexOps.embedding(weight, indices, out, bench.stream, bench.workspace);
    assertValues(out, 5, 6, 1, 2, 5, 6);
    Tensor grad = matrix(3, 2, 1, 2, 3, 4, 5, 6);
    Tensor dense = bench.garbage(DataType.FLOAT, 3, 2);
    IndexOps.embeddingDenseBackward(grad, indices, -1, false, dense, bench.stream, bench.workspace);
    assertValues(dense, 3, 4, 0, 0, 6, 8);
    IndexOps.embeddingDenseBackward(grad, indices, 0, true, dense, bench.stream, bench.workspace);
    assertValues(dense, 0, 0, 0, 0, 3, 4);
  }
}
