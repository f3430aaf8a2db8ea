// SPDX-License-Identifier: Apache-2.0
#include "memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "device_memory.hpp"
#include "error.hpp"
#include "options.hpp"
#include "thread_pool.hpp"

namespace cann4j {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kLongestRange = size_t{256} << 30;  // thread sanitizers take twice that at most
constexpr size_t kGrowth = size_t{8} << 20;
constexpr size_t kKeptDirty = size_t{256} << 20;  // freed bytes kept resident for quick reuse
constexpr size_t kPageAligned = size_t{64} << 10;
constexpr int kUndefinedByte = 0xFF;  // NaN in every floating type

size_t roundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

struct DeviceTable {
  std::mutex mutex;
  std::array<std::atomic<DeviceMemory*>, 64> devices{};
};

DeviceTable& table() {
  static DeviceTable& instance = *new DeviceTable;
  return instance;
}

DeviceMemory* memoryOf(int device) {
  return table().devices[static_cast<size_t>(device)].load(std::memory_order_acquire);
}

DeviceMemory* memoryAround(const void* p) {
  for (int device = 0; device < options().devices; ++device) {
    DeviceMemory* memory = memoryOf(device);
    if (memory != nullptr && memory->contains(p)) {
      return memory;
    }
  }
  return nullptr;
}

}  // namespace

// The range of a device is followed by the mapping behind it. Twice the limit, so that fragmentation
// rarely ends an allocation that the limit allows.
const uintptr_t kDeviceToHost =
    std::min(roundUp(2 * options().deviceMemory, kGrowth), kLongestRange);

// ---- IntervalSet ----

void IntervalSet::add(size_t begin, size_t end) {
  auto next = ranges_.upper_bound(begin);
  if (next != ranges_.begin()) {
    auto previous = std::prev(next);
    if (previous->second >= begin) {
      begin = previous->first;
      end = std::max(end, previous->second);
      bytes_ -= previous->second - previous->first;
      ranges_.erase(previous);
    }
  }
  while (next != ranges_.end() && next->first <= end) {
    end = std::max(end, next->second);
    bytes_ -= next->second - next->first;
    next = ranges_.erase(next);
  }
  ranges_.emplace(begin, end);
  bytes_ += end - begin;
}

void IntervalSet::remove(size_t begin, size_t end) {
  auto it = ranges_.upper_bound(begin);
  if (it != ranges_.begin()) {
    --it;
  }
  while (it != ranges_.end() && it->first < end) {
    const auto [from, to] = *it;
    if (to <= begin) {
      ++it;
      continue;
    }
    it = ranges_.erase(it);
    bytes_ -= to - from;
    if (from < begin) {
      ranges_.emplace(from, begin);
      bytes_ += begin - from;
    }
    if (to > end) {
      ranges_.emplace(end, to);
      bytes_ += to - end;
      break;
    }
  }
}

// ---- DeviceMemory ----

