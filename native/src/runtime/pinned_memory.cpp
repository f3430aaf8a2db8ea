// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <cstring>
#include <map>
#include <shared_mutex>

#include "error.hpp"
#include "memory.hpp"
#include "options.hpp"

namespace cann4j {
namespace {

struct PinnedTable {
  std::shared_mutex mutex;
  std::map<uintptr_t, size_t> blocks;
};

PinnedTable& table() {
  static PinnedTable& instance = *new PinnedTable;
  return instance;
}

}  // namespace

// The pages are not locked: nothing here needs that, only the difference to pageable memory counts.
aclError allocatePinned(size_t size, void** hostPtr) {
  constexpr size_t kAlignment = 64;
  void* block = nullptr;
  if (size > SIZE_MAX - kAlignment ||
      posix_memalign(&block, kAlignment, (size + kAlignment - 1) / kAlignment * kAlignment) != 0) {
    return fail(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host has no %zu bytes of memory", size);
  }
  if (options().debug) {
    std::memset(block, 0xFF, size);
  }
  std::lock_guard lock(table().mutex);
  table().blocks.emplace(reinterpret_cast<uintptr_t>(block), size);
  *hostPtr = block;
  return ACL_SUCCESS;
}

aclError freePinned(void* hostPtr) {
  {
    std::lock_guard lock(table().mutex);
    if (table().blocks.erase(reinterpret_cast<uintptr_t>(hostPtr)) == 0) {
      return fail(ACL_ERROR_RT_PARAM_INVALID,
                  "%p is no address that aclrtMallocHost returned, or it was freed already",
                  hostPtr);
    }
  }
  std::free(hostPtr);
  return ACL_SUCCESS;
}

bool isPinnedRange(const void* p, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  std::shared_lock lock(table().mutex);
  auto it = table().blocks.upper_bound(address);
  if (it == table().blocks.begin()) {
    return false;
  }
  --it;
  const size_t inside = address - it->first;
  return inside < it->second && bytes <= it->second - inside;
}

}  // namespace cann4j
