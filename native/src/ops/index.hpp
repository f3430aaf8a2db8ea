// SPDX-License-Identifier: Apache-2.0
// What the operators that take indices share.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "aclnn/tensor.hpp"
#include "flat_view.hpp"

namespace cann4j {

// Of type INT32 or INT64 and of one dimension, or none for a single index.
aclnnStatus checkIndexList(const char* op, const aclTensor* index);

// A tensor without dimensions as one of one element.
aclTensor atLeastOneDim(const aclTensor& tensor);

// Whether a value names one of `size` places.
inline bool isPlace(int64_t value, int64_t size) {
  return static_cast<uint64_t>(value) < static_cast<uint64_t>(size);
}

// Collects from all threads the first index that names no place.
class BadIndex {
 public:
  // `offset`: elements from the first one of the index tensor.
  void note(int64_t offset, int64_t value);
  // An error of the device with words, if there was one.
  aclError report(const char* op, size_t dim, int64_t size) const;

 private:
  std::mutex mutex_;
  bool found_ = false;
  int64_t offset_ = 0;
  int64_t value_ = 0;
};

// Calls visitor.template operator()<T>() with the type of the indices.
template <class Visitor>
auto visitIndexType(aclDataType type, const Visitor& visitor) {
  return type == ACL_INT32 ? visitor.template operator()<int32_t>()
                           : visitor.template operator()<int64_t>();
}

// Reads all elements of a bound view. One outside [0, limit), and not the ignored one, is an error
// of the device with words.
aclError readIndices(const char* op, const char* name, const FlatView& view, int64_t limit,
                     std::optional<int64_t> ignored, std::vector<int64_t>* indices);

}  // namespace cann4j
