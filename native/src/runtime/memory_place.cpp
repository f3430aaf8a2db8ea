// SPDX-License-Identifier: Apache-2.0
#include "memory_place.hpp"

#include "error.hpp"

namespace cann4j {

aclError locate(const char* function, const char* name, const void* p, size_t bytes, Access access,
                Place* place) {
  if (p == nullptr) {
    return fail(ACL_ERROR_INVALID_PARAM, "%s: %s is NULL", function, name);
  }
  place->given = p;
  place->bytes = bytes;
  if (isMappedAddress(p)) {
    return fail(ACL_ERROR_RT_PARAM_INVALID,
                "%s: %s %p is a device address of registered host memory, which only kernels may "
                "use; take its host address",
                function, name, p);
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
  place->pinned = findPinned(p, bytes);
  return place->pinned != nullptr || isAccessible(p, bytes, access)
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_PARAM_INVALID,
                    "%s: %s %p with %zu bytes is no memory that this process may %s", function, name,
                    p, bytes, access == Access::kRead ? "read" : "write");
}

PlaceInUse::PlaceInUse(const Place& place) : place_(place) {
  if (place.pinned != nullptr) {
    lock_ = std::shared_lock(place.pinned->mutex);
  }
}

aclError PlaceInUse::check(const char* function, const char* name) const {
  const bool isLive = place_.pinned != nullptr ? place_.pinned->isAlive
                                               : isDeviceRange(place_.given, place_.bytes);
  return isLive ? ACL_SUCCESS
                : fail(ACL_ERROR_RT_COPY_DATA,
                       "%s: %s %p with %zu bytes was freed before the stream came to it", function,
                       name, place_.given, place_.bytes);
}

}  // namespace cann4j
