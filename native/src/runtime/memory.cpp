// SPDX-License-Identifier: Apache-2.0
#include "memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

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
#include "forked.hpp"
#include "options.hpp"
#include "thread_pool.hpp"

namespace cann4j {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLongestRange = size_t{256} << 30;  // thread sanitizers take twice that at most
constexpr size_t kGrowth = size_t{8} << 20;
static_assert(kGrowth % kHugePage == 0);
constexpr size_t kLargeEnough = kHugePage / 8;  // for huge pages to matter
constexpr size_t kKeptShare = 64;  // of the limit, freed bytes are kept resident for quick reuse
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

DeviceMemory* memoryBehind(const void* p) {
  for (int device = 0; device < options().devices; ++device) {
    DeviceMemory* memory = memoryOf(device);
    if (memory != nullptr && memory->containsBacking(p)) {
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

// ---- Holes ----

void Holes::add(size_t offset, size_t bytes) {
  const auto size = bySize_.emplace(bytes, offset).first;
  try {
    byPlace_.emplace(offset, bytes);
  } catch (...) {
    bySize_.erase(size);
    throw;
  }
}

void Holes::remove(Place hole) {
  bySize_.erase({hole->second, hole->first});
  byPlace_.erase(hole);
}

void Holes::take(Holes& others) {
  byPlace_.merge(others.byPlace_);
  bySize_.merge(others.bySize_);
}

// ---- DeviceMemory ----

namespace {

// A file of this size that never shrinks under those who map it.
ipc::File memoryFile(size_t bytes) {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes) {
    return {};  // to try would be a signal, deadly as a rule
  }
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
  const char* name = "cann4j-device";
  ipc::File file(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL));
  if (!file.isOpen() && errno == EINVAL) {  // older than Linux 6.3
    file = ipc::File(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  }
  const int descriptor = file.descriptor();
  const bool isSized = file.isOpen() && ftruncate(descriptor, static_cast<off_t>(bytes)) == 0 &&
                       fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0;
  return isSized ? std::move(file) : ipc::File();
}

}  // namespace

std::unique_ptr<DeviceMemory> DeviceMemory::reserve(size_t limit) {
  const size_t bytes = 2 * kDeviceToHost;
  void* start = mmap(nullptr, bytes + kHugePage, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) {
    return nullptr;
  }
  const uintptr_t base = roundUp(reinterpret_cast<uintptr_t>(start), kHugePage);
  void* host = reinterpret_cast<void*>(base + kDeviceToHost);
  ipc::File file = memoryFile(kDeviceToHost);
  if (file.isOpen()) {
    if (mmap(host, kDeviceToHost, PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
             file.descriptor(), 0) == MAP_FAILED) {
      munmap(start, bytes + kHugePage);
      return nullptr;
    }
    // A child would write into this process's memory.
    expectForks();
    madvise(host, kDeviceToHost, MADV_DONTFORK);
  }
  return std::unique_ptr<DeviceMemory>(
      new DeviceMemory(base, kDeviceToHost, limit, std::move(file)));
}

DeviceMemory::DeviceMemory(uintptr_t base, size_t span, size_t limit, ipc::File file)
    : base_(base),
      span_(span),
      limit_(limit),
      file_(std::move(file)),
      asked_(new std::atomic<bool>[span / kHugePage]()) {
  free_.add(0, span);
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
  const auto& bySize = free_.bySize();
  auto fit = bySize.lower_bound({room, 0});
  while (fit != bySize.end() && roundUp(fit->second, unit) + room > fit->second + fit->first) {
    ++fit;
  }
  if (fit == bySize.end()) {
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
  // What may lack memory comes before anything changes.
  std::map<size_t, Block> taken{{begin, Block{bytes, room, allocations_ + 1}}};
  Holes rest;
  if (begin > hole) {
    rest.add(hole, begin - hole);
  }
  if (hole + holeBytes > begin + room) {
    rest.add(begin + room, hole + holeBytes - begin - room);
  }
  free_.remove(free_.byPlace().find(hole));
  free_.take(rest);
  live_.merge(taken);
  ++allocations_;
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
  size_t begin = offset;
  size_t end = offset + block.room;
  const auto& byPlace = free_.byPlace();
  const auto next = byPlace.lower_bound(begin);
  const bool meetsNext = next != byPlace.end() && next->first == end;
  const auto previous = next == byPlace.begin() ? byPlace.end() : std::prev(next);
  const bool meetsPrevious =
      previous != byPlace.end() && previous->first + previous->second == begin;
  end += meetsNext ? next->second : 0;
  begin -= meetsPrevious ? previous->second : 0;
  Holes hole;
  hole.add(begin, end - begin);  // may lack memory, so it comes before anything changes
  if (meetsNext) {
    free_.remove(next);
  }
  if (meetsPrevious) {
    free_.remove(previous);
  }
  free_.take(hole);
  live_.erase(it);
  used_ -= block.bytes;
  dirty_.add(offset, offset + block.room);
  // Debug keeps freed memory filled, which pages given back are not.
  if (dirty_.bytes() > limit_ / kKeptShare && !options().debug) {
    giveBack();
  }
  return ACL_SUCCESS;
}

void DeviceMemory::giveBack() {
  for (const auto& [from, to] : dirty_.ranges()) {
    const size_t begin = roundUp(from, kPage);
    const size_t end = to / kPage * kPage;
    if (begin < end) {
      if (!file_.isOpen()) {
        madvise(host(begin), end - begin, MADV_DONTNEED);
      } else {
        fallocate(file_.descriptor(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(begin), static_cast<off_t>(end - begin));
      }
      std::fill(&asked_[begin / kHugePage], &asked_[(end - 1) / kHugePage] + 1, false);
    }
  }
  dirty_.clear();
}

// Where the system gives files in memory huge pages only when asked for each, as most do (their
// shmem_enabled is "never"), that is also cheaper than the faults of the small pages.
void DeviceMemory::useHugePages(const void* p, size_t bytes) {
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
  if (!file_.isOpen()) {
    return;  // MADV_HUGEPAGE was enough
  }
  const size_t offset = reinterpret_cast<uintptr_t>(p) - (base_ + kDeviceToHost);
  const size_t end = (offset + bytes + kHugePage - 1) / kHugePage;
  for (size_t page = offset / kHugePage; page < end; ++page) {
    if (asked_[page].load(std::memory_order_relaxed) || asked_[page].exchange(true)) {
      continue;
    }
    void* at = host(page * kHugePage);
    if (madvise(at, kPage, MADV_POPULATE_READ) == 0) {  // nothing does not collapse
      madvise(at, kHugePage, MADV_COLLAPSE);
    }
  }
}

uint64_t DeviceMemory::allocationOf(const void* p, size_t bytes) {
  const size_t offset = reinterpret_cast<uintptr_t>(p) - base_;
  std::shared_lock lock(mutex_);
  auto it = live_.upper_bound(offset);
  if (it == live_.begin()) {
    return 0;
  }
  --it;
  const size_t inside = offset - it->first;
  const Block& block = it->second;
  return inside < block.bytes && bytes <= block.bytes - inside ? block.number : 0;
}

void DeviceMemory::info(size_t* free, size_t* total) {
  std::shared_lock lock(mutex_);
  *free = limit_ - used_;
  *total = limit_;
}

// ---- functions ----

uint64_t allocationOf(const void* p, size_t bytes) {
  if (isMappedAddress(p)) {
    return isMappedRange(p, bytes) ? 1 : 0;
  }
  DeviceMemory* memory = memoryAround(p);
  return memory == nullptr ? 0 : memory->allocationOf(p, bytes);
}

int deviceOf(const void* p) {
  if (isMappedAddress(p)) {
    return deviceOfMapped(p);
  }
  for (int device = 0; device < options().devices; ++device) {
    DeviceMemory* memory = memoryOf(device);
    if (memory != nullptr && memory->contains(p)) {
      return device;
    }
  }
  return -1;
}

bool isBackingMemory(const void* p) { return memoryBehind(p) != nullptr; }

void useHugePages(const void* p, size_t bytes) {
  if (bytes < kLargeEnough) {
    return;
  }
  if (DeviceMemory* memory = memoryBehind(p)) {
    memory->useHugePages(p, bytes);
  }
}

static aclError reserveDevice(int device, DeviceMemory** memory) {
  *memory = memoryOf(device);
  if (*memory != nullptr) {
    return ACL_SUCCESS;
  }
  std::lock_guard lock(table().mutex);
  *memory = memoryOf(device);
  if (*memory == nullptr) {
    *memory = DeviceMemory::reserve(options().deviceMemory).release();
    table().devices[static_cast<size_t>(device)].store(*memory, std::memory_order_release);
  }
  return *memory != nullptr
             ? ACL_SUCCESS
             : fail(ACL_ERROR_RT_MEMORY_ALLOCATION,
                    "cannot reserve %llu bytes of address space for device %d; lower "
                    "CANN4J_CPU_DEVICE_MEMORY or raise the limit on virtual memory",
                    static_cast<unsigned long long>(options().deviceMemory), device);
}

aclError allocateDevice(int device, size_t size, size_t extra, void** devicePtr) {
  if (size > kLongestRange) {
    return fail(ACL_ERROR_RT_MEMORY_ALLOCATION, "out of device memory: %zu bytes asked for", size);
  }
  DeviceMemory* memory = nullptr;
  const aclError error = reserveDevice(device, &memory);
  return error != ACL_SUCCESS ? error : memory->allocate(roundUp(size, 32) + extra, devicePtr);
}

aclError shareDevice(int device, SharedDevice* shared) {
  DeviceMemory* memory = nullptr;
  const aclError error = reserveDevice(device, &memory);
  if (error != ACL_SUCCESS) {
    return error;
  }
  if (!memory->file().isOpen()) {
    return fail(ACL_ERROR_RT_MEMORY_ALLOCATION,
                "the memory of device %d cannot be shared with other processes: the system gave no "
                "memory file of %zu bytes (memfd_create, or the limit on file sizes)",
                device, memory->span());
  }
  *shared = {memory->file().descriptor(), memory->base(), memory->span()};
  return ACL_SUCCESS;
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
    useHugePages(dst, bytes);
    std::memcpy(dst, src, bytes);
    return;
  }
  ThreadPool::instance().parallelFor(
      static_cast<int64_t>((bytes + kPiece - 1) / kPiece), [&](int64_t piece) {
        const size_t begin = static_cast<size_t>(piece) * kPiece;
        const size_t count = std::min(kPiece, bytes - begin);
        useHugePages(static_cast<char*>(dst) + begin, count);
        std::memcpy(static_cast<char*>(dst) + begin, static_cast<const char*>(src) + begin, count);
      });
}

void fillBytes(void* dst, int value, size_t bytes) {
  constexpr size_t kPiece = size_t{8} << 20;
  if (bytes <= kPiece) {
    useHugePages(dst, bytes);
    std::memset(dst, value, bytes);
    return;
  }
  ThreadPool::instance().parallelFor(
      static_cast<int64_t>((bytes + kPiece - 1) / kPiece), [&](int64_t piece) {
        const size_t begin = static_cast<size_t>(piece) * kPiece;
        const size_t count = std::min(kPiece, bytes - begin);
        useHugePages(static_cast<char*>(dst) + begin, count);
        std::memset(static_cast<char*>(dst) + begin, value, count);
      });
}

}  // namespace cann4j
