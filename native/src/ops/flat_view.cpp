// SPDX-License-Identifier: Apache-2.0
#include "flat_view.hpp"

#include <cstring>

namespace cann4j {

FlatView::FlatView(const char* argument, const aclTensor& tensor)
    : argument_(argument),
      dataType_(tensor.dataType),
      itemSize_(aclDataTypeSize(tensor.dataType)),
      origin_(tensor.originAddress()),
      size_(tensor.elements()) {
  for (size_t i = 0; i < tensor.viewDims.size(); ++i) {
    const int64_t dim = tensor.viewDims[i];
    const int64_t stride = tensor.strides[i];
    if (dim == 1) {
      continue;
    }
    int64_t reach = 0;
    if (!dims_.empty() && !__builtin_mul_overflow(dim, stride, &reach) &&
        strides_.back() == reach) {
      dims_.back() *= dim;
      strides_.back() = stride;
    } else {
      dims_.push_back(dim);
      strides_.push_back(stride);
    }
  }
  if (dims_.empty()) {
    dims_.push_back(1);
    strides_.push_back(1);
  }
}

FlatView FlatView::bound(const Binding& memory) const {
  FlatView view = *this;
  view.origin_ = reinterpret_cast<uintptr_t>(
      memory.host(argument_, reinterpret_cast<void*>(origin_)));
  return view;
}

void copyElements(const FlatView& from, int64_t fromFirst, const FlatView& to, int64_t toFirst,
                  int64_t count) {
  const size_t size = to.itemSize();
  to.forEachRun(toFirst, count, [&](void* run, int64_t toStride, int64_t length) {
    char* target = static_cast<char*>(run);
    from.forEachRun(fromFirst, length, [&](const void* run, int64_t fromStride, int64_t n) {
      const char* source = static_cast<const char*>(run);
      if (toStride == 1 && fromStride == 1) {
        std::memcpy(target, source, static_cast<size_t>(n) * size);
      } else {
        for (int64_t i = 0; i < n; ++i) {
          std::memcpy(target + i * toStride * static_cast<int64_t>(size),
                      source + i * fromStride * static_cast<int64_t>(size), size);
        }
      }
      target += n * toStride * static_cast<int64_t>(size);
    });
    fromFirst += length;
  });
}

}  // namespace cann4j
