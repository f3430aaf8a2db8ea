// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.Cann;
import java.lang.foreign.MemoryLayout;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The generated classes against CANN's ABI and against the toolkit's exports. */
class AbiTest {
  @Test
  void structuresHaveTheSizesOfTheAbi() {
    assertLayout(4108, 1, HcclRootInfo.layout());
    assertLayout(32, 8, HcclSendRecvItem.layout());
    assertLayout(2248, 8, HcclCommConfig.layout());
    assertLayout(24, 8, HcclCommConfigInfo.layout());
    assertLayout(4, 4, HcclConfigValue.layout());
    assertLayout(512, 1, aclCANNPackageVersion.layout());
    assertLayout(8, 4, aclrtMemLocation.layout());
    assertLayout(28, 4, aclrtPtrAttributes.layout());
  }

  private static void assertLayout(long size, long alignment, MemoryLayout layout) {
    assertEquals(size, layout.byteSize(), layout.toString());
    assertEquals(alignment, layout.byteAlignment(), layout.toString());
  }

  @Test
  void fieldsHaveTheOffsetsOfTheAbi() {
    assertEquals(0, HcclSendRecvItem.sendRecvType$offset());
    assertEquals(8, HcclSendRecvItem.buf$offset());
    assertEquals(16, HcclSendRecvItem.count$offset());
    assertEquals(24, HcclSendRecvItem.dataType$offset());
    assertEquals(28, HcclSendRecvItem.remoteRank$offset());
    assertEquals(24, HcclCommConfig.hcclBufferSize$offset());
    assertEquals(28, HcclCommConfig.hcclDeterministic$offset());
    assertEquals(32, HcclCommConfig.hcclCommName$offset());
    assertEquals(160, HcclCommConfig.hcclUdi$offset());
    assertEquals(288, HcclCommConfig.hcclOpExpansionMode$offset());
    assertEquals(292, HcclCommConfig.hcclRdmaTrafficClass$offset());
    assertEquals(296, HcclCommConfig.hcclRdmaServiceLevel$offset());
    assertEquals(300, HcclCommConfig.hcclWorldRankID$offset(), "the size in CANN 8.1");
    assertEquals(8, HcclCommConfigInfo.magicWord$offset());
    assertEquals(12, HcclCommConfigInfo.version$offset());
    assertEquals(8, aclrtPtrAttributes.pageSize$offset());
    assertEquals(4, aclrtMemLocation.type$offset());
  }

  @Test
  void constantsHaveTheValuesOfTheAbi() {
    assertEquals(2, cann_h.ACL_FORMAT_ND());
    assertEquals(27, cann_h.ACL_BF16());
    assertEquals(1, cann_h.ACL_EVENT_RECORDED_STATUS_COMPLETE());
    assertEquals(0, cann_h.ACL_STREAM_STATUS_COMPLETE());
    assertEquals(1, cann_h.ACL_EVENT_SYNC());
    assertEquals(8, cann_h.ACL_EVENT_TIME_LINE());
    assertEquals(0xf0f0f0f0, cann_h.HCCL_COMM_CONFIG_MAGIC_WORD());
    assertEquals(11, cann_h.HCCL_COMM_CONFIG_VERSION());
    assertEquals(11, cann_h.HCCL_DATA_TYPE_BFP16());
    assertEquals(4108, cann_h.HCCL_ROOT_INFO_BYTES());
  }

  @Test
  void theToolkitExportsEveryGeneratedFunction() {
    List<String> missing = new ArrayList<>();
    int count = 0;
    for (Method method : cann_h.class.getDeclaredMethods()) {
      String name = method.getName();
      if (Modifier.isPublic(method.getModifiers()) && name.endsWith("$address")) {
        count++;
        String symbol = name.substring(0, name.length() - "$address".length());
        if (!Cann.toolkit().has(symbol)) {
          missing.add(symbol);
        }
      }
    }
    assertTrue(count > 130, "functions found: " + count);
    assertEquals(List.of(), missing);
    assertTrue(!Cann.toolkit().has("aclnnNoSuchOperator"));
  }
}
