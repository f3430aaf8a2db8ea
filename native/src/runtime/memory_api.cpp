// SPDX-License-Identifier: Apache-2.0
#include "acl/acl_rt.h"
#include "context.hpp"
#include "error.hpp"
#include "memory.hpp"

using namespace cann4j;

namespace {

// One side of a copy, told by its address alone; the caller's kind is only a hint.
struct Place {
  void* host = nullptr;  // where the toolkit reads or writes
  int device = -1;       // -1: host memory
  bool pinned = false;
};

aclError locate(const char* function, const char* name, const void* p, size_t bytes, Place* place) {
  if (p == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: %s is NULL", function, name);
  }
  place->device = deviceOf(p);
  if (place->device >= 0) {
    place->host = toHost(p);
    return isDeviceRange(p, bytes)
               ? ACL_SUCCESS
               : fail(ACL_ERROR_RT_PARAM_INVALID,
                      "%s: %s %p with %zu bytes is not inside one live allocation of device %d",
                      function, name, p, bytes, place->device);
  }
  if (isBackingMemory(p)) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: %s %p is neither host nor device memory", function,
                name, p);
  }
  place->host = const_cast<void*>(p);
  place->pinned = isPinnedRange(p, bytes);
  return ACL_SUCCESS;
}

struct Copy {
  Place dst;
  Place src;
  bool nothing = false;
};

aclError checkCopy(const char* function, void* dst, size_t destMax, const void* src, size_t count,
                   aclrtMemcpyKind kind, const Context& context, Copy* copy) {
  const int value = static_cast<int>(kind);
  if (value < ACL_MEMCPY_HOST_TO_HOST || value > ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: kind %d is not supported", function, value);
  }
  if (count == 0) {
    copy->nothing = true;
    return ACL_SUCCESS;
  }
  if (count > destMax) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: count %zu is more than destMax %zu", function,
                count, destMax);
  }
  if (const aclError error = locate(function, "dst", dst, count, &copy->dst);
      error != ACL_SUCCESS) {
    return error;
  }
  if (const aclError error = locate(function, "src", src, count, &copy->src);
      error != ACL_SUCCESS) {
    return error;
  }
  copy->nothing = dst == src;
  const int from = copy->src.device;
  const int to = copy->dst.device;
  if (from >= 0 && to >= 0 && from != to && !canAccess(context.device, from == context.device ? to : from)) {
    return fail(ACL_ERROR_RT_PARAM_INVALID,
                "%s: copy from device %d to %d without peer access; call "
                "aclrtDeviceEnablePeerAccess",
                function, from, to);
  }
  return ACL_SUCCESS;
}

aclError allocate(const char* function, void** devPtr, size_t size, aclrtMemMallocPolicy policy,
                  size_t extra) {
  if (devPtr == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: devPtr is NULL", function);
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
  return context == nullptr ? ACL_ERROR_RT_CONTEXT_NULL
                            : allocateDevice(context->device, size, extra, devPtr);
}

}  // namespace

extern "C" {

aclError aclrtMalloc(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  return allocate("aclrtMalloc", devPtr, size, policy, 32);
}

aclError aclrtMallocAlign32(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  return allocate("aclrtMallocAlign32", devPtr, size, policy, 0);
}

aclError aclrtFree(void* devPtr) {
  return devPtr == nullptr ? fail(ACL_ERROR_INVALID_PARAM, "aclrtFree: devPtr is NULL")
                           : freeDevice(devPtr);
}

aclError aclrtMallocHost(void** hostPtr, size_t size) {
  if (hostPtr == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtMallocHost: hostPtr is NULL");
  }
  *hostPtr = nullptr;
  if (size == 0) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtMallocHost: size is 0");
  }
  return currentContext("aclrtMallocHost") == nullptr ? ACL_ERROR_RT_CONTEXT_NULL
                                                      : allocatePinned(size, hostPtr);
}

aclError aclrtFreeHost(void* hostPtr) {
  return hostPtr == nullptr ? fail(ACL_ERROR_INVALID_PARAM, "aclrtFreeHost: hostPtr is NULL")
                            : freePinned(hostPtr);
}

