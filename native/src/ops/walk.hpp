// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "aclnn/executor.hpp"
#include "aclnn/tensor.hpp"
#include "ranges.hpp"

namespace cann4j {

constexpr size_t kMostOperands = 4;

// A view stretched over the shape of the walk: stride 0 where it is broadcast.
struct View {
  aclDataType dataType;
  size_t itemSize;
  const char* argument;  // whose memory it is; NULL: memory of the kernel's own
  size_t place;          // in a list
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

// A view of the tensor argument of this name, see View.
struct Operand {
  const char* argument;
  const aclTensor* tensor;
  size_t place = 0;
};

// The first operand has the shape of the walk, the others broadcast to it.
Walk makeWalk(std::initializer_list<Operand> operands);

// A walk cut into pieces of its innermost dimension, numbered in order.
class Pieces {
 public:
  explicit Pieces(const Walk& walk)
      : walk_(walk), length_(std::min(walk.dims.back(), kLongest)),
        perRow_(length_ == 0 ? 0 : (walk.dims.back() - 1) / length_ + 1),
        count_(length_ == 0 ? 0 : walk.elements() / walk.dims.back() * perRow_) {}

  int64_t count() const { return count_; }
  int64_t length() const { return length_; }  // of the longest

  // Calls body(offsets, count) for some of them. offsets: of the piece's first element in each
  // operand.
  template <class Body>
  void visit(int64_t first, int64_t last, const Body& body) const;

 private:
  static constexpr int64_t kLongest = 8192;

  const Walk& walk_;
  const int64_t length_;
  const int64_t perRow_;
  const int64_t count_;
};

template <class Body>
void Pieces::visit(int64_t first, int64_t last, const Body& body) const {
  const size_t inner = walk_.dims.size() - 1;
  std::vector<int64_t> at(inner);
  std::array<int64_t, kMostOperands> row{};
  int64_t rest = first / perRow_;
  for (size_t d = inner; d-- > 0;) {
    at[d] = rest % walk_.dims[d];
    rest /= walk_.dims[d];
    for (size_t o = 0; o < walk_.operands; ++o) {
      row[o] += at[d] * walk_.strides[d][o];
    }
  }
  int64_t segment = first % perRow_;
  for (int64_t piece = first; piece < last; ++piece) {
    const int64_t begin = segment * length_;
    std::array<int64_t, kMostOperands> offsets{};
    for (size_t o = 0; o < walk_.operands; ++o) {
      offsets[o] = row[o] + begin * walk_.strides[inner][o];
    }
    body(offsets, std::min(length_, walk_.dims[inner] - begin));
    if (++segment < perRow_) {
      continue;
    }
    segment = 0;
    for (size_t d = inner; d-- > 0;) {
      const bool wraps = ++at[d] == walk_.dims[d];
      const int64_t steps = wraps ? 1 - walk_.dims[d] : 1;
      for (size_t o = 0; o < walk_.operands; ++o) {
        row[o] += steps * walk_.strides[d][o];
      }
      if (!wraps) {
        break;
      }
      at[d] = 0;
    }
  }
}

// Visits all pieces of the walk, spread over the pool.
template <class Body>
void forEachPiece(const Walk& walk, const Body& body) {
  const Pieces pieces(walk);
  forEachRange(pieces.count(), pieces.length(),
               [&](int64_t first, int64_t last) { pieces.visit(first, last, body); });
}

}  // namespace cann4j
