// SPDX-License-Identifier: Apache-2.0
#include "runtime/device_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "acl/acl_rt.h"
#include "check.hpp"
#include "runtime/memory.hpp"

using cann4j::DeviceMemory;
using cann4j::IntervalSet;

namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// Whether all of a mapping's memory around p is in huge pages, `bytes` at least.
bool pagesAreHuge(const void* p, size_t bytes) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  size_t resident = 0;
  while (std::getline(maps, line)) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    size_t kilobytes = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx ", &begin, &end) == 2) {
      inside = reinterpret_cast<uintptr_t>(p) >= begin && reinterpret_cast<uintptr_t>(p) < end;
    } else if (inside && std::sscanf(line.c_str(), "Rss: %zu", &kilobytes) == 1) {
      resident = kilobytes << 10;
    } else if (inside && (std::sscanf(line.c_str(), "ShmemPmdMapped: %zu", &kilobytes) == 1 ||
                          std::sscanf(line.c_str(), "AnonHugePages: %zu", &kilobytes) == 1) &&
               kilobytes > 0) {
      return kilobytes << 10 >= bytes && kilobytes << 10 == resident;
    }
  }
  return false;
}

// By a file of this test's own.
bool systemMakesHugePages() {
  const int file = memfd_create("probe", MFD_CLOEXEC);
  CHECK(file >= 0 && ftruncate(file, kHugePage) == 0);
  void* around = mmap(nullptr, 2 * kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const uintptr_t at = (reinterpret_cast<uintptr_t>(around) + kHugePage - 1) / kHugePage * kHugePage;
  auto* page = static_cast<char*>(mmap(reinterpret_cast<void*>(at), kHugePage, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_FIXED, file, 0));
  page[0] = 1;
  constexpr int kCollapse = 25;  // MADV_COLLAPSE
  const bool makes = madvise(page, kHugePage, kCollapse) == 0;
  munmap(around, 2 * kHugePage);
  close(file);
  return makes;
}

}  // namespace

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

TEST(hugePagesKeepWhatIsThere) {
  constexpr size_t kBytes = size_t{23} << 20;
  const auto memory = DeviceMemory::reserve(size_t{1} << 30);
  for (int round = 0; round < 2; ++round) {
    void* first = nullptr;
    void* p = nullptr;
    CHECK_EQ(memory->allocate(5000, &first), ACL_SUCCESS);  // shares a huge page with the other
    CHECK_EQ(memory->allocate(kBytes, &p), ACL_SUCCESS);
    auto* before = cann4j::toHostAs<unsigned char>(first);
    auto* bytes = cann4j::toHostAs<unsigned char>(p);
    std::fill(before, before + 5000, 3);
    std::fill(bytes, bytes + kBytes, 0);
    for (size_t i = 0; i < kBytes / 2; i += 1000) {
      bytes[i] = static_cast<unsigned char>(1 + i % 251);
    }
    memory->useHugePages(bytes, kBytes);
    memory->useHugePages(bytes + kBytes / 3, kBytes / 2);
    CHECK(pagesAreHuge(bytes, kBytes) || !systemMakesHugePages() || check::isEmulated());
    CHECK(std::all_of(before, before + 5000, [](unsigned char b) { return b == 3; }));
    for (size_t i = 0; i < kBytes; ++i) {
      CHECK_EQ(static_cast<size_t>(bytes[i]),
               i % 1000 == 0 && i < kBytes / 2 ? 1 + i % 251 : size_t{0});
    }
    CHECK_EQ(memory->release(p), ACL_SUCCESS);
    CHECK_EQ(memory->release(first), ACL_SUCCESS);
  }
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
