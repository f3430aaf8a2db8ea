// SPDX-License-Identifier: Apache-2.0
#include "handle_arena.hpp"

#include <sys/mman.h>

#include <mutex>
#include <new>

// Leak checkers do not look into mappings unless told to.
extern "C" [[gnu::weak]] void __lsan_register_root_region(const void* begin, size_t size);

namespace cann4j {
namespace {

constexpr size_t kChunk = size_t{256} << 10;
constexpr size_t kReserved = size_t{64} << 20;
constexpr size_t kCacheLine = 64;

void* mapAt(void* address, size_t bytes, int protection, int fixed) {
  return mmap(address, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1,
              0);
}

// A chunk of addresses, aligned to its size, that nobody ever had.
uintptr_t newChunk() {
  static std::mutex& mutex = *new std::mutex;
  static uintptr_t next = 0;
  static uintptr_t end = 0;
  std::lock_guard lock(mutex);
  if (next == end) {
    void* range = mapAt(nullptr, kReserved + kChunk, PROT_NONE, 0);
    if (range == MAP_FAILED) {
      throw std::bad_alloc();
    }
    next = (reinterpret_cast<uintptr_t>(range) + kChunk - 1) / kChunk * kChunk;
    end = next + kReserved;
    if (__lsan_register_root_region != nullptr) {
      __lsan_register_root_region(reinterpret_cast<void*>(next), kReserved);
    }
  }
  if (mprotect(reinterpret_cast<void*>(next), kChunk, PROT_READ | PROT_WRITE) != 0) {
    throw std::bad_alloc();
  }
  next += kChunk;
  return next - kChunk;
}

}  // namespace

HandleArena::HandleArena(size_t objectSize)
    : slot_((objectSize + kCacheLine - 1) / kCacheLine * kCacheLine) {}

void* HandleArena::take() {
  if (chunk_ == 0 || filled_ + slot_ > kChunk) {
    const uintptr_t full = chunk_;
    const uintptr_t fresh = newChunk();
    live_.emplace(fresh, 0);
    chunk_ = fresh;
    filled_ = 0;
    retireIfEmpty(full);
  }
  ++live_[chunk_];
  filled_ += slot_;
  return reinterpret_cast<void*>(chunk_ + filled_ - slot_);
}

void HandleArena::give(void* object) {
  const uintptr_t chunk = reinterpret_cast<uintptr_t>(object) / kChunk * kChunk;
  --live_[chunk];
  retireIfEmpty(chunk);
}

void HandleArena::retireIfEmpty(uintptr_t chunk) {
  const auto it = live_.find(chunk);
  if (it == live_.end() || it->second > 0 || chunk == chunk_) {
    return;
  }
  live_.erase(it);
  // Failing costs memory only.
  mapAt(reinterpret_cast<void*>(chunk), kChunk, PROT_NONE, MAP_FIXED);
}

}  // namespace cann4j
