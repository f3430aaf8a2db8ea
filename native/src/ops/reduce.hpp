// SPDX-License-Identifier: Apache-2.0
// Reductions over any dimensions of a view. How elements are grouped follows from shape and strides
// alone, so a result does not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "elementwise.hpp"

namespace cann4j {

struct ReducedDim {
  int64_t size;
  int64_t stride;  // elements of the source
};

// One result for each element of the kept dimensions, in their order, outermost first.
struct Reduction {
  aclDataType dataType;
  std::vector<ReducedDim> kept;     // at least one
  std::vector<ReducedDim> reduced;  // at least one

  int64_t results() const;
  int64_t count() const;  // elements of each result
};

// result: a contiguous tensor of the results that reduce() returns, seen with the dimensions of
// self; the reduced ones have size 1, or are left out. Its type and data are left open.
Reduction planReduction(const aclTensor& self, const std::vector<bool>& isReduced, bool keepDims,
                        aclTensor* result);

// The offset of an element of the dimensions, by its number.
int64_t offsetOf(const std::vector<ReducedDim>& dims, int64_t number);

// Calls body(offset, n) for runs of the innermost dimension that make up [begin, end).
template <class Body>
void forEachRun(const std::vector<ReducedDim>& dims, int64_t begin, int64_t end, const Body& body) {
  const ReducedDim inner = dims.back();
  while (begin < end) {
    const int64_t n = std::min(end - begin, inner.size - begin % inner.size);
    body(offsetOf(dims, begin), n);
    begin += n;
  }
}

// Works on values of class C: start is the result of nothing, map(x, result) what an element
// counts, join(a, b) puts two together.
template <class C, class Fold>
class Reducer {
 public:
  Reducer(const Reduction& r, const void* source, const Fold& fold)
      : r_(r), source_(static_cast<const char*>(source)),
        itemSize_(static_cast<int64_t>(aclDataTypeSize(r.dataType))), fold_(fold) {}

