// SPDX-License-Identifier: Apache-2.0
#include "pinned_memory.hpp"

#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>

#include "error.hpp"
#include "options.hpp"

namespace cann4j {
namespace {

struct PinnedTable {
  std::shared_mutex mutex;
  std::map<uintptr_t, std::shared_ptr<PinnedBlock>> blocks;
};

PinnedTable& table() {
  static PinnedTable& instance = *new PinnedTable;
  return instance;
}

std::shared_ptr<PinnedBlock> remove(const void* p, bool isOurs) {
  std::lock_guard lock(table().mutex);
  const auto found = table().blocks.find(reinterpret_cast<uintptr_t>(p));
  if (found == table().blocks.end() || (found->second->memory != nullptr) != isOurs) {
    return nullptr;
  }
  auto block = std::move(found->second);
  table().blocks.erase(found);
  return block;
}

// Waits for copies under way; those that are still to come will notice.
void end(PinnedBlock& block) {
  std::lock_guard lock(block.mutex);
  block.isAlive = false;
}

}  // namespace

// Whole pages, as registration wants them, which are gone when they are freed. They are not locked:
// nothing here needs that, only the difference to pageable memory counts.
aclError allocatePinned(size_t size, void** hostPtr) {
  constexpr size_t kPage = 4096;
  const size_t bytes = (size + kPage - 1) / kPage * kPage;
  void* address = bytes < size ? MAP_FAILED
                               : mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    return fail(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host has no %zu bytes of memory", size);
  }
  std::shared_ptr<void> memory(address, [bytes](void* p) { munmap(p, bytes); });
  if (options().debug) {
    std::memset(address, 0xFF, size);
  }
  const auto begin = reinterpret_cast<uintptr_t>(address);
  auto block = std::make_shared<PinnedBlock>(begin, size);
  block->memory = std::move(memory);
  std::lock_guard lock(table().mutex);
  table().blocks.insert_or_assign(begin, std::move(block));
  *hostPtr = address;
  return ACL_SUCCESS;
}

aclError freePinned(void* hostPtr) {
  const auto block = remove(hostPtr, true);
  if (block == nullptr) {
    return fail(ACL_ERROR_RT_PARAM_INVALID,
                "%p is no address that aclrtMallocHost returned, or it was freed already", hostPtr);
  }
  end(*block);
  return ACL_SUCCESS;
}

aclError pin(const char* function, void* p, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(p);
  auto block = std::make_shared<PinnedBlock>(begin, bytes);
  std::lock_guard lock(table().mutex);
  const auto next = table().blocks.lower_bound(begin);
  const bool meetsNext = next != table().blocks.end() && next->first - begin < bytes;
  const bool meetsPrevious = next != table().blocks.begin() &&
                             begin - std::prev(next)->first < std::prev(next)->second->bytes;
  if (meetsNext || meetsPrevious) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, "%s: %p with %zu bytes overlaps pinned memory", function,
                p, bytes);
  }
  table().blocks.emplace(begin, std::move(block));
  return ACL_SUCCESS;
}

bool unpin(void* p) {
  const auto block = remove(p, false);
  if (block != nullptr) {
    end(*block);
  }
  return block != nullptr;
}

std::shared_ptr<PinnedBlock> findPinned(const void* p, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  std::shared_lock lock(table().mutex);
  auto it = table().blocks.upper_bound(address);
  if (it == table().blocks.begin()) {
    return nullptr;
  }
  --it;
  const size_t inside = address - it->first;
  const size_t size = it->second->bytes;
  return inside < size && bytes <= size - inside ? it->second : nullptr;
}

}  // namespace cann4j
