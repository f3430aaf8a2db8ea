// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.hccl;

import io.github.cann4j.internal.ffi.cann_h;
import io.github.cann4j.internal.runtime.AclErrors;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/** Results of HCCL functions: their names, their texts and the exceptions made of them. */
final class HcclErrors {
  private static final Map<Integer, String> NAMES =
      Map.ofEntries(
          Map.entry(1, "HCCL_E_PARA"),
          Map.entry(2, "HCCL_E_PTR"),
          Map.entry(3, "HCCL_E_MEMORY"),
          Map.entry(4, "HCCL_E_INTERNAL"),
          Map.entry(5, "HCCL_E_NOT_SUPPORT"),
          Map.entry(6, "HCCL_E_NOT_FOUND"),
          Map.entry(7, "HCCL_E_UNAVAIL"),
          Map.entry(8, "HCCL_E_SYSCALL"),
          Map.entry(9, "HCCL_E_TIMEOUT"),
          Map.entry(10, "HCCL_E_OPEN_FILE_FAILURE"),
          Map.entry(11, "HCCL_E_TCP_CONNECT"),
          Map.entry(12, "HCCL_E_ROCE_CONNECT"),
          Map.entry(13, "HCCL_E_TCP_TRANSFER"),
          Map.entry(14, "HCCL_E_ROCE_TRANSFER"),
          Map.entry(15, "HCCL_E_RUNTIME"),
          Map.entry(16, "HCCL_E_DRV"),
          Map.entry(17, "HCCL_E_PROFILING"),
          Map.entry(18, "HCCL_E_CCE"),
          Map.entry(19, "HCCL_E_NETWORK"),
          Map.entry(20, "HCCL_E_AGAIN"),
          Map.entry(21, "HCCL_E_REMOTE"),
          Map.entry(22, "HCCL_E_SUSPENDING"),
          // RESERVED in CANN 8.1
          Map.entry(23, "HCCL_E_OPRETRY_FAIL"),
          Map.entry(24, "HCCL_E_OOM"),
          Map.entry(1041, "HCCL_E_IN_STATUS"));

  private HcclErrors() {}

  /** Throws unless {@code code} is 0; on the thread of the call, directly after it. */
  static void check(int code, String function, int rank, int size, String communicator) {
    if (code != 0) {
      throw exception(code, function, rank, size, communicator);
    }
  }

  static HcclException exception(
      int code, String function, int rank, int size, String communicator) {
    String text = AclErrors.recentText();
    if (text.isEmpty()) {
      text = generalText(code);
    }
    String name = NAMES.getOrDefault(code, "UNKNOWN");
    String place = rank < 0 ? "this process" : "rank %d of %d".formatted(rank, size);
    if (!communicator.isEmpty()) {
      place += " of communicator " + communicator;
    }
    return new HcclException(
        AclErrors.message(function, name, code, place, text),
        function,
        code,
        name,
        text,
        rank,
        communicator);
  }

  private static String generalText(int code) {
    MemorySegment text = cann_h.HcclGetErrorString(code);
    return text.equals(MemorySegment.NULL)
        ? ""
        : text.reinterpret(Long.MAX_VALUE).getString(0).strip();
  }
}
