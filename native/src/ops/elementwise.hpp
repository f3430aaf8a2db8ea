// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "acl/acl_base.h"
#include "element.hpp"
#include "walk.hpp"

namespace cann4j {

// Elements that are converted at a time: the buffers stay in the first-level cache.
constexpr int64_t kChunk = 512;

// Reads an operand piece by piece in class C, in place where it already is of that class.
template <class C>
class Source {
 public:
  Source(const Walk& walk, size_t operand)
      : native_(isNative<C>(walk.views[operand].dataType) && walk.innerStrides()[operand] == 1),
        load_(loaderOf<C>(walk.views[operand].dataType)),
        stride_(walk.innerStrides()[operand]),
        itemSize_(static_cast<int64_t>(walk.views[operand].itemSize)) {}

  const C* read(const void* base, int64_t index, int64_t count, C* buffer) const {
    const char* at = static_cast<const char*>(base) + index * stride_ * itemSize_;
    if (native_) {
      return reinterpret_cast<const C*>(at);
    }
    load_(at, stride_, count, buffer);
    return buffer;
  }

 private:
  const bool native_;
  const Loader<C> load_;
  const int64_t stride_;
  const int64_t itemSize_;
};

// Operand 0 is written, the others are read. compute(inputs..., output, count) on values of class C.
template <class C, class Compute>
aclError transform(const Walk& walk, const Compute& compute) {
  const Source<C> first(walk, 1);
  const Source<C> second(walk, walk.operands == 3 ? 2 : 1);
  const Storer<C> store = storerOf<C>(walk.views[0].dataType);
  const int64_t stride = walk.innerStrides()[0];
  const auto itemSize = static_cast<int64_t>(walk.views[0].itemSize);
  const bool nativeOut = isNative<C>(walk.views[0].dataType) && stride == 1;
  forEachPiece(walk, [&](const auto& offsets, int64_t count) {
    C a[kChunk];
    C b[kChunk];
    C result[kChunk];
    char* out = static_cast<char*>(walk.at(0, offsets[0]));
    const void* x = walk.at(1, offsets[1]);
    const void* y = walk.operands == 3 ? walk.at(2, offsets[2]) : nullptr;
    for (int64_t i = 0; i < count; i += kChunk) {
      const int64_t n = std::min(kChunk, count - i);
      char* to = out + i * stride * itemSize;
      C* target = nativeOut ? reinterpret_cast<C*>(to) : result;
      const C* in = first.read(x, i, n, a);
      if (y != nullptr) {
        compute(in, second.read(y, i, n, b), target, n);
      } else {
        compute(in, in, target, n);
      }
      if (!nativeOut) {
        store(result, to, stride, n);
      }
    }
  });
  return ACL_SUCCESS;
}

}  // namespace cann4j
