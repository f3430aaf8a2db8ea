// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace cann4j {

// Memory for objects of one size whose addresses are handles: no address is given out twice in the
// life of the process, so one that was destroyed is never mistaken for a newer object. Of memory
// that was given back only the addresses stay taken. Its user locks.
class HandleArena {
 public:
  explicit HandleArena(size_t objectSize);

  void* take();  // throws bad_alloc
  void give(void* object);

 private:
  void retireIfEmpty(uintptr_t chunk);

  const size_t slot_;
  uintptr_t chunk_ = 0;  // the one that take() fills
  size_t filled_ = 0;
  std::unordered_map<uintptr_t, size_t> live_;  // objects in each chunk
};

}  // namespace cann4j
