// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.cann4j.acl.Cann;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The generated functions against the toolkit's exports. */
class AbiTest {
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
