// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "acl/acl_base.h"
#include "mapped_memory.hpp"

namespace cann4j {

// Device addresses lie in ranges without access rights; the memory behind them is mapped at this
// distance, the same for all devices, so only code that translates can touch it.
extern const uintptr_t kDeviceToHost;

// Translates a device address into one that kernels may use. Checks nothing.
inline void* toHost(const void* devicePtr) {
  if (isMappedAddress(devicePtr)) {
    return mappedToHost(devicePtr);
  }
  return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(devicePtr) + kDeviceToHost);
}

template <class T>
T* toHostAs(const void* devicePtr) {
  return static_cast<T*>(toHost(devicePtr));
}

// The number of the ONE live allocation, or piece of registered memory, that the bytes lie inside;
// 0 if there is none. A later allocation at the same address has another number.
uint64_t allocationOf(const void* p, size_t bytes);
inline bool isDeviceRange(const void* p, size_t bytes) { return allocationOf(p, bytes) != 0; }

// The device whose address range p is in, allocated or not; -1 if not device memory.
int deviceOf(const void* p);

// Whether p is inside the mapping behind device memory, which no caller may hand over.
bool isBackingMemory(const void* p);

// Rounded up to 32 bytes plus `extra`; aligned to 64 bytes.
aclError allocateDevice(int device, size_t size, size_t extra, void** devicePtr);
aclError freeDevice(void* devicePtr);
void deviceMemoryInfo(int device, size_t* free, size_t* total);

// Lets bytes behind device memory, at host addresses, lie in huge pages if they are many. Rows that
// lie pages apart cost kernels up to a twentieth of their time otherwise. Other host memory is left
// alone.
void useHugePages(const void* p, size_t bytes);

// What another process needs to map the memory of a device.
struct SharedDevice {
  int file;
  uintptr_t base;  // the device address of the file's first byte
  size_t span;
};
aclError shareDevice(int device, SharedDevice* shared);

// Copies and fills of host addresses, spread over the pool when large.
void copyBytes(void* dst, const void* src, size_t bytes);
void fillBytes(void* dst, int value, size_t bytes);

}  // namespace cann4j
