// SPDX-License-Identifier: Apache-2.0
#include "hccl/reduce.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "hccl/copy.hpp"
#include "runtime/half.hpp"
#include "runtime/thread_pool.hpp"

namespace cann4j::hccl {
namespace {

// How the elements of a type are stored and in what they are accumulated.
template <class T>
struct Native {
  using Stored = T;
  using Wide = T;
  static Wide widen(Stored value) { return value; }
  static Stored narrow(Wide value) { return value; }
};

struct Bf16 {
  using Stored = uint16_t;
  using Wide = float;
  static Wide widen(Stored value) { return bf16ToFloat(value); }
  static Stored narrow(Wide value) { return floatToBf16(value); }
};

struct Fp16 {
  using Stored = uint16_t;
  using Wide = float;
  static Wide widen(Stored value) { return halfToFloat(value); }
  static Stored narrow(Wide value) { return floatToHalf(value); }
};

// Unsigned arithmetic, so that integers wrap instead of being undefined.
template <class T>
T add(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a + b;
  } else {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
}

template <class T>
T multiply(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a * b;
  } else {
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
}

template <HcclReduceOp op, class T>
T combine(T a, T b) {
  if constexpr (op == HCCL_REDUCE_SUM) {
    return add(a, b);
  } else if constexpr (op == HCCL_REDUCE_PROD) {
    return multiply(a, b);
  } else {
    bool take = op == HCCL_REDUCE_MAX ? b > a : b < a;
    if constexpr (std::is_floating_point_v<T>) {
      take |= b != b;
    }
    return take ? b : a;
  }
}

constexpr uint64_t kTile = 1024;       // elements accumulated at a time, in the first-level cache
constexpr uint64_t kJob = kTile * 64;  // elements that one thread takes at a time, at most

struct Operands {
  const std::vector<const void*>& sources;
  const std::vector<void*>& targets;
  bool streaming;  // the targets are too large to stay in the cache
};

// The loads of the next tile are to find it in the cache.
void prefetch(const char* from, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 64) {
    __builtin_prefetch(from + i);
  }
}

template <class Type, HcclReduceOp op>
void combineTile(const std::vector<const void*>& sources, uint64_t at, uint64_t n,
                 typename Type::Stored* result) {
  using Stored = typename Type::Stored;
  const auto from = [&](size_t source) { return static_cast<const Stored*>(sources[source]) + at; };
  const Stored* first = from(0);
  if (sources.size() == 2) {
    const Stored* second = from(1);
    for (uint64_t i = 0; i < n; ++i) {
      result[i] = Type::narrow(combine<op>(Type::widen(first[i]), Type::widen(second[i])));
    }
    return;
  }
  alignas(64) typename Type::Wide sum[kTile];
  for (uint64_t i = 0; i < n; ++i) {
    sum[i] = Type::widen(first[i]);
  }
  for (size_t source = 1; source < sources.size(); ++source) {
    const Stored* next = from(source);
    for (uint64_t i = 0; i < n; ++i) {
      sum[i] = combine<op>(sum[i], Type::widen(next[i]));
    }
  }
  for (uint64_t i = 0; i < n; ++i) {
    result[i] = Type::narrow(sum[i]);
  }
}

template <class Type, HcclReduceOp op>
void reduceTiles(const Operands& operands, uint64_t begin, uint64_t end) {
  const auto& [sources, targets, streaming] = operands;
  using Stored = typename Type::Stored;
  alignas(64) Stored result[kTile];
  for (uint64_t at = begin; at < end; at += kTile) {
    uint64_t n = std::min(kTile, end - at);
    for (const void* source : sources) {
      prefetch(reinterpret_cast<const char*>(static_cast<const Stored*>(source) + at + n),
               std::min(kTile, end - at - n) * sizeof(Stored));
    }
    combineTile<Type, op>(sources, at, n, result);
    for (void* target : targets) {
      Stored* place = static_cast<Stored*>(target) + at;
      if (streaming) {
        copyStreaming(place, result, n * sizeof(Stored));
      } else {
        std::memcpy(place, result, n * sizeof(Stored));
      }
    }
  }
}

using Tiles = void (*)(const Operands&, uint64_t begin, uint64_t end);

template <class Type>
Tiles tilesOf(HcclReduceOp op) {
  switch (op) {
    case HCCL_REDUCE_SUM:
      return reduceTiles<Type, HCCL_REDUCE_SUM>;
    case HCCL_REDUCE_PROD:
      return reduceTiles<Type, HCCL_REDUCE_PROD>;
    case HCCL_REDUCE_MAX:
      return reduceTiles<Type, HCCL_REDUCE_MAX>;
    default:
      return reduceTiles<Type, HCCL_REDUCE_MIN>;
  }
}

Tiles tilesOf(HcclDataType type, HcclReduceOp op) {
  switch (type) {
    case HCCL_DATA_TYPE_INT8:
      return tilesOf<Native<int8_t>>(op);
    case HCCL_DATA_TYPE_INT16:
      return tilesOf<Native<int16_t>>(op);
    case HCCL_DATA_TYPE_INT32:
      return tilesOf<Native<int32_t>>(op);
    case HCCL_DATA_TYPE_INT64:
      return tilesOf<Native<int64_t>>(op);
    case HCCL_DATA_TYPE_FP16:
      return tilesOf<Fp16>(op);
    case HCCL_DATA_TYPE_BFP16:
      return tilesOf<Bf16>(op);
    default:
      return tilesOf<Native<float>>(op);
  }
}

}  // namespace

void reduceAll(const std::vector<Reduction>& reductions, HcclDataType type, HcclReduceOp op) {
  const Tiles tiles = tilesOf(type, op);
  const size_t width = elementSize(type);
  size_t moved = 0;
  size_t written = 0;
  uint64_t total = 0;
  for (const auto& [sources, targets, count] : reductions) {
    moved += (sources.size() + targets.size()) * count * width / 2;
    written += targets.size() * count * width;
    total += count;
  }
  // A few for every thread.
  const uint64_t share = total / (4 * static_cast<uint64_t>(ThreadPool::instance().threads()));
  const bool isShared = isParallel(moved);
  const uint64_t length = isShared ? std::clamp((share + kTile - 1) / kTile * kTile, kTile, kJob)
                                   : std::max<uint64_t>(total, 1);
  struct Job {
    const Reduction* reduction;
    uint64_t begin;
  };
  std::vector<Job> jobs;
  for (const Reduction& reduction : reductions) {
    for (uint64_t begin = 0; begin < reduction.count; begin += length) {
      jobs.push_back({&reduction, begin});
    }
  }
  const auto carryOut = [&](int64_t index) {
    const auto& [reduction, begin] = jobs[static_cast<size_t>(index)];
    tiles({reduction->sources, reduction->targets, isStreaming(written)}, begin,
          std::min(reduction->count, begin + length));
  };
  if (isShared) {
    ThreadPool::instance().parallelForOpen(static_cast<int64_t>(jobs.size()), carryOut);
    return;
  }
  for (size_t index = 0; index < jobs.size(); ++index) {
    carryOut(static_cast<int64_t>(index));
  }
}

}  // namespace cann4j::hccl
