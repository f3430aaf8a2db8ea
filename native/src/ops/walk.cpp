// SPDX-License-Identifier: Apache-2.0
#include "walk.hpp"

#include <cstdlib>
#include <numeric>

namespace cann4j {

int64_t Walk::elements() const {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

Walk Walk::bound(const Binding& memory) const {
  Walk walk = *this;
  for (size_t o = 0; o < operands; ++o) {
    View& view = walk.views[o];
    if (view.argument != nullptr) {
      view.origin = reinterpret_cast<uintptr_t>(
          memory.host(view.argument, reinterpret_cast<void*>(view.origin), view.place));
    }
  }
  return walk;
}

bool broadcastShape(const std::vector<int64_t>& a, const std::vector<int64_t>& b,
                    std::vector<int64_t>* shape) {
  const size_t rank = std::max(a.size(), b.size());
  shape->assign(rank, 1);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) {
      return false;
    }
    (*shape)[rank - 1 - i] = x == 1 ? y : x;
  }
  return true;
}

Walk makeWalk(std::initializer_list<Operand> operands) {
  const std::vector<int64_t>& shape = operands.begin()->tensor->viewDims;
  struct Dim {
    int64_t size;
    std::array<int64_t, kMostOperands> strides;
  };
  std::vector<Dim> dims;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) {
      continue;
    }
    Dim dim{shape[i], {}};
    size_t operand = 0;
    for (const auto& [argument, tensor, place] : operands) {
      const size_t fromEnd = shape.size() - i;
      const size_t rank = tensor->viewDims.size();
      const bool has = fromEnd <= rank && tensor->viewDims[rank - fromEnd] != 1;
      dim.strides[operand++] = has ? tensor->strides[rank - fromEnd] : 0;
    }
    dims.push_back(dim);
  }
  std::stable_sort(dims.begin(), dims.end(), [](const Dim& a, const Dim& b) {
    return std::llabs(a.strides[0]) > std::llabs(b.strides[0]);
  });
  Walk walk;
  for (const Dim& dim : dims) {
    bool merges = !walk.dims.empty();
    for (size_t o = 0; merges && o < operands.size(); ++o) {
      int64_t reach = 0;
      merges = !__builtin_mul_overflow(dim.strides[o], dim.size, &reach) &&
               walk.strides.back()[o] == reach;
    }
    if (merges) {
      walk.dims.back() *= dim.size;
      walk.strides.back() = dim.strides;
    } else {
      walk.dims.push_back(dim.size);
      walk.strides.push_back(dim.strides);
    }
  }
  if (walk.dims.empty()) {
    walk.dims.push_back(1);
    walk.strides.push_back({1, 1, 1, 1});
  }
  for (const auto& [argument, tensor, place] : operands) {
    walk.views[walk.operands++] = {tensor->dataType, aclDataTypeSize(tensor->dataType), argument,
                                   place, tensor->originAddress()};
  }
  return walk;
}

}  // namespace cann4j
