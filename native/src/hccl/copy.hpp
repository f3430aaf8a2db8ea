// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace cann4j::hccl {

struct Block {
  const char* from;
  char* to;
  size_t bytes;
};

// Copies blocks (host addresses) whose targets overlap neither each other nor any source; a block
// onto itself is skipped. Small amounts on the calling thread, larger ones with threads that
// wait for a stream and those of the pool.
void copyBlocks(const std::vector<Block>& blocks);

// Whether so much is worth several threads, and to be written past the cache.
bool isParallel(size_t bytes);
bool isStreaming(size_t bytes);
// memcpy that leaves the cache alone.
void copyStreaming(void* to, const void* from, size_t bytes);

}  // namespace cann4j::hccl
