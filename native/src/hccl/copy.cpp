// SPDX-License-Identifier: Apache-2.0
#include "hccl/copy.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "runtime/thread_pool.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace cann4j::hccl {
namespace {

constexpr size_t kPiece = size_t{256} << 10;
// Below this, waking a second thread costs more than it saves.
constexpr size_t kParallel = size_t{1} << 20;

}  // namespace

bool exceedsCache(size_t bytes) {
  static const size_t limit = [] {
    long lastLevelCache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    return lastLevelCache > 0 ? static_cast<size_t>(lastLevelCache) / 4 * 3 : size_t{24} << 20;
  }();
  return bytes >= limit;
}

#if defined(__SSE2__)
// Ordinary stores read what they overwrite, a third of the memory traffic of a large copy.
void copyStreaming(void* targetStart, const void* sourceStart, size_t bytes) {
  auto* to = static_cast<char*>(targetStart);
  auto* from = static_cast<const char*>(sourceStart);
  size_t head = std::min(bytes, static_cast<size_t>(-reinterpret_cast<uintptr_t>(to) & 15));
  std::memcpy(to, from, head);
  to += head;
  from += head;
  bytes -= head;
  for (; bytes >= 64; bytes -= 64, from += 64, to += 64) {
    auto* source = reinterpret_cast<const __m128i*>(from);
    auto* target = reinterpret_cast<__m128i*>(to);
    __m128i a = _mm_loadu_si128(source);
    __m128i b = _mm_loadu_si128(source + 1);
    __m128i c = _mm_loadu_si128(source + 2);
    __m128i d = _mm_loadu_si128(source + 3);
    _mm_stream_si128(target, a);
    _mm_stream_si128(target + 1, b);
    _mm_stream_si128(target + 2, c);
    _mm_stream_si128(target + 3, d);
  }
  std::memcpy(to, from, bytes);
  _mm_sfence();
}
#else
void copyStreaming(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }
#endif

void copyBlocks(const std::vector<Block>& blocks) {
  size_t total = 0;
  for (const Block& block : blocks) {
    total += block.from != block.to ? block.bytes : 0;
  }
  if (total < kParallel) {
    for (const Block& block : blocks) {
      if (block.from != block.to && block.bytes > 0) {
        std::memcpy(block.to, block.from, block.bytes);
      }
    }
    return;
  }
  std::vector<Block> pieces;
  pieces.reserve(total / kPiece + blocks.size());
  for (const Block& block : blocks) {
    if (block.from == block.to) {
      continue;
    }
    for (size_t offset = 0; offset < block.bytes; offset += kPiece) {
      pieces.push_back(
          {block.from + offset, block.to + offset, std::min(kPiece, block.bytes - offset)});
    }
  }
  bool streaming = exceedsCache(total);
  ThreadPool::instance().parallelFor(static_cast<int64_t>(pieces.size()), [&](int64_t index) {
    const Block& piece = pieces[static_cast<size_t>(index)];
    if (streaming) {
      copyStreaming(piece.to, piece.from, piece.bytes);
    } else {
      std::memcpy(piece.to, piece.from, piece.bytes);
    }
  });
}

}  // namespace cann4j::hccl
