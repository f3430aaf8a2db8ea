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
// onto itself is skipped. Small amounts on the calling thread, large ones on all threads of the
// pool.
void copyBlocks(const std::vector<Block>& blocks);

// Whether so many bytes, written together, would be out of the cache before anyone reads them.
bool exceedsCache(size_t bytes);
// memcpy that leaves the cache alone.
void copyStreaming(void* to, const void* from, size_t bytes);

}  // namespace cann4j::hccl
