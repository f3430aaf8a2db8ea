// SPDX-License-Identifier: Apache-2.0
#include "runtime/device_memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

#include "acl/acl_rt.h"
#include "check.hpp"
#include "runtime/memory.hpp"

using cann4j::DeviceMemory;
using cann4j::IntervalSet;

TEST(intervalsAgreeWithABitMap) {
  std::mt19937 random(99);
  IntervalSet set;
  std::vector<bool> bits(200, false);
  for (int round = 0; round < 3000; ++round) {
    const size_t begin = random() % 200;
    const size_t end = begin + 1 + random() % (200 - begin);
    const bool add = random() % 2 == 0;
    if (add) {
      set.add(begin, end);
    } else {
      set.remove(begin, end);
    }
    std::fill(bits.begin() + static_cast<int64_t>(begin), bits.begin() + static_cast<int64_t>(end),
              add);
    std::vector<bool> seen(200, false);
    size_t previousEnd = 0;
    for (const auto& [from, to] : set.ranges()) {
      CHECK(from < to);
      CHECK(previousEnd == 0 || from > previousEnd);
      previousEnd = to;
      std::fill(seen.begin() + static_cast<int64_t>(from), seen.begin() + static_cast<int64_t>(to),
                true);
    }
    CHECK(seen == bits);
    CHECK_EQ(set.bytes(), static_cast<size_t>(std::count(bits.begin(), bits.end(), true)));
  }
}

TEST(blocksAreDisjointAndMergeAgain) {
  const size_t limit = size_t{64} << 20;
  const auto memory = DeviceMemory::reserve(limit);
  CHECK(memory != nullptr);
  std::mt19937 random(7);
  struct Block {
    char* begin;
    size_t bytes;
  };
  std::vector<Block> live;
  for (int round = 0; round < 5000; ++round) {
    if (live.size() < 50 && random() % 5 < 3) {
      const size_t bytes = 32 * (1 + random() % (round % 20 == 0 ? 30000 : 100));
      void* p = nullptr;
      if (memory->allocate(bytes, &p) != ACL_SUCCESS) {
        continue;
      }
      const Block block{static_cast<char*>(p), bytes};
      CHECK_EQ(reinterpret_cast<uintptr_t>(p) % 64, uintptr_t{0});
      CHECK(memory->allocationOf(p, bytes) != 0);
      CHECK_EQ(memory->allocationOf(p, bytes + 1), uint64_t{0});
      for (const Block& other : live) {
        CHECK(block.begin + block.bytes <= other.begin || other.begin + other.bytes <= block.begin);
      }
      live.push_back(block);
    } else if (!live.empty()) {
      const size_t victim = random() % live.size();
      CHECK_EQ(memory->release(live[victim].begin), ACL_SUCCESS);
      CHECK_EQ(memory->allocationOf(live[victim].begin, 1), uint64_t{0});
      live.erase(live.begin() + static_cast<int64_t>(victim));
    }
  }
  for (const Block& block : live) {
    CHECK_EQ(memory->release(block.begin), ACL_SUCCESS);
  }
  size_t free = 0;
  size_t total = 0;
  memory->info(&free, &total);
  CHECK_EQ(free, limit);
  void* all = nullptr;
  CHECK_EQ(memory->allocate(limit, &all), ACL_SUCCESS);
  CHECK_EQ(memory->release(all), ACL_SUCCESS);
}

TEST(givenBackPagesAreZeroAndUsable) {
  constexpr size_t kBytes = size_t{300} << 20;
  const auto memory = DeviceMemory::reserve(size_t{1} << 30);
  void* p = nullptr;
  CHECK_EQ(memory->allocate(kBytes, &p), ACL_SUCCESS);
  auto* bytes = cann4j::toHostAs<unsigned char>(p);
  for (size_t i = 0; i < kBytes; i += 4096) {
    bytes[i] = 1;
  }
  CHECK_EQ(memory->release(p), ACL_SUCCESS);
  void* again = nullptr;
  CHECK_EQ(memory->allocate(kBytes, &again), ACL_SUCCESS);
  CHECK_EQ(again, p);
  if (std::getenv("CANN4J_CPU_DEBUG") == nullptr) {
    // More was freed than is kept resident, so the pages went back to the system.
    CHECK_EQ(static_cast<int>(bytes[8192]), 0);
  }
  bytes[8192] = 2;
  CHECK_EQ(memory->release(again), ACL_SUCCESS);
}

TEST(theMappingBehindIsNobodysToUse) {
  CHECK_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  void* p = nullptr;
  CHECK_EQ(aclrtMalloc(&p, 64, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
  char host[64] = {};
  CHECK_EQ(aclrtMemcpy(p, 64, host, 64, ACL_MEMCPY_HOST_TO_DEVICE), ACL_SUCCESS);
  CHECK_EQ(aclrtMemcpy(cann4j::toHost(p), 64, host, 64, ACL_MEMCPY_HOST_TO_DEVICE),
           ACL_ERROR_RT_PARAM_INVALID);
  CHECK_EQ(aclrtMemcpy(host, 64, cann4j::toHost(p), 64, ACL_MEMCPY_DEVICE_TO_HOST),
           ACL_ERROR_RT_PARAM_INVALID);
  CHECK_EQ(cann4j::deviceOf(p), 0);
  CHECK_EQ(cann4j::deviceOf(cann4j::toHost(p)), -1);
  CHECK_EQ(aclrtFree(p), ACL_SUCCESS);
}
