// SPDX-License-Identifier: Apache-2.0
#include "acl/acl_rt.h"
#include "api.hpp"
#include "context.hpp"
#include "memory_place.hpp"
#include "options.hpp"

using namespace cann4j;

namespace {

constexpr size_t kRoomAfter = 32;  // that aclrtMalloc adds

aclError checkConfig(const char* function, const aclrtMallocConfig* config) {
  if (config == nullptr) {
    return ACL_SUCCESS;
  }
  if (config->attrs == nullptr && config->numAttrs > 0) {
    return nullArgument(function, "cfg->attrs");
  }
  for (size_t i = 0; i < config->numAttrs; ++i) {
    const aclrtMallocAttribute& attribute = config->attrs[i];
    switch (attribute.attr) {
      case ACL_RT_MEM_ATTR_RSV:
      case ACL_RT_MEM_ATTR_MODULE_ID:  // is for accounting on a device
        break;
      case ACL_RT_MEM_ATTR_DEVICE_ID: {
        const uint32_t id = attribute.value.deviceId;
        const aclError error =
            checkDevice(function, id > INT32_MAX ? INT32_MAX : static_cast<int32_t>(id));
        if (error != ACL_SUCCESS) {
          return error;
        }
        break;
      }
      default:
        return fail(ACL_ERROR_INVALID_PARAM, "%s: attribute %zu of cfg has the unknown type %d",
                    function, i, static_cast<int>(attribute.attr));
    }
  }
  return ACL_SUCCESS;
}

aclError allocate(const char* function, void** devPtr, size_t size, aclrtMemMallocPolicy policy,
                  size_t extra) {
  if (const aclError error = checkResult(function, "devPtr", devPtr); error != ACL_SUCCESS) {
    return error;
  }
  *devPtr = nullptr;
  if (size == 0) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: size is 0", function);
  }
  const int value = static_cast<int>(policy) &
                    ~(ACL_MEM_TYPE_LOW_BAND_WIDTH | ACL_MEM_TYPE_HIGH_BAND_WIDTH |
                      ACL_MEM_ACCESS_USER_SPACE_READONLY);
  if (value < ACL_MEM_MALLOC_HUGE_FIRST || value > ACL_MEM_MALLOC_HUGE1G_ONLY_P2P) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: policy 0x%x is unknown", function,
                static_cast<unsigned>(policy));
  }
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  const bool isGigabytePages =
      value == ACL_MEM_MALLOC_HUGE1G_ONLY || value == ACL_MEM_MALLOC_HUGE1G_ONLY_P2P;
  return allocateDevice(context->device, size, isGigabytePages ? 0 : extra, devPtr);
}

aclError release(const char* function, void* devPtr) {
  if (devPtr == nullptr) {
    return nullArgument(function, "devPtr");
  }
  return isMappedAddress(devPtr)
             ? fail(ACL_ERROR_RT_PARAM_INVALID,
                    "%s: %p is a device address of registered host memory; aclrtHostUnregister ends "
                    "it",
                    function, devPtr)
             : freeDevice(devPtr);
}

aclError allocateHost(const char* function, void** hostPtr, size_t size,
                      const aclrtMallocConfig* config) {
  if (const aclError error = checkResult(function, "hostPtr", hostPtr); error != ACL_SUCCESS) {
    return error;
  }
  *hostPtr = nullptr;
  if (size == 0) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: size is 0", function);
  }
  if (const aclError error = checkConfig(function, config); error != ACL_SUCCESS) {
    return error;
  }
  return currentContext(function) == nullptr ? ACL_ERROR_RT_CONTEXT_NULL
                                             : allocatePinned(size, hostPtr);
}

aclError releaseHost(const char* function, void* hostPtr) {
  return hostPtr == nullptr ? nullArgument(function, "hostPtr") : freePinned(hostPtr);
}

aclError waitForDevice(const char* function) {
  const auto context = currentContext(function);
  return context == nullptr ? ACL_ERROR_RT_CONTEXT_NULL : synchronizeContext(*context, -1);
}

// Caches are coherent here, so that only the range can be wrong.
aclError checkCached(const char* function, const void* devPtr, size_t size) {
  if (devPtr == nullptr) {
    return nullArgument(function, "devPtr");
  }
  if (size == 0) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: size is 0", function);
  }
  if (currentContext(function) == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  return isDeviceRange(devPtr, size)
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_PARAM_INVALID,
                    "%s: %p with %zu bytes is not inside one live allocation of a device", function,
                    devPtr, size);
}

}  // namespace

