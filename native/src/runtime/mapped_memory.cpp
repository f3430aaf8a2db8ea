// SPDX-License-Identifier: Apache-2.0
#include "mapped_memory.hpp"

#include <sys/mman.h>

#include <map>
#include <mutex>
#include <shared_mutex>

#include "error.hpp"

namespace cann4j {

std::atomic<uintptr_t> mappedWindow{0};

namespace {

constexpr size_t kPage = 4096;

struct Mapping {
  uintptr_t host;
  size_t bytes;
  int device;
};

struct Mappings {
  std::shared_mutex mutex;
  std::map<uintptr_t, Mapping> byDevice;
  std::map<uintptr_t, uintptr_t> byHost;  // to the device address
};

Mappings& mappings() {
  static Mappings& instance = *new Mappings;
  return instance;
}

// The mapping around a device address, with the lock held.
const std::pair<const uintptr_t, Mapping>* around(const void* devicePtr) {
  const auto address = reinterpret_cast<uintptr_t>(devicePtr);
  auto it = mappings().byDevice.upper_bound(address);
  if (it == mappings().byDevice.begin()) {
    return nullptr;
  }
  --it;
  return address - it->first < it->second.bytes ? &*it : nullptr;
}

bool reserveWindow() {
  if (mappedWindow == 0) {
    void* begin = mmap(nullptr, kMappedWindow, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (begin == MAP_FAILED) {
      return false;
    }
    mappedWindow = reinterpret_cast<uintptr_t>(begin);
  }
  return true;
}

// The first hole between the mappings; 0 if none is large enough.
uintptr_t findHole(size_t bytes) {
  uintptr_t begin = mappedWindow;
  const uintptr_t end = begin + kMappedWindow;
  for (const auto& [device, mapping] : mappings().byDevice) {
    if (device - begin >= bytes) {
      break;
    }
    begin = (device + mapping.bytes + kPage - 1) / kPage * kPage;
  }
  return bytes <= end - begin ? begin : 0;
}

}  // namespace

void* mappedToHost(const void* devicePtr) {
  std::shared_lock lock(mappings().mutex);
  const auto* mapping = around(devicePtr);
  return mapping == nullptr
             ? nullptr
             : reinterpret_cast<void*>(mapping->second.host +
                                       (reinterpret_cast<uintptr_t>(devicePtr) - mapping->first));
}

bool isMappedRange(const void* devicePtr, size_t bytes) {
  std::shared_lock lock(mappings().mutex);
  const auto* mapping = around(devicePtr);
  return mapping != nullptr &&
         bytes <= mapping->second.bytes -
                      (reinterpret_cast<uintptr_t>(devicePtr) - mapping->first);
}

int deviceOfMapped(const void* devicePtr) {
  std::shared_lock lock(mappings().mutex);
  const auto* mapping = around(devicePtr);
  return mapping == nullptr ? -1 : mapping->second.device;
}

aclError mapHost(const char* function, int device, void* host, size_t bytes, void** devicePtr) {
  const auto begin = reinterpret_cast<uintptr_t>(host);
  std::lock_guard lock(mappings().mutex);
  for (const auto& [address, other] : mappings().byDevice) {
    if (begin < other.host + other.bytes && other.host < begin + bytes) {
      return fail(ACL_ERROR_RT_PARAM_INVALID,
                  "%s: %p with %zu bytes overlaps memory that is registered already", function, host,
                  bytes);
    }
  }
  const uintptr_t hole = reserveWindow() ? findHole(bytes) : 0;
  if (hole == 0) {
    return fail(ACL_ERROR_RT_MEMORY_ALLOCATION, "%s: no device addresses are left for %zu bytes",
                function, bytes);
  }
  const auto byHost = mappings().byHost.emplace(begin, hole).first;
  try {
    mappings().byDevice.emplace(hole, Mapping{begin, bytes, device});
  } catch (...) {
    mappings().byHost.erase(byHost);
    throw;
  }
  *devicePtr = reinterpret_cast<void*>(hole);
  return ACL_SUCCESS;
}

void* findMapped(const void* host) {
  const auto address = reinterpret_cast<uintptr_t>(host);
  std::shared_lock lock(mappings().mutex);
  auto it = mappings().byHost.upper_bound(address);
  if (it == mappings().byHost.begin()) {
    return nullptr;
  }
  --it;
  const size_t inside = address - it->first;
  return inside < mappings().byDevice.at(it->second).bytes
             ? reinterpret_cast<void*>(it->second + inside)
             : nullptr;
}

bool unmapHost(const void* host) {
  std::lock_guard lock(mappings().mutex);
  const auto found = mappings().byHost.find(reinterpret_cast<uintptr_t>(host));
  if (found == mappings().byHost.end()) {
    return false;
  }
  mappings().byDevice.erase(found->second);
  mappings().byHost.erase(found);
  return true;
}

}  // namespace cann4j
