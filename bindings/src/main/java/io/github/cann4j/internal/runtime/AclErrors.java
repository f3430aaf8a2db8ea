// SPDX-License-Identifier: Apache-2.0
package io.github.cann4j.internal.runtime;

import io.github.cann4j.acl.AclException;
import io.github.cann4j.internal.ffi.cann_h;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/** Results of acl functions: their names, their texts and the exceptions made of them. */
public final class AclErrors {
  private static final Map<Integer, String> NAMES =
      Map.ofEntries(
          Map.entry(100000, "ACL_ERROR_INVALID_PARAM"),
          Map.entry(100001, "ACL_ERROR_UNINITIALIZE"),
          Map.entry(100002, "ACL_ERROR_REPEAT_INITIALIZE"),
          Map.entry(100003, "ACL_ERROR_INVALID_FILE"),
          Map.entry(100006, "ACL_ERROR_PARSE_FILE"),
          Map.entry(100034, "ACL_ERROR_STREAM_NOT_SUBSCRIBE"),
          Map.entry(100035, "ACL_ERROR_THREAD_NOT_SUBSCRIBE"),
          Map.entry(100036, "ACL_ERROR_WAIT_CALLBACK_TIMEOUT"),
          Map.entry(100037, "ACL_ERROR_REPEAT_FINALIZE"),
          Map.entry(100039, "ACL_ERROR_COMPILING_STUB_MODE"),
          Map.entry(200000, "ACL_ERROR_BAD_ALLOC"),
          Map.entry(200001, "ACL_ERROR_API_NOT_SUPPORT"),
          Map.entry(200002, "ACL_ERROR_INVALID_DEVICE"),
          Map.entry(200003, "ACL_ERROR_MEMORY_ADDRESS_UNALIGNED"),
          Map.entry(200004, "ACL_ERROR_RESOURCE_NOT_MATCH"),
          Map.entry(200005, "ACL_ERROR_INVALID_RESOURCE_HANDLE"),
          Map.entry(200006, "ACL_ERROR_FEATURE_UNSUPPORTED"),
          Map.entry(200007, "ACL_ERROR_PROF_MODULES_UNSUPPORTED"),
          Map.entry(300000, "ACL_ERROR_STORAGE_OVER_LIMIT"),
          Map.entry(500000, "ACL_ERROR_INTERNAL_ERROR"),
          Map.entry(500001, "ACL_ERROR_FAILURE"),
          Map.entry(500002, "ACL_ERROR_GE_FAILURE"),
          Map.entry(500003, "ACL_ERROR_RT_FAILURE"),
          Map.entry(500004, "ACL_ERROR_DRV_FAILURE"),
          Map.entry(500005, "ACL_ERROR_PROFILING_FAILURE"),
          Map.entry(107000, "ACL_ERROR_RT_PARAM_INVALID"),
          Map.entry(107001, "ACL_ERROR_RT_INVALID_DEVICEID"),
          Map.entry(107002, "ACL_ERROR_RT_CONTEXT_NULL"),
          Map.entry(107003, "ACL_ERROR_RT_STREAM_CONTEXT"),
          Map.entry(107006, "ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID"),
          Map.entry(107007, "ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL"),
          Map.entry(107017, "ACL_ERROR_RT_INVALID_HANDLE"),
          Map.entry(107019, "ACL_ERROR_RT_WAIT_TIMEOUT"),
          Map.entry(107020, "ACL_ERROR_RT_TASK_TIMEOUT"),
          Map.entry(107021, "ACL_ERROR_RT_SYSPARAMOPT_NOT_SET"),
          Map.entry(107022, "ACL_ERROR_RT_DEVICE_TASK_ABORT"),
          Map.entry(107023, "ACL_ERROR_RT_STREAM_ABORT"),
          Map.entry(207000, "ACL_ERROR_RT_FEATURE_NOT_SUPPORT"),
          Map.entry(207001, "ACL_ERROR_RT_MEMORY_ALLOCATION"),
          Map.entry(207004, "ACL_ERROR_RT_NO_DEVICE"),
          Map.entry(207005, "ACL_ERROR_RT_RESOURCE_ALLOC_FAIL"),
          Map.entry(207007, "ACL_ERROR_RT_NO_EVENT_RESOURCE"),
          Map.entry(207008, "ACL_ERROR_RT_NO_STREAM_RESOURCE"),
          Map.entry(207018, "ACL_ERROR_RT_DEVICE_OOM"),
          Map.entry(507000, "ACL_ERROR_RT_INTERNAL_ERROR"),
          Map.entry(507004, "ACL_ERROR_RT_STREAM_NOT_COMPLETE"),
          Map.entry(507006, "ACL_ERROR_RT_EVENT_NOT_COMPLETE"),
          Map.entry(507011, "ACL_ERROR_RT_MODEL_EXECUTE"),
          Map.entry(507014, "ACL_ERROR_RT_AICORE_TIMEOUT"),
          Map.entry(507015, "ACL_ERROR_RT_AICORE_EXCEPTION"),
          Map.entry(507018, "ACL_ERROR_RT_AICPU_EXCEPTION"),
          Map.entry(507046, "ACL_ERROR_RT_STREAM_SYNC_TIMEOUT"),
          Map.entry(507047, "ACL_ERROR_RT_EVENT_SYNC_TIMEOUT"),
          Map.entry(507053, "ACL_ERROR_RT_DEVICE_MEM_ERROR"),
          Map.entry(507899, "ACL_ERROR_RT_DRV_INTERNAL_ERROR"),
          Map.entry(507900, "ACL_ERROR_RT_AICPU_INTERNAL_ERROR"));

  private AclErrors() {}

  /** The name of a code in CANN's headers. */
  public static String name(int code) {
    return NAMES.getOrDefault(code, "UNKNOWN");
  }

  /**
   * Throws unless {@code code} is 0. It must run on the thread of the call, directly after it: the
   * text belongs to the thread.
   */
  public static void check(int code, String function, int device) {
    if (code != 0) {
      throw failure(code, function, device);
    }
  }

  /** The exception for a failed acl call, with this thread's text. */
  public static AclException failure(int code, String function, int device) {
    String text = recentText();
    String name = name(code);
    return new AclException(
        message(function, name, code, "device " + device, text), function, code, name, text);
  }

  /** The one form of all failure messages. */
  public static String message(
      String function, String codeName, int code, String place, String text) {
    return "%s failed with %s (%d) on %s%s"
        .formatted(function, codeName, code, place, text.isEmpty() ? "" : ": " + text);
  }

  /** Takes this thread's recent error text; empty if there is none. */
  public static String recentText() {
    MemorySegment text = cann_h.aclGetRecentErrMsg();
    return text.equals(MemorySegment.NULL)
        ? ""
        : text.reinterpret(Long.MAX_VALUE).getString(0).strip();
  }
}
