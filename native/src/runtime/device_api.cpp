// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "acl/acl.h"
#include "activity.hpp"
#include "api.hpp"
#include "context.hpp"
#include "memory.hpp"
#include "options.hpp"

using namespace cann4j;

namespace {

aclError resetDevice(const char* function, int32_t deviceId, bool force) {
  const aclError error = checkDevice(function, deviceId);
  return error != ACL_SUCCESS ? error : releaseDefaultContext(function, deviceId, force);
}

aclError synchronizeDevice(const char* function, int32_t timeout) {
  const auto context = currentContext(function);
  return context == nullptr ? ACL_ERROR_RT_CONTEXT_NULL : synchronizeContext(*context, timeout);
}

aclError changePeerAccess(const char* function, int32_t peerDeviceId, bool allowed) {
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  if (const aclError error = checkDevice(function, peerDeviceId); error != ACL_SUCCESS) {
    return error;
  }
  if (context->device == peerDeviceId) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: device %d is the current one", function,
                peerDeviceId);
  }
  allowAccess(context->device, peerDeviceId, allowed);
  return ACL_SUCCESS;
}

constexpr aclCannAttr kAttributes[] = {ACL_CANN_ATTR_INF_NAN, ACL_CANN_ATTR_BF16,
                                       ACL_CANN_ATTR_JIT_COMPILE};

}  // namespace

extern "C" {

aclError aclrtSetDevice(int32_t deviceId) {
  return api("aclrtSetDevice", [&](const char* function) -> aclError {
    std::shared_ptr<Context> context;
    aclError error = checkDevice(function, deviceId);
    if (error == ACL_SUCCESS) {
      error = useDefaultContext(function, deviceId, &context);
    }
    if (error == ACL_SUCCESS) {
      makeCurrent(*context);
    }
    return error;
  });
}

aclError aclrtResetDevice(int32_t deviceId) {
  return api("aclrtResetDevice",
             [&](const char* function) { return resetDevice(function, deviceId, false); });
}

aclError aclrtResetDeviceForce(int32_t deviceId) {
  return api("aclrtResetDeviceForce",
             [&](const char* function) { return resetDevice(function, deviceId, true); });
}

aclError aclrtGetDevice(int32_t* deviceId) {
  return api("aclrtGetDevice", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "deviceId", deviceId); error != ACL_SUCCESS) {
      return error;
    }
    const auto context = currentContext(function);
    if (context == nullptr) {
      return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *deviceId = context->device;
    return ACL_SUCCESS;
  });
}

aclError aclrtGetDeviceCount(uint32_t* count) {
  return api("aclrtGetDeviceCount", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "count", count); error != ACL_SUCCESS) {
      return error;
    }
    *count = static_cast<uint32_t>(options().devices);
    if (const aclError error = checkOptions(); error != ACL_SUCCESS) {
      return error;
    }
    return options().devices > 0
               ? ACL_SUCCESS
               : fail(ACL_ERROR_RT_NO_DEVICE, "%s: ASCEND_RT_VISIBLE_DEVICES leaves no device",
                      function);
  });
}

aclError aclrtGetRunMode(aclrtRunMode* runMode) {
  return api("aclrtGetRunMode", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "runMode", runMode); error != ACL_SUCCESS) {
      return error;
    }
    *runMode = ACL_HOST;
    return ACL_SUCCESS;
  });
}

aclError aclrtSynchronizeDevice(void) {
  return api("aclrtSynchronizeDevice",
             [](const char* function) { return synchronizeDevice(function, -1); });
}

aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout) {
  return api("aclrtSynchronizeDeviceWithTimeout", [&](const char* function) -> aclError {
    const aclError error = checkTimeout(function, timeout);
    return error != ACL_SUCCESS ? error : synchronizeDevice(function, timeout);
  });
}

aclError aclrtQueryDeviceStatus(int32_t deviceId, aclrtDeviceStatus* deviceStatus) {
  return api("aclrtQueryDeviceStatus", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "deviceStatus", deviceStatus);
        error != ACL_SUCCESS) {
      return error;
    }
    const aclError error = checkDevice(function, deviceId);
    if (error == ACL_SUCCESS) {
      *deviceStatus = ACL_RT_DEVICE_STATUS_NORMAL;  // nothing can break these devices
    }
    return error;
  });
}

// Cube and vector units are the same threads here; there is no AI CPU.
aclError aclrtGetDeviceUtilizationRate(int32_t deviceId, aclrtUtilizationInfo* utilizationInfo) {
  return api("aclrtGetDeviceUtilizationRate", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "utilizationInfo", utilizationInfo);
        error != ACL_SUCCESS) {
      return error;
    }
    if (const aclError error = checkDevice(function, deviceId); error != ACL_SUCCESS) {
      return error;
    }
    size_t free = 0;
    size_t total = 0;
    deviceMemoryInfo(deviceId, &free, &total);
    const int busy = activityOf(deviceId).utilization();
    *utilizationInfo = {busy, busy, 0,
                        static_cast<int32_t>(static_cast<double>(total - free) * 100.0 /
                                             static_cast<double>(total)),
                        nullptr};
    return ACL_SUCCESS;
  });
}

aclError aclrtSetTsDevice(aclrtTsId tsId) {
  return api("aclrtSetTsDevice", [&](const char* function) -> aclError {
    if (tsId != ACL_TS_ID_AICORE && tsId != ACL_TS_ID_AIVECTOR) {
      return fail(ACL_ERROR_INVALID_PARAM,
                  "%s: tsId %d; ACL_TS_ID_AICORE and ACL_TS_ID_AIVECTOR exist", function,
                  static_cast<int>(tsId));
    }
    // Both name the one scheduler there is.
    return currentContext(function) == nullptr ? ACL_ERROR_RT_CONTEXT_NULL : ACL_SUCCESS;
  });
}