aclError aclrtMemcpy(void* dst, size_t destMax, const void* src, size_t count,
                     aclrtMemcpyKind kind) {
  const auto context = currentContext("aclrtMemcpy");
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  Copy copy;
  const aclError error =
      checkCopy("aclrtMemcpy", dst, destMax, src, count, kind, *context, &copy);
  if (error == ACL_SUCCESS && !copy.nothing) {
    copyBytes(copy.dst.host, copy.src.host, count);
  }
  return error;
}

aclError aclrtMemcpyAsync(void* dst, size_t destMax, const void* src, size_t count,
                          aclrtMemcpyKind kind, aclrtStream handle) {
  const char* function = "aclrtMemcpyAsync";
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
    return error;
  }
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  Copy copy;
  const aclError error = checkCopy(function, dst, destMax, src, count, kind, *context, &copy);
  if (error != ACL_SUCCESS) {
    return error;
  }
  if (count == 0) {
    return ACL_SUCCESS;
  }
  if (copy.dst.device < 0 && copy.src.device < 0) {
    return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "%s: dst and src are both host memory; use aclrtMemcpy", function);
  }
  if (copy.nothing) {
    return ACL_SUCCESS;
  }
  const auto isPageable = [](const Place& place) { return place.device < 0 && !place.pinned; };
  if (isPageable(copy.dst) || isPageable(copy.src)) {
    bool completed = true;
    const aclError earlier = stream->synchronize(-1, &completed);
    if (earlier == ACL_SUCCESS) {
      copyBytes(copy.dst.host, copy.src.host, count);
    }
    return earlier;
  }
  stream->submitKernel([to = copy.dst.host, from = copy.src.host, count] {
    copyBytes(to, from, count);
    return ACL_SUCCESS;
  });
  return ACL_SUCCESS;
}

static aclError checkMemset(const char* function, void* devPtr, size_t maxCount, size_t count,
                            Place* place) {
  if (count == 0) {
    return ACL_SUCCESS;
  }
  if (count > maxCount) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: count %zu is more than maxCount %zu", function,
                count, maxCount);
  }
  return locate(function, "devPtr", devPtr, count, place);
}

aclError aclrtMemset(void* devPtr, size_t maxCount, int32_t value, size_t count) {
  Place place;
  if (currentContext("aclrtMemset") == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  const aclError error = checkMemset("aclrtMemset", devPtr, maxCount, count, &place);
  if (error == ACL_SUCCESS && count > 0) {
    fillBytes(place.host, value, count);
  }
  return error;
}

aclError aclrtMemsetAsync(void* devPtr, size_t maxCount, int32_t value, size_t count,
                          aclrtStream handle) {
  std::shared_ptr<Stream> stream;
  if (const aclError error = resolveStream(handle, &stream); error != ACL_SUCCESS) {
    return error;
  }
  Place place;
  const aclError error = checkMemset("aclrtMemsetAsync", devPtr, maxCount, count, &place);
  if (error != ACL_SUCCESS || count == 0) {
    return error;
  }
  stream->submitKernel([to = place.host, value, count] {
    fillBytes(to, value, count);
    return ACL_SUCCESS;
  });
  return ACL_SUCCESS;
}

aclError aclrtGetMemInfo(aclrtMemAttr attr, size_t* free, size_t* total) {
  if (free == nullptr || total == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtGetMemInfo: a result pointer is NULL");
  }
  const auto context = currentContext("aclrtGetMemInfo");
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  *free = *total = 0;
  if (attr >= ACL_DDR_MEM && attr <= ACL_HBM_MEM_P2P_HUGE1G) {
    deviceMemoryInfo(context->device, free, total);
  }
  return ACL_SUCCESS;
}

aclError aclrtPointerGetAttributes(const void* ptr, aclrtPtrAttributes* attributes) {
  if (ptr == nullptr || attributes == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "aclrtPointerGetAttributes: %s is NULL",
                ptr == nullptr ? "ptr" : "attributes");
  }
  Place place;
  if (const aclError error = locate("aclrtPointerGetAttributes", "ptr", ptr, 1, &place);
      error != ACL_SUCCESS) {
    return error;
  }
  *attributes = {};
  attributes->location.type =
      place.device >= 0 ? ACL_MEM_LOCATION_TYPE_DEVICE : ACL_MEM_LOCATION_TYPE_HOST;
  attributes->location.id = place.device >= 0 ? static_cast<uint32_t>(place.device) : 0;
  attributes->pageSize = 4096;
  return ACL_SUCCESS;
}

}  // extern "C"
