// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "aclnn/executor.hpp"
#include "aclnn/tensor.hpp"
#include "element.hpp"
#include "ranges.hpp"

namespace cann4j {

// The elements of a tensor argument in row-major order, without the object behind it. Kernels
// bind it and then read and write runs of elements in one of the classes that operators compute in.
class FlatView {
 public:
  FlatView(const char* argument, const aclTensor& tensor);

  FlatView bound(const Binding& memory) const;

  int64_t size() const { return size_; }
  size_t itemSize() const { return itemSize_; }

  template <class C>
  void load(int64_t first, int64_t count, C* target) const {
    const Loader<C> convert = loaderOf<C>(dataType_);
    forEachRun(first, count, [&](void* address, int64_t stride, int64_t n) {
      convert(address, stride, n, target);
      target += n;
    });
  }

  template <class C>
  void store(int64_t first, int64_t count, const C* source) const {
    const Storer<C> convert = storerOf<C>(dataType_);
    forEachRun(first, count, [&](void* address, int64_t stride, int64_t n) {
      convert(source, address, stride, n);
      source += n;
    });
  }

  // Where an element is.
  void* at(int64_t index) const {
    return reinterpret_cast<void*>(origin_ + static_cast<uintptr_t>(offsetOf(index)) * itemSize_);
  }

  // Calls body(address, stride, count) for runs with one stride (in elements) that cover the range.
  template <class Body>
  void forEachRun(int64_t first, int64_t count, const Body& body) const {
    const int64_t length = dims_.back();
    while (count > 0) {
      const int64_t n = std::min(count, length - first % length);
      body(at(first), strides_.back(), n);
      first += n;
      count -= n;
    }
  }

 private:
  int64_t offsetOf(int64_t index) const {
    int64_t offset = 0;
    for (size_t d = dims_.size(); d-- > 1;) {
      offset += index % dims_[d] * strides_[d];
      index /= dims_[d];
    }
    return offset + index * strides_[0];
  }

  const char* argument_;
  aclDataType dataType_;
  size_t itemSize_;
  uintptr_t origin_;  // device address, host address once bound
  int64_t size_;
  std::vector<int64_t> dims_;  // at least one, merged where the strides allow it
  std::vector<int64_t> strides_;
};

// Both of one element type.
void copyElements(const FlatView& from, int64_t fromFirst, const FlatView& to, int64_t toFirst,
                  int64_t count);

}  // namespace cann4j
