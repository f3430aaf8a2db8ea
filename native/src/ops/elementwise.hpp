// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

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
      : Source(walk.views[operand].dataType, walk.innerStrides()[operand]) {}
  Source(aclDataType dataType, int64_t stride)
      : native_(isNative<C>(dataType) && stride == 1), load_(loaderOf<C>(dataType)),
        stride_(stride), itemSize_(static_cast<int64_t>(aclDataTypeSize(dataType))) {}

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

template <class C>
using Inputs = std::array<const C*, kMostOperands - 1>;

// Operand 0 is written, the others are read. compute(inputs, output, count) on values of class C.
template <class C, class Compute>
aclError transform(const Walk& walk, const Compute& compute) {
  std::vector<Source<C>> sources;
  for (size_t o = 1; o < walk.operands; ++o) {
    sources.emplace_back(walk, o);
  }
  const Storer<C> store = storerOf<C>(walk.views[0].dataType);
  const int64_t stride = walk.innerStrides()[0];
  const auto itemSize = static_cast<int64_t>(walk.views[0].itemSize);
  const bool nativeOut = isNative<C>(walk.views[0].dataType) && stride == 1;
  forEachPiece(walk, [&](const auto& offsets, int64_t count) {
    C buffers[kMostOperands - 1][kChunk];
    C result[kChunk];
    char* out = static_cast<char*>(walk.at(0, offsets[0]));
    for (int64_t i = 0; i < count; i += kChunk) {
      const int64_t n = std::min(kChunk, count - i);
      Inputs<C> inputs{};
      for (size_t k = 0; k < sources.size(); ++k) {
        inputs[k] = sources[k].read(walk.at(k + 1, offsets[k + 1]), i, n, buffers[k]);
      }
      char* to = out + i * stride * itemSize;
      compute(inputs, nativeOut ? reinterpret_cast<C*>(to) : result, n);
      if (!nativeOut) {
        store(result, to, stride, n);
      }
    }
  });
  return ACL_SUCCESS;
}

template <class C>
C scalarAs(const aclScalar& scalar) {
  if constexpr (std::is_integral_v<C>) {
    return static_cast<C>(scalar.integer);
  } else {
    return static_cast<C>(scalar.real);
  }
}

template <class C, class Operation>
Kernel kernelOf(Walk walk, const Operation& operation, const aclScalar& scalar) {
  return [walk = std::move(walk), operation, value = scalarAs<C>(scalar)](const Binding& memory) {
    return transform<C>(walk.bound(memory), [&](const Inputs<C>& in, C* out, int64_t n) {
      operation(in, out, n, value);
    });
  };
}

// An operation is called as operation(inputs, output, count, scalar) on values of the class of
// `computed`, the type that it is carried out in. It says whether it makes sense for floating types
// only.
template <class Operation>
Kernel elementwiseKernel(aclDataType computed, Walk walk, const Operation& operation,
                         const aclScalar& scalar) {
  switch (numberClass(computed)) {
    case NumberClass::kDouble:
      return kernelOf<double>(std::move(walk), operation, scalar);
    case NumberClass::kFloat:
      return kernelOf<float>(std::move(walk), operation, scalar);
    default:
      break;
  }
  if constexpr (Operation::kFloatingOnly) {
    return kernelOf<float>(std::move(walk), operation, scalar);
  } else if (numberClass(computed) == NumberClass::kUnsigned) {
    return kernelOf<uint64_t>(std::move(walk), operation, scalar);
  } else {
    return kernelOf<int64_t>(std::move(walk), operation, scalar);
  }
}

}  // namespace cann4j
