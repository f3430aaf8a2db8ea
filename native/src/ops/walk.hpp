// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "aclnn/executor.hpp"
#include "aclnn/tensor.hpp"
#include "runtime/thread_pool.hpp"

namespace cann4j {

constexpr size_t kMostOperands = 3;

// A view stretched over the shape of the walk: stride 0 where it is broadcast.
struct View {
  aclDataType dataType;
  size_t itemSize;
  const char* argument;  // whose memory it is
  uintptr_t origin;      // device address of the first element, host address in a bound walk
};

// The elements of several views of one shape, visited together. Dimensions are ordered by the first
// view's strides and merged where all views allow it, so that the innermost one is long.
struct Walk {
  std::vector<int64_t> dims;  // outermost first, at least one
  std::vector<std::array<int64_t, kMostOperands>> strides;  // per dimension, elements
  std::array<View, kMostOperands> views;
  size_t operands = 0;

  int64_t elements() const;
  const std::array<int64_t, kMostOperands>& innerStrides() const { return strides.back(); }
  // The walk that a kernel takes.
  Walk bound(const Binding& memory) const;
  // Of a bound walk: the address of an element of an operand, by its offset.
  void* at(size_t operand, int64_t offset) const {
    const View& view = views[operand];
    return reinterpret_cast<void*>(
        view.origin + static_cast<uintptr_t>(offset * static_cast<int64_t>(view.itemSize)));
  }
};

// The shape that both broadcast to; false if there is none.
bool broadcastShape(const std::vector<int64_t>& a, const std::vector<int64_t>& b,
                    std::vector<int64_t>* shape);

// A view of the tensor argument of this name.
struct Operand {
  const char* argument;
  const aclTensor* tensor;
};

// The first operand has the shape of the walk, the others broadcast to it.
Walk makeWalk(std::initializer_list<Operand> operands);

// Calls body(offsets, count) for pieces of the innermost dimension that cover the walk, spread over
// the pool. offsets: the piece's first element in each operand.
template <class Body>
void forEachPiece(const Walk& walk, const Body& body) {
  constexpr int64_t kLongestPiece = 8192;
  constexpr int64_t kElementsPerJob = 32768;
  const int64_t total = walk.elements();
  if (total == 0) {
    return;
  }
  const size_t inner = walk.dims.size() - 1;
  const int64_t length = walk.dims[inner];
  const int64_t pieceLength = std::min(length, kLongestPiece);
  const int64_t piecesPerRow = (length + pieceLength - 1) / pieceLength;
  const int64_t pieces = total / length * piecesPerRow;
  const int64_t piecesPerJob = std::max<int64_t>(1, kElementsPerJob / pieceLength);
  const int64_t jobs = (pieces + piecesPerJob - 1) / piecesPerJob;
  const auto job = [&](int64_t index) {
    const int64_t first = index * piecesPerJob;
    const int64_t last = std::min(pieces, first + piecesPerJob);
    std::vector<int64_t> at(inner);
    std::array<int64_t, kMostOperands> row{};
    int64_t rest = first / piecesPerRow;
    for (size_t d = inner; d-- > 0;) {
      at[d] = rest % walk.dims[d];
      rest /= walk.dims[d];
      for (size_t o = 0; o < walk.operands; ++o) {
        row[o] += at[d] * walk.strides[d][o];
      }
    }
    int64_t segment = first % piecesPerRow;
    for (int64_t piece = first; piece < last; ++piece) {
      const int64_t begin = segment * pieceLength;
      std::array<int64_t, kMostOperands> offsets{};
      for (size_t o = 0; o < walk.operands; ++o) {
        offsets[o] = row[o] + begin * walk.strides[inner][o];
      }
      body(offsets, std::min(pieceLength, length - begin));
      if (++segment < piecesPerRow) {
        continue;
      }
      segment = 0;
      for (size_t d = inner; d-- > 0;) {
        const bool wraps = ++at[d] == walk.dims[d];
        const int64_t steps = wraps ? 1 - walk.dims[d] : 1;
        for (size_t o = 0; o < walk.operands; ++o) {
          row[o] += steps * walk.strides[d][o];
        }
        if (!wraps) {
          break;
        }
        at[d] = 0;
      }
    }
  };
  if (jobs == 1) {
    job(0);
  } else {
    ThreadPool::instance().parallelFor(jobs, job);
  }
}

}  // namespace cann4j
