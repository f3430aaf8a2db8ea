// SPDX-License-Identifier: Apache-2.0
#include "acl/acl_rt.h"
#include "api.hpp"
#include "context.hpp"
#include "memory_place.hpp"

using namespace cann4j;

namespace {

constexpr uintptr_t kPage = 4096;

aclError registerHost(const char* function, void* ptr, uint64_t size, bool isMapped, bool isPinned,
                      void** devPtr) {
  if (size == 0) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: size is 0", function);
  }
  const auto context = currentContext(function);
  if (context == nullptr) {
    return ACL_ERROR_RT_CONTEXT_NULL;
  }
  Place place;
  if (const aclError error = locate(function, "ptr", ptr, size, Access::kWrite, &place);
      error != ACL_SUCCESS) {
    return error;
  }
  if (place.device >= 0) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: ptr %p is memory of device %d, not of the host",
                function, ptr, place.device);
  }
  if (reinterpret_cast<uintptr_t>(ptr) % kPage != 0) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: ptr %p is not aligned to %zu bytes", function, ptr,
                static_cast<size_t>(kPage));
  }
  // Memory of aclrtMallocHost is pinned already, and not by us.
  const bool isOwn = place.pinned == nullptr || place.pinned->memory == nullptr;
  if (isPinned && isOwn) {
    if (const aclError error = pin(function, ptr, size); error != ACL_SUCCESS) {
      return error;
    }
  }
  if (!isMapped) {
    return ACL_SUCCESS;
  }
  const aclError error = mapHost(function, context->device, ptr, size, devPtr);
  if (error != ACL_SUCCESS && isPinned && isOwn) {
    unpin(ptr);
  }
  return error;
}

}  // namespace

extern "C" {

aclError aclrtHostRegister(void* ptr, uint64_t size, aclrtHostRegisterType type, void** devPtr) {
  return api("aclrtHostRegister", [&](const char* function) -> aclError {
    if (ptr == nullptr || devPtr == nullptr) {
      return nullArgument(function, ptr == nullptr ? "ptr" : "devPtr");
    }
    switch (type) {
      case ACL_HOST_REGISTER_MAPPED:
        return registerHost(function, ptr, size, true, false, devPtr);
      case ACL_HOST_REGISTER_IOMEMORY:
      case ACL_HOST_REGISTER_READONLY:
        return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                    "%s: only ACL_HOST_REGISTER_MAPPED is supported", function);
    }
    return fail(ACL_ERROR_INVALID_PARAM, "%s: type %d is none", function, static_cast<int>(type));
  });
}

aclError aclrtHostRegisterV2(void* ptr, uint64_t size, uint32_t flag) {
  return api("aclrtHostRegisterV2", [&](const char* function) -> aclError {
    if (ptr == nullptr) {
      return nullArgument(function, "ptr");
    }
    if (flag == 0 || (flag & ~(ACL_HOST_REG_MAPPED | ACL_HOST_REG_PINNED)) != 0) {
      return fail(ACL_ERROR_INVALID_PARAM, "%s: flag 0x%x is not made of the bits 0x%lx", function,
                  flag, ACL_HOST_REG_MAPPED | ACL_HOST_REG_PINNED);
    }
    void* device = nullptr;
    return registerHost(function, ptr, size, (flag & ACL_HOST_REG_MAPPED) != 0,
                        (flag & ACL_HOST_REG_PINNED) != 0, &device);
  });
}

aclError aclrtHostGetDevicePointer(void* pHost, void** pDevice, uint32_t flag) {
  return api("aclrtHostGetDevicePointer", [&](const char* function) -> aclError {
    if (pHost == nullptr || pDevice == nullptr) {
      return nullArgument(function, pHost == nullptr ? "pHost" : "pDevice");
    }
    if (flag != 0) {
      return fail(ACL_ERROR_INVALID_PARAM, "%s: flag %u, must be 0", function, flag);
    }
    if (currentContext(function) == nullptr) {
      return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *pDevice = findMapped(pHost);
    return *pDevice != nullptr
               ? ACL_SUCCESS
               : fail(ACL_ERROR_RT_PARAM_INVALID, "%s: %p is in no memory registered as mapped",
                      function, pHost);
  });
}

aclError aclrtHostUnregister(void* ptr) {
  return api("aclrtHostUnregister", [&](const char* function) -> aclError {
    if (ptr == nullptr) {
      return nullArgument(function, "ptr");
    }
    const bool wasMapped = unmapHost(ptr);
    const bool wasPinned = unpin(ptr);
    return wasMapped || wasPinned
               ? ACL_SUCCESS
               : fail(ACL_ERROR_RT_PARAM_INVALID,
                      "%s: %p is no address that was registered, or was unregistered already",
                      function, ptr);
  });
}

}  // extern "C"
