// SPDX-License-Identifier: Apache-2.0
#include "reduce.hpp"

#include <cstdlib>

namespace cann4j {
namespace {

int64_t product(const std::vector<ReducedDim>& dims) {
  int64_t count = 1;
  for (const ReducedDim& dim : dims) {
    count *= dim.size;
  }
  return count;
}

// Without dimensions of size 1, neighbours that are one in memory merged.
std::vector<ReducedDim> merged(const std::vector<ReducedDim>& dims) {
  std::vector<ReducedDim> result;
  for (const ReducedDim& dim : dims) {
    int64_t reach = 0;
    if (dim.size == 1) {
      continue;
    }
    if (!result.empty() && !__builtin_mul_overflow(dim.stride, dim.size, &reach) &&
        result.back().stride == reach) {
      result.back() = {result.back().size * dim.size, dim.stride};
    } else {
      result.push_back(dim);
    }
  }
  if (result.empty()) {
    result.push_back({1, 1});
  }
  return result;
}

}  // namespace

int64_t Reduction::results() const { return product(kept); }

int64_t Reduction::count() const { return product(reduced); }

int64_t offsetOf(const std::vector<ReducedDim>& dims, int64_t number) {
  int64_t offset = 0;
  for (size_t d = dims.size(); d-- > 0;) {
    offset += number % dims[d].size * dims[d].stride;
    number /= dims[d].size;
  }
  return offset;
}

Reduction planReduction(const aclTensor& self, const std::vector<bool>& isReduced, bool keepDims,
                        aclTensor* result) {
  std::vector<size_t> order(self.viewDims.size());
  for (size_t d = 0; d < order.size(); ++d) {
    order[d] = d;
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::llabs(self.strides[a]) > std::llabs(self.strides[b]);
  });
  std::vector<ReducedDim> kept;
  std::vector<ReducedDim> reduced;
  for (const size_t d : order) {
    (isReduced[d] ? reduced : kept).push_back({self.viewDims[d], self.strides[d]});
  }
  std::vector<int64_t> strides(order.size(), 1);
  int64_t step = 1;
  for (size_t i = order.size(); i-- > 0;) {
    if (!isReduced[order[i]]) {
      strides[order[i]] = step;
      step *= self.viewDims[order[i]];
    }
  }
  *result = aclTensor();
  for (size_t d = 0; d < order.size(); ++d) {
    if (!isReduced[d] || keepDims) {
      result->viewDims.push_back(isReduced[d] ? 1 : self.viewDims[d]);
      result->strides.push_back(strides[d]);
    }
  }
  return {self.dataType, merged(kept), merged(reduced)};
}

}  // namespace cann4j