  std::vector<C> run() const {
    const int64_t results = r_.results();
    const bool byRows = isByRows();
    const int64_t tile = byRows ? 1 : std::min(kChunk, r_.kept.back().size);
    const int64_t block = byRows ? kBlock : std::max(kFewestRows, kBlock / tile);
    const int64_t blocks = std::max<int64_t>(1, (r_.count() + block - 1) / block);
    std::vector<C> parts(static_cast<size_t>(results * blocks), fold_.start);
    const int64_t tiles = byRows ? results : results / r_.kept.back().size * tilesPerRow(tile);
    const int64_t elements = tile * std::min(block, r_.count());
    forEachRange(tiles * blocks, elements, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const int64_t part = i % blocks;
        C* to = parts.data() + part * results;
        const int64_t begin = part * block;
        const int64_t end = std::min(r_.count(), begin + block);
        if (byRows) {
          to[i / blocks] = foldRow(i / blocks, begin, end);
        } else {
          foldColumns(i / blocks, tile, begin, end, to);
        }
      }
    });
    for (int64_t part = 1; part < blocks; ++part) {
      for (int64_t i = 0; i < results; ++i) {
        parts[i] = fold_.join(parts[i], parts[part * results + i]);
      }
    }
    parts.resize(static_cast<size_t>(results));
    return parts;
  }

 private:
  static constexpr int64_t kBlock = 65536;     // elements that one job joins
  static constexpr int64_t kFewestRows = 256;  // of columns
  static constexpr int64_t kRowsAtOnce = 256;  // summed apart, which keeps rounding errors small
  static constexpr int64_t kLanes = 16;
  static constexpr int64_t kNarrowest = 8;     // columns

  // Along what lies together: down columns where the kept dimension is the closer one.
  bool isByRows() const {
    return r_.kept.back().size < kNarrowest ||
           std::llabs(r_.reduced.back().stride) <= std::llabs(r_.kept.back().stride);
  }

  int64_t tilesPerRow(int64_t tile) const { return (r_.kept.back().size + tile - 1) / tile; }

  const char* at(int64_t offset) const { return source_ + offset * itemSize_; }

  C foldRow(int64_t result, int64_t begin, int64_t end) const {
    const Source<C> source(r_.dataType, r_.reduced.back().stride);
    const int64_t base = offsetOf(r_.kept, result);
    C total = fold_.start;
    forEachRun(r_.reduced, begin, end, [&](int64_t offset, int64_t count) {
      C buffer[kChunk];
      for (int64_t i = 0; i < count; i += kChunk) {
        const int64_t n = std::min(kChunk, count - i);
        const C* x = source.read(at(base + offset), i, n, buffer);
        total = fold_.join(total, foldChunk(x, n, result));
      }
    });
    return total;
  }

  C foldChunk(const C* x, int64_t n, int64_t result) const {
    C lanes[kLanes];
    std::fill_n(lanes, kLanes, fold_.start);
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) {
        lanes[k] = fold_.join(lanes[k], fold_.map(x[i + k], result));
      }
    }
    for (int64_t k = 0; i + k < n; ++k) {
      lanes[k] = fold_.join(lanes[k], fold_.map(x[i + k], result));
    }
    for (int64_t width = kLanes / 2; width > 0; width /= 2) {
      for (int64_t k = 0; k < width; ++k) {
        lanes[k] = fold_.join(lanes[k], lanes[k + width]);
      }
    }
    return lanes[0];
  }

  void foldColumns(int64_t number, int64_t tile, int64_t begin, int64_t end, C* results) const {
    const int64_t width = r_.kept.back().size;
    const int64_t column = number % tilesPerRow(tile) * tile;
    const int64_t first = number / tilesPerRow(tile) * width + column;
    const int64_t n = std::min(tile, width - column);
    const int64_t base = offsetOf(r_.kept, first);
    const Source<C> source(r_.dataType, r_.kept.back().stride);
    const int64_t step = r_.reduced.back().stride;
    C sums[kChunk];
    C buffer[kChunk];
    int64_t rows = 0;
    const auto flush = [&] {
      for (int64_t k = 0; k < n; ++k) {
        results[first + k] = fold_.join(results[first + k], sums[k]);
      }
      rows = 0;
    };
    forEachRun(r_.reduced, begin, end, [&](int64_t offset, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        if (rows == kRowsAtOnce) {
          flush();
        }
        if (rows++ == 0) {
          std::fill_n(sums, n, fold_.start);
        }
        const C* x = source.read(at(base + offset + i * step), 0, n, buffer);
        for (int64_t k = 0; k < n; ++k) {
          sums[k] = fold_.join(sums[k], fold_.map(x[k], first + k));
        }
      }
    });
    if (rows > 0) {
      flush();
    }
  }

  const Reduction& r_;
  const char* source_;
  const int64_t itemSize_;
  const Fold& fold_;
};

// The results; source is the host address of the first element.
template <class C, class Fold>
std::vector<C> reduce(const Reduction& reduction, const void* source, const Fold& fold) {
  return Reducer<C, Fold>(reduction, source, fold).run();
}

template <class C>
struct SumFold {
  C start = 0;
  C map(C x, int64_t) const { return x; }
  C join(C a, C b) const { return plus(a, b); }
};

// NaN if there is one.
template <class C>
struct MaxFold {
  C start = -std::numeric_limits<C>::infinity();
  C map(C x, int64_t) const { return x; }
  C join(C a, C b) const { return (a > b) || a != a ? a : b; }
};

// The sum of e^(x - shift of the result).
template <class C>
struct ExponentialSumFold {
  const C* shifts;
  C start = 0;
  C map(C x, int64_t result) const { return std::exp(x - shifts[result]); }
  C join(C a, C b) const { return a + b; }
};

}  // namespace cann4j