aclError aclrtSetDeviceSatMode(aclrtFloatOverflowMode mode) {
  return api("aclrtSetDeviceSatMode", [&](const char* function) -> aclError {
    if (mode != ACL_RT_OVERFLOW_MODE_SATURATION && mode != ACL_RT_OVERFLOW_MODE_INFNAN) {
      return fail(ACL_ERROR_INVALID_PARAM, "%s: mode %d is none", function, static_cast<int>(mode));
    }
    if (currentContext(function) == nullptr) {
      return ACL_ERROR_RT_CONTEXT_NULL;
    }
    return mode == ACL_RT_OVERFLOW_MODE_INFNAN
               ? ACL_SUCCESS
               : fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                      "%s: kernels here overflow to infinity; ACL_RT_OVERFLOW_MODE_INFNAN is the "
                      "only mode",
                      function);
  });
}

aclError aclrtGetDeviceSatMode(aclrtFloatOverflowMode* mode) {
  return api("aclrtGetDeviceSatMode", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "mode", mode); error != ACL_SUCCESS) {
      return error;
    }
    if (currentContext(function) == nullptr) {
      return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *mode = ACL_RT_OVERFLOW_MODE_INFNAN;
    return ACL_SUCCESS;
  });
}

aclError aclrtDeviceCanAccessPeer(int32_t* canAccessPeer, int32_t deviceId, int32_t peerDeviceId) {
  return api("aclrtDeviceCanAccessPeer", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "canAccessPeer", canAccessPeer);
        error != ACL_SUCCESS) {
      return error;
    }
    if (deviceId == peerDeviceId) {
      return fail(ACL_ERROR_INVALID_PARAM, "%s: both devices are %d", function, deviceId);
    }
    aclError error = checkDevice(function, deviceId);
    if (error == ACL_SUCCESS) {
      error = checkDevice(function, peerDeviceId);
    }
    *canAccessPeer = error == ACL_SUCCESS ? 1 : 0;
    return error;
  });
}

aclError aclrtDeviceEnablePeerAccess(int32_t peerDeviceId, uint32_t flags) {
  return api("aclrtDeviceEnablePeerAccess", [&](const char* function) -> aclError {
    return flags != 0 ? fail(ACL_ERROR_FEATURE_UNSUPPORTED, "%s: flags %u, must be 0", function,
                             flags)
                      : changePeerAccess(function, peerDeviceId, true);
  });
}

aclError aclrtDeviceDisablePeerAccess(int32_t peerDeviceId) {
  return api("aclrtDeviceDisablePeerAccess", [&](const char* function) {
    return changePeerAccess(function, peerDeviceId, false);
  });
}

aclError aclrtDeviceGetStreamPriorityRange(int32_t* leastPriority, int32_t* greatestPriority) {
  return api("aclrtDeviceGetStreamPriorityRange", [&](const char* function) -> aclError {
    if (leastPriority == nullptr || greatestPriority == nullptr) {
      return nullArgument(function,
                          leastPriority == nullptr ? "leastPriority" : "greatestPriority");
    }
    *leastPriority = kLeastPriority;
    *greatestPriority = 0;
    return ACL_SUCCESS;
  });
}

aclError aclGetCannAttributeList(const aclCannAttr** cannAttrList, size_t* num) {
  return api("aclGetCannAttributeList", [&](const char* function) -> aclError {
    if (const aclError error = checkResults(function, {{"cannAttrList", cannAttrList}, {"num", num}});
        error != ACL_SUCCESS) {
      return error;
    }
    *cannAttrList = kAttributes;
    *num = std::size(kAttributes);
    return ACL_SUCCESS;
  });
}

aclError aclGetCannAttribute(aclCannAttr cannAttr, int32_t* value) {
  return api("aclGetCannAttribute", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "value", value); error != ACL_SUCCESS) {
      return error;
    }
    if (cannAttr < ACL_CANN_ATTR_INF_NAN || cannAttr > ACL_CANN_ATTR_JIT_COMPILE) {
      return fail(ACL_ERROR_INVALID_PARAM, "%s: there is no attribute %d", function,
                  static_cast<int>(cannAttr));
    }
    *value = cannAttr == ACL_CANN_ATTR_JIT_COMPILE ? 0 : 1;  // nothing is compiled at run time
    return ACL_SUCCESS;
  });
}

// A core is a thread of the pool that all devices share.
aclError aclGetDeviceCapability(uint32_t deviceId, aclDeviceInfo deviceInfo, int64_t* value) {
  return api("aclGetDeviceCapability", [&](const char* function) -> aclError {
    if (const aclError error = checkResult(function, "value", value); error != ACL_SUCCESS) {
      return error;
    }
    const int32_t device = deviceId > INT32_MAX ? INT32_MAX : static_cast<int32_t>(deviceId);
    if (const aclError error = checkDevice(function, device); error != ACL_SUCCESS) {
      return error;
    }
    switch (deviceInfo) {
      case ACL_DEVICE_INFO_AI_CORE_NUM:
      case ACL_DEVICE_INFO_VECTOR_CORE_NUM:
        *value = options().threads;
        return ACL_SUCCESS;
      case ACL_DEVICE_INFO_L2_SIZE: {
        const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
        *value = bytes > 0 ? bytes : 0;
        return bytes > 0 ? ACL_SUCCESS
                         : fail(ACL_ERROR_FEATURE_UNSUPPORTED,
                                "%s: the system does not tell the size of the L2 cache", function);
      }
      default:
        return fail(ACL_ERROR_INVALID_PARAM, "%s: there is no information %d", function,
                    static_cast<int>(deviceInfo));
    }
  });
}

}  // extern "C"