std::unique_ptr<DeviceMemory> DeviceMemory::reserve(size_t limit) {
  void* base = mmap(nullptr, 2 * kDeviceToHost, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return base == MAP_FAILED ? nullptr
                            : std::unique_ptr<DeviceMemory>(new DeviceMemory(
                                  reinterpret_cast<uintptr_t>(base), kDeviceToHost, limit));
}

DeviceMemory::DeviceMemory(uintptr_t base, size_t span, size_t limit)
    : base_(base), span_(span), limit_(limit) {
  addFree(0, span);
}

bool DeviceMemory::contains(const void* p) const {
  return reinterpret_cast<uintptr_t>(p) - base_ < span_;
}

bool DeviceMemory::containsBacking(const void* p) const {
  return reinterpret_cast<uintptr_t>(p) - (base_ + kDeviceToHost) < span_;
}

void* DeviceMemory::host(size_t offset) const {
  return reinterpret_cast<void*>(base_ + kDeviceToHost + offset);
}

void DeviceMemory::addFree(size_t offset, size_t bytes) {
  free_.emplace(offset, bytes);
  freeBySize_.emplace(bytes, offset);
}

void DeviceMemory::removeFree(std::map<size_t, size_t>::iterator it) {
  freeBySize_.erase({it->second, it->first});
  free_.erase(it);
}

aclError DeviceMemory::allocate(size_t bytes, void** devicePtr) {
  std::unique_lock lock(mutex_);
  if (bytes > limit_ - used_) {
    return fail(ACL_ERROR_RT_MEMORY_ALLOCATION,
                "out of device memory: %zu bytes asked for, %zu of %zu are free "
                "(CANN4J_CPU_DEVICE_MEMORY sets the size)",
                bytes, limit_ - used_, limit_);
  }
  const size_t unit = bytes >= kPageAligned ? kPage : 64;
  const size_t room = roundUp(bytes, 64);
  // The smallest hole that is large enough at its first aligned offset.
  auto fit = freeBySize_.lower_bound({room, 0});
  while (fit != freeBySize_.end() && roundUp(fit->second, unit) + room > fit->second + fit->first) {
    ++fit;
  }
  if (fit == freeBySize_.end()) {
    return fail(ACL_ERROR_RT_MEMORY_ALLOCATION,
                "device memory is fragmented: no hole of %zu bytes although %zu of %zu are free",
                bytes, limit_ - used_, limit_);
  }
  const auto [holeBytes, hole] = *fit;
  const size_t begin = roundUp(hole, unit);
  if (begin + room > committed_) {
    const size_t end = std::min(roundUp(begin + room, kGrowth), span_);
    if (mprotect(host(committed_), end - committed_, PROT_READ | PROT_WRITE) != 0) {
      return fail(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host has no %zu bytes more: %s",
                  end - committed_, std::strerror(errno));
    }
    madvise(host(committed_), end - committed_, MADV_HUGEPAGE);
    committed_ = end;
  }
  removeFree(free_.find(hole));
  if (begin > hole) {
    addFree(hole, begin - hole);
  }
  if (hole + holeBytes > begin + room) {
    addFree(begin + room, hole + holeBytes - begin - room);
  }
  live_.emplace(begin, Block{bytes, room});
  used_ += bytes;
  dirty_.remove(begin, begin + room);
  lock.unlock();
  if (options().debug) {
    fillBytes(host(begin), kUndefinedByte, room);
  }
  *devicePtr = reinterpret_cast<void*>(base_ + begin);
  return ACL_SUCCESS;
}

aclError DeviceMemory::release(void* devicePtr) {
  const size_t offset = reinterpret_cast<uintptr_t>(devicePtr) - base_;
  std::unique_lock lock(mutex_);
  const auto it = live_.find(offset);
  if (it == live_.end()) {
    return fail(ACL_ERROR_RT_PARAM_INVALID,
                "%p is no address that aclrtMalloc returned, or it was freed already", devicePtr);
  }
  const Block block = it->second;
  if (options().debug) {
    fillBytes(host(offset), kUndefinedByte, block.room);
  }
  live_.erase(it);
  used_ -= block.bytes;
  size_t begin = offset;
  size_t end = offset + block.room;
  auto next = free_.lower_bound(begin);
  if (next != free_.end() && next->first == end) {
    end += next->second;
    removeFree(next);
  }
  next = free_.lower_bound(begin);
  if (next != free_.begin()) {
    const auto previous = std::prev(next);
    if (previous->first + previous->second == begin) {
      begin = previous->first;
      removeFree(previous);
    }
  }
  addFree(begin, end - begin);
  dirty_.add(offset, offset + block.room);
  // Debug keeps freed memory filled, which pages given back are not.
  if (dirty_.bytes() > kKeptDirty && !options().debug) {
    giveBack();
  }
  return ACL_SUCCESS;
}

void DeviceMemory::giveBack() {
  for (const auto& [from, to] : dirty_.ranges()) {
    const size_t begin = roundUp(from, kPage);
    const size_t end = to / kPage * kPage;
    if (begin < end) {
      madvise(host(begin), end - begin, MADV_DONTNEED);
    }
  }
  dirty_.clear();
}

bool DeviceMemory::inLiveAllocation(const void* p, size_t bytes) {
  const size_t offset = reinterpret_cast<uintptr_t>(p) - base_;
  std::shared_lock lock(mutex_);
  auto it = live_.upper_bound(offset);
  if (it == live_.begin()) {
    return false;
  }
  --it;
  const size_t inside = offset - it->first;
  return inside < it->second.bytes && bytes <= it->second.bytes - inside;
}

void DeviceMemory::info(size_t* free, size_t* total) {
  std::shared_lock lock(mutex_);
  *free = limit_ - used_;
  *total = limit_;
}

// ---- functions ----

bool isDeviceRange(const void* p, size_t bytes) {
  DeviceMemory* memory = memoryAround(p);
  return memory != nullptr && memory->inLiveAllocation(p, bytes);
}

int deviceOf(const void* p) {
  for (int device = 0; device < options().devices; ++device) {
    DeviceMemory* memory = memoryOf(device);
    if (memory != nullptr && memory->contains(p)) {
      return device;
    }
  }
  return -1;
}

bool isBackingMemory(const void* p) {
  for (int device = 0; device < options().devices; ++device) {
    DeviceMemory* memory = memoryOf(device);
    if (memory != nullptr && memory->containsBacking(p)) {
      return true;
    }
  }
  return false;
}

aclError allocateDevice(int device, size_t size, size_t extra, void** devicePtr) {
  if (size > kLongestRange) {
    return fail(ACL_ERROR_RT_MEMORY_ALLOCATION, "out of device memory: %zu bytes asked for", size);
  }
  DeviceMemory* memory = memoryOf(device);
  if (memory == nullptr) {
    std::lock_guard lock(table().mutex);
    memory = memoryOf(device);
    if (memory == nullptr) {
      auto reserved = DeviceMemory::reserve(options().deviceMemory);
      if (reserved == nullptr) {
        return fail(ACL_ERROR_RT_MEMORY_ALLOCATION,
                    "cannot reserve %llu bytes of address space for device %d; lower "
                    "CANN4J_CPU_DEVICE_MEMORY or raise the limit on virtual memory",
                    static_cast<unsigned long long>(options().deviceMemory), device);
      }
      memory = reserved.release();
      table().devices[static_cast<size_t>(device)].store(memory, std::memory_order_release);
    }
  }
  return memory->allocate(roundUp(size, 32) + extra, devicePtr);
}

aclError freeDevice(void* devicePtr) {
  DeviceMemory* memory = memoryAround(devicePtr);
  if (memory == nullptr) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%p is no address of device memory", devicePtr);
  }
  return memory->release(devicePtr);
}

