// SPDX-License-Identifier: Apache-2.0
#include "flat_view.hpp"

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

}  // namespace cann4j
