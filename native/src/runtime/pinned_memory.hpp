// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <shared_mutex>

#include "acl/acl_base.h"

namespace cann4j {

// Host memory that the device may read and write by itself, so that a copy need not be done when
// its call returns. Who holds it keeps memory of aclrtMallocHost from being given back to the
// system, but not from being freed: then isAlive is false.
struct PinnedBlock {
  PinnedBlock(uintptr_t beginAddress, size_t size) : begin(beginAddress), bytes(size) {}

  const uintptr_t begin;
  const size_t bytes;
  std::shared_ptr<void> memory;  // none if it is the program's own
  std::shared_mutex mutex;       // held by who uses the memory, alone by who ends it
  bool isAlive = true;
};

aclError allocatePinned(size_t size, void** hostPtr);
aclError freePinned(void* hostPtr);

// Makes memory of the program pinned until that is undone.
aclError pin(const char* function, void* p, size_t bytes);
bool unpin(void* p);

// The block around all of these bytes; null: they are pageable.
std::shared_ptr<PinnedBlock> findPinned(const void* p, size_t bytes);

}  // namespace cann4j
