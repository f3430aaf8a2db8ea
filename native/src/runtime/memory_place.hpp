// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <shared_mutex>

#include "acl/acl_base.h"
#include "host_memory.hpp"
#include "memory.hpp"
#include "pinned_memory.hpp"

namespace cann4j {

// Memory that an acl call was given, told by its address alone.
struct Place {
  const void* given = nullptr;
  void* host = nullptr;  // where the toolkit reads or writes
  size_t bytes = 0;
  int device = -1;                      // -1: host memory
  std::shared_ptr<PinnedBlock> pinned;  // host memory that a stream may use later

  bool isPageable() const { return device < 0 && pinned == nullptr; }
};

// Fails, with words, unless all of the bytes are memory that may be used so.
aclError locate(const char* function, const char* name, const void* p, size_t bytes, Access access,
                Place* place);

// A place at the time when a stream comes to use it; pinned memory does not end meanwhile.
class PlaceInUse {
 public:
  explicit PlaceInUse(const Place& place);

  // Whether it was freed since it was located.
  aclError check(const char* function, const char* name) const;

 private:
  const Place& place_;
  std::shared_lock<std::shared_mutex> lock_;
};

}  // namespace cann4j
