// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <utility>

#include "acl/acl_base.h"
#include "ipc/file.hpp"

namespace cann4j {

// Disjoint half-open ranges.
class IntervalSet {
 public:
  void add(size_t begin, size_t end);
  void remove(size_t begin, size_t end);
  void clear() {
    ranges_.clear();
    bytes_ = 0;
  }
  size_t bytes() const { return bytes_; }
  const std::map<size_t, size_t>& ranges() const { return ranges_; }

 private:
  std::map<size_t, size_t> ranges_;  // begin -> end
  size_t bytes_ = 0;
};

// The free pieces of a range, by place and by size.
class Holes {
 public:
  using Place = std::map<size_t, size_t>::const_iterator;  // offset -> bytes

  void add(size_t offset, size_t bytes);
  void remove(Place hole);
  // Never lacks memory.
  void take(Holes& others);
  const std::map<size_t, size_t>& byPlace() const { return byPlace_; }
  const std::set<std::pair<size_t, size_t>>& bySize() const { return bySize_; }

 private:
  std::map<size_t, size_t> byPlace_;
  std::set<std::pair<size_t, size_t>> bySize_;
};

// The memory of one simulated device: a range of addresses without access rights, and the mapping
// behind it, of a file in memory that other processes can map too. Best fit with coalescing; freed
// pages stay resident up to a limit.
class DeviceMemory {
 public:
  static std::unique_ptr<DeviceMemory> reserve(size_t limit);  // nullptr: no address space

  bool contains(const void* p) const;
  bool containsBacking(const void* p) const;
  aclError allocate(size_t bytes, void** devicePtr);
  aclError release(void* devicePtr);
  uint64_t allocationOf(const void* p, size_t bytes);  // 0: not inside a live one
  void info(size_t* free, size_t* total);
  // Huge pages under bytes of a live allocation, at their address in the mapping behind.
  void useHugePages(const void* p, size_t bytes);

  uintptr_t base() const { return base_; }
  size_t span() const { return span_; }
  // Not open where the system gives no such file; the memory is private then.
  const ipc::File& file() const { return file_; }

 private:
  struct Block {
    size_t bytes;  // counted against the limit
    size_t room;   // taken from the range
    uint64_t number;
  };

  DeviceMemory(uintptr_t base, size_t span, size_t limit, ipc::File file);
  void* host(size_t offset) const;
  void giveBack();

  const uintptr_t base_;
  const size_t span_;
  const size_t limit_;
  const ipc::File file_;
  std::shared_mutex mutex_;
  size_t used_ = 0;
  size_t committed_ = 0;
  uint64_t allocations_ = 0;
  std::map<size_t, Block> live_;
  Holes free_;
  IntervalSet dirty_;
  const std::unique_ptr<std::atomic<bool>[]> asked_;  // whether huge page n was asked for
};

}  // namespace cann4j
