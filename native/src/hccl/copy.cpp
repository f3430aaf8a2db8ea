// SPDX-License-Identifier: Apache-2.0
#include "hccl/copy.hpp"

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
constexpr size_t kSmallestPiece = size_t{16} << 10;
// Below these, a second thread costs more than it saves: one that looks for work, one that sleeps.
constexpr size_t kParallel = size_t{64} << 10;
constexpr size_t kWorthWaking = size_t{384} << 10;
constexpr size_t kStreaming = size_t{64} << 10;

}  // namespace

bool isParallel(size_t bytes) {
  return bytes >= (ThreadPool::instance().hasHelpers() ? kParallel : kWorthWaking);
}

bool isStreaming(size_t bytes) { return bytes >= kStreaming; }

static void copyCached(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }

#if defined(__SSE2__)
// Ordinary stores read what they overwrite, a third of the memory traffic of a copy.
void copyStreaming(void* targetStart, const void* sourceStart, size_t bytes) {
  auto* to = static_cast<char*>(targetStart);
  auto* from = static_cast<const char*>(sourceStart);
  size_t head = std::min(bytes, static_cast<size_t>(-reinterpret_cast<uintptr_t>(to) & 15));
  std::memcpy(to, from, head);
  to += head;
  from += head;
  bytes -= head;
  constexpr size_t kPage = 4096;
  for (size_t done = 0; bytes >= 64; bytes -= 64, from += 64, to += 64, done += 64) {
    if (done % kPage == 0) {  // the loads are to find the next page in the cache
      for (size_t ahead = kPage; ahead < 2 * kPage && ahead < bytes; ahead += 64) {
        _mm_prefetch(from + ahead, _MM_HINT_T0);
      }
    }
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
  const auto copy = isStreaming(total) ? copyStreaming : copyCached;
  if (!isParallel(total)) {
    for (const Block& block : blocks) {
      if (block.from != block.to && block.bytes > 0) {
        copy(block.to, block.from, block.bytes);
      }
    }
    return;
  }
  // A few for every thread.
  const size_t threads = static_cast<size_t>(ThreadPool::instance().threads());
  const size_t share = (total / (4 * threads) + 4095) / 4096 * 4096;
  const size_t length = std::clamp(share, kSmallestPiece, kPiece);
  std::vector<Block> pieces;
  pieces.reserve(total / length + blocks.size());
  for (const Block& block : blocks) {
    if (block.from == block.to) {
      continue;
    }
    for (size_t offset = 0; offset < block.bytes; offset += length) {
      pieces.push_back(
          {block.from + offset, block.to + offset, std::min(length, block.bytes - offset)});
    }
  }
  ThreadPool::instance().parallelForOpen(static_cast<int64_t>(pieces.size()), [&](int64_t index) {
    const Block& piece = pieces[static_cast<size_t>(index)];
    copy(piece.to, piece.from, piece.bytes);
  });
}

}  // namespace cann4j::hccl
