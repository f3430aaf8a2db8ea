// SPDX-License-Identifier: Apache-2.0
#include "index.hpp"

#include "arguments.hpp"

namespace cann4j {

aclnnStatus checkIndexList(const char* op, const aclTensor* index) {
  RETURN_IF_FAILED(checkType(op, "index", index, kIndices));
  return index->viewDims.size() <= 1
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID, "%s: index has the shape %s, not one dimension", op,
                    shapeText(index->viewDims).c_str());
}

aclTensor atLeastOneDim(const aclTensor& tensor) {
  aclTensor view = tensor;
  if (view.viewDims.empty()) {
    view.viewDims = {1};
    view.strides = {1};
  }
  return view;
}

void BadIndex::note(int64_t offset, int64_t value) {
  std::lock_guard lock(mutex_);
  if (!found_ || offset < offset_) {
    found_ = true;
    offset_ = offset;
    value_ = value;
  }
}

aclError BadIndex::report(const char* op, size_t dim, int64_t size) const {
  return !found_ ? ACL_SUCCESS
                 : fail(ACL_ERROR_RT_AICORE_EXCEPTION,
                        "%s: index holds %lld, %lld elements from its first, and dimension %zu of "
                        "self has the size %lld",
                        op, static_cast<long long>(value_), static_cast<long long>(offset_), dim,
                        static_cast<long long>(size));
}

aclError readIndices(const char* op, const char* name, const FlatView& view, int64_t limit,
                     std::optional<int64_t> ignored, std::vector<int64_t>* indices) {
  indices->resize(static_cast<size_t>(view.size()));
  view.load(0, view.size(), indices->data());
  for (size_t i = 0; i < indices->size(); ++i) {
    const int64_t index = (*indices)[i];
    if (!isPlace(index, limit) && index != ignored) {
      return fail(ACL_ERROR_RT_AICORE_EXCEPTION,
                  "%s: element %zu of %s is %lld, which is not in [0, %lld)", op, i, name,
                  static_cast<long long>(index), static_cast<long long>(limit));
    }
  }
  return ACL_SUCCESS;
}

}  // namespace cann4j