extern "C" {

aclError aclrtMalloc(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  return api("aclrtMalloc", [&](const char* function) {
    return allocate(function, devPtr, size, policy, kRoomAfter);
  });
}

aclError aclrtMallocAlign32(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  return api("aclrtMallocAlign32", [&](const char* function) {
    return allocate(function, devPtr, size, policy, 0);
  });
}

aclError aclrtMallocCached(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  return api("aclrtMallocCached", [&](const char* function) {
    return allocate(function, devPtr, size, policy, kRoomAfter);
  });
}

aclError aclrtMallocWithCfg(void** devPtr, size_t size, aclrtMemMallocPolicy policy,
                            aclrtMallocConfig* cfg) {
  return api("aclrtMallocWithCfg", [&](const char* function) -> aclError {
    const aclError error = checkConfig(function, cfg);
    return error != ACL_SUCCESS ? error : allocate(function, devPtr, size, policy, kRoomAfter);
  });
}

aclError aclrtFree(void* devPtr) {
  return api("aclrtFree", [&](const char* function) { return release(function, devPtr); });
}

aclError aclrtFreeWithDevSync(void* devPtr) {
  return api("aclrtFreeWithDevSync", [&](const char* function) -> aclError {
    const aclError error = waitForDevice(function);
    const aclError released = release(function, devPtr);
    return released != ACL_SUCCESS ? released : error;
  });
}

aclError aclrtMallocHost(void** hostPtr, size_t size) {
  return api("aclrtMallocHost", [&](const char* function) {
    return allocateHost(function, hostPtr, size, nullptr);
  });
}

aclError aclrtMallocHostWithCfg(void** ptr, uint64_t size, aclrtMallocConfig* cfg) {
  return api("aclrtMallocHostWithCfg",
             [&](const char* function) { return allocateHost(function, ptr, size, cfg); });
}

aclError aclrtFreeHost(void* hostPtr) {
  return api("aclrtFreeHost", [&](const char* function) { return releaseHost(function, hostPtr); });
}

aclError aclrtFreeHostWithDevSync(void* hostPtr) {
  return api("aclrtFreeHostWithDevSync", [&](const char* function) -> aclError {
    const aclError error = waitForDevice(function);
    const aclError released = releaseHost(function, hostPtr);
    return released != ACL_SUCCESS ? released : error;
  });
}

aclError aclrtMemFlush(void* devPtr, size_t size) {
  return api("aclrtMemFlush",
             [&](const char* function) { return checkCached(function, devPtr, size); });
}

aclError aclrtMemInvalidate(void* devPtr, size_t size) {
  return api("aclrtMemInvalidate",
             [&](const char* function) { return checkCached(function, devPtr, size); });
}

aclError aclrtGetMemInfo(aclrtMemAttr attr, size_t* free, size_t* total) {
  return api("aclrtGetMemInfo", [&](const char* function) -> aclError {
    if (const aclError error = checkResults(function, {{"free", free}, {"total", total}});
        error != ACL_SUCCESS) {
      return error;
    }
    const auto context = currentContext(function);
    if (context == nullptr) {
      return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *free = *total = 0;
    const auto last = options().is81 ? ACL_HBM_MEM_P2P_HUGE1G : ACL_MEM_P2P_HUGE1G;
    if (attr >= ACL_DDR_MEM && attr <= last) {
      deviceMemoryInfo(context->device, free, total);
    }
    return ACL_SUCCESS;
  });
}

aclError aclrtPointerGetAttributes(const void* ptr, aclrtPtrAttributes* attributes) {
  return api("aclrtPointerGetAttributes", [&](const char* function) -> aclError {
    if (ptr == nullptr || attributes == nullptr) {
      return nullArgument(function, ptr == nullptr ? "ptr" : "attributes");
    }
    int device = deviceOf(ptr);
    if (device < 0 || !isMappedAddress(ptr)) {
      Place place;
      if (const aclError error = locate(function, "ptr", ptr, 1, Access::kRead, &place);
          error != ACL_SUCCESS) {
        return error;
      }
      device = place.device;
    }
    *attributes = {};
    attributes->location.type =
        device >= 0 ? ACL_MEM_LOCATION_TYPE_DEVICE : ACL_MEM_LOCATION_TYPE_HOST;
    attributes->location.id = device >= 0 ? static_cast<uint32_t>(device) : 0;
    attributes->pageSize = 4096;
    return ACL_SUCCESS;
  });
}

}  // extern "C"