void deviceMemoryInfo(int device, size_t* free, size_t* total) {
  DeviceMemory* memory = memoryOf(device);
  if (memory == nullptr) {
    *free = *total = options().deviceMemory;
    return;
  }
  memory->info(free, total);
}

void copyBytes(void* dst, const void* src, size_t bytes) {
  constexpr size_t kPiece = size_t{4} << 20;
  if (bytes <= 2 * kPiece) {
    std::memcpy(dst, src, bytes);
    return;
  }
  ThreadPool::instance().parallelFor(
      static_cast<int64_t>((bytes + kPiece - 1) / kPiece), [&](int64_t piece) {
        const size_t begin = static_cast<size_t>(piece) * kPiece;
        std::memcpy(static_cast<char*>(dst) + begin, static_cast<const char*>(src) + begin,
                    std::min(kPiece, bytes - begin));
      });
}

void fillBytes(void* dst, int value, size_t bytes) {
  constexpr size_t kPiece = size_t{8} << 20;
  if (bytes <= kPiece) {
    std::memset(dst, value, bytes);
    return;
  }
  ThreadPool::instance().parallelFor(
      static_cast<int64_t>((bytes + kPiece - 1) / kPiece), [&](int64_t piece) {
        const size_t begin = static_cast<size_t>(piece) * kPiece;
        std::memset(static_cast<char*>(dst) + begin, value, std::min(kPiece, bytes - begin));
      });
}

}  // namespace cann4j
