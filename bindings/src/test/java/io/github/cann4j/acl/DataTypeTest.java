// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.acl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.internal.ffi.cann_h;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class DataTypeTest {
  @ParameterizedTest
  @CsvSource({
    "FLOAT,0,4",
    "FLOAT16,1,3",
    "INT8,2,0",
    "INT32,3,2",
    "UINT8,4,7",
    "INT16,6,1",
    "UINT16,7,8",
    "UINT32,8,9",
    "INT64,9,5",
    "UINT64,10,6",
    "DOUBLE,11,10",
    "BF16,27,11"
  })
  void hasTheCodesOfTheAbi(DataType type, int acl, int hccl) {
    assertEquals(acl, type.aclCode());
    assertEquals(hccl, type.hcclCode());
  }

  @ParameterizedTest
  @EnumSource
  void hasTheSizeOfTheToolkit(DataType type) {
    Cann.ensureAvailable();
    assertEquals(cann_h.aclDataTypeSize(type.aclCode()), type.byteSize());
  }

  @Test
  void boolIsNotForHccl() {
    assertEquals(12, DataType.BOOL.aclCode());
    String message =
        assertThrows(UnsupportedOperationException.class, DataType.BOOL::hcclCode).getMessage();
    assertTrue(message.contains("UINT8"), message);
  }
}
