// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "acl/acl_base.h"

namespace cann4j {

// Memory of the program under device addresses, which lie in a window of their own that the host
// cannot read. Zero: nothing was mapped yet.
inline constexpr size_t kMappedWindow = size_t{64} << 30;
extern std::atomic<uintptr_t> mappedWindow;

inline bool isMappedAddress(const void* p) {
  const uintptr_t begin = mappedWindow.load(std::memory_order_relaxed);
  return begin != 0 && reinterpret_cast<uintptr_t>(p) - begin < kMappedWindow;
}

// For addresses in the window.
void* mappedToHost(const void* devicePtr);
bool isMappedRange(const void* devicePtr, size_t bytes);
int deviceOfMapped(const void* devicePtr);

aclError mapHost(const char* function, int device, void* host, size_t bytes, void** devicePtr);
// The device address of the first byte of mapped memory, or of any other; null if it is not mapped.
void* findMapped(const void* host);
bool unmapHost(const void* host);

}  // namespace cann4j
