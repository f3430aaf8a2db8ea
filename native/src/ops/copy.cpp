// SPDX-License-Identifier: Apache-2.0
// Cast, Permute, InplaceCopy, InplaceZero: elements that move, converted or not.
#include <algorithm>
#include <cstring>
#include <functional>

#include "aclnn/executor.hpp"
#include "aclnn/tensor.hpp"
#include "aclnnop/aclnn_cast.h"
#include "aclnnop/aclnn_copy.h"
#include "aclnnop/aclnn_permute.h"
#include "aclnnop/aclnn_zero.h"
#include "arguments.hpp"
#include "elementwise.hpp"
#include "runtime/error.hpp"

using namespace cann4j;

namespace {

template <class Unit>
void moveUnits(const Walk& walk) {
  const auto [to, from, unused] = walk.innerStrides();
  forEachPiece(walk, [&, to = to, from = from](const auto& offsets, int64_t count) {
    Unit* target = static_cast<Unit*>(walk.at(0, offsets[0]));
    const Unit* source = static_cast<const Unit*>(walk.at(1, offsets[1]));
    if (to == 1 && from == 1) {
      std::memmove(target, source, static_cast<size_t>(count) * sizeof(Unit));
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      target[i * to] = source[i * from];
    }
  });
}

aclError moveElements(const Walk& walk) {
  switch (walk.views[0].itemSize) {
    case 1:
      moveUnits<uint8_t>(walk);
      break;
    case 2:
      moveUnits<uint16_t>(walk);
      break;
    case 4:
      moveUnits<uint32_t>(walk);
      break;
    default:
      moveUnits<uint64_t>(walk);
      break;
  }
  return ACL_SUCCESS;
}

template <class C>
aclError convertElements(const Walk& walk) {
  const Source<C> source(walk, 1);
  const Storer<C> store = storerOf<C>(walk.views[0].dataType);
  const int64_t stride = walk.innerStrides()[0];
  const auto itemSize = static_cast<int64_t>(walk.views[0].itemSize);
  forEachPiece(walk, [&](const auto& offsets, int64_t count) {
    C buffer[kChunk];
    char* out = static_cast<char*>(walk.at(0, offsets[0]));
    const void* in = walk.at(1, offsets[1]);
    for (int64_t i = 0; i < count; i += kChunk) {
      const int64_t n = std::min(kChunk, count - i);
      store(source.read(in, i, n, buffer), out + i * stride * itemSize, stride, n);
    }
  });
  return ACL_SUCCESS;
}

template <class C>
Kernel converter(Walk walk) {
  return [walk = std::move(walk)](const Binding& memory) {
    return convertElements<C>(walk.bound(memory));
  };
}

// The walk writes operand 0 from operand 1.
Kernel copyKernel(Walk walk) {
  const aclDataType from = walk.views[1].dataType;
  if (from == walk.views[0].dataType) {
    return [walk = std::move(walk)](const Binding& memory) {
      return moveElements(walk.bound(memory));
    };
  }
  switch (numberClass(from)) {
    case NumberClass::kFloat:
      return converter<float>(std::move(walk));
    case NumberClass::kDouble:
      return converter<double>(std::move(walk));
    case NumberClass::kUnsigned:
      return converter<uint64_t>(std::move(walk));
    default:
      return converter<int64_t>(std::move(walk));
  }
}

aclError zeroElements(const Walk& walk) {
  const int64_t stride = walk.innerStrides()[0];
  const size_t itemSize = walk.views[0].itemSize;
  forEachPiece(walk, [&](const auto& offsets, int64_t count) {
    char* target = static_cast<char*>(walk.at(0, offsets[0]));
    if (stride == 1) {
      std::memset(target, 0, static_cast<size_t>(count) * itemSize);
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      std::memset(target + i * stride * static_cast<int64_t>(itemSize), 0, itemSize);
    }
  });
  return ACL_SUCCESS;
}


// self seen with its dimensions in the order `dims`.
aclnnStatus permuteView(const char* op, const aclTensor& self, const aclIntArray& dims,
                        aclTensor* view) {
  const auto rank = static_cast<int64_t>(self.viewDims.size());
  std::vector<bool> seen(self.viewDims.size(), false);
  bool valid = static_cast<int64_t>(dims.values.size()) == rank;
  *view = self;
  for (size_t i = 0; valid && i < dims.values.size(); ++i) {
    const int64_t dim = dims.values[i] < 0 ? dims.values[i] + rank : dims.values[i];
    valid = dim >= 0 && dim < rank && !seen[static_cast<size_t>(dim)];
    if (valid) {
      seen[static_cast<size_t>(dim)] = true;
      view->viewDims[i] = self.viewDims[static_cast<size_t>(dim)];
      view->strides[i] = self.strides[static_cast<size_t>(dim)];
    }
  }
  return valid ? ACLNN_SUCCESS
               : fail(ACLNN_ERR_PARAM_INVALID,
                      "%s: dims %s is no order of the %lld dimensions of self", op,
                      shapeText(dims.values).c_str(), static_cast<long long>(rank));
}

}  // namespace

extern "C" {

aclnnStatus aclnnCastGetWorkspaceSize(const aclTensor* self, const aclDataType dtype,
                                      aclTensor* out, uint64_t* workspaceSize,
                                      aclOpExecutor** executor) {
  const char* op = "aclnnCast";
  RETURN_IF_FAILED(checkNumeric(op, "self", self));
  RETURN_IF_FAILED(checkNumeric(op, "out", out));
  RETURN_IF_FAILED(checkSameShape(op, "out", out, self->viewDims));
  if (out->dataType != dtype) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: out is %s, dtype says %s", op,
                dataTypeName(out->dataType), dataTypeName(dtype));
  }
  return makeExecutor(op, 0, {inputSpan("self", self), outputSpan("out", out)},
                      copyKernel(makeWalk({{"out", out}, {"self", self}})), workspaceSize, executor);
}

aclnnStatus aclnnCast(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                      aclrtStream stream) {
  return launch("aclnnCast", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnPermuteGetWorkspaceSize(const aclTensor* self, const aclIntArray* dims,
                                         aclTensor* out, uint64_t* workspaceSize,
                                         aclOpExecutor** executor) {
  const char* op = "aclnnPermute";
  RETURN_IF_FAILED(checkNumeric(op, "self", self));
  RETURN_IF_FAILED(checkIntArray(op, "dims", dims));
  RETURN_IF_FAILED(checkNumeric(op, "out", out));
  aclTensor view;
  RETURN_IF_FAILED(permuteView(op, *self, *dims, &view));
  RETURN_IF_FAILED(checkSameShape(op, "out", out, view.viewDims));
  if (out->dataType != self->dataType) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: out is %s, self is %s", op,
                dataTypeName(out->dataType), dataTypeName(self->dataType));
  }
  return makeExecutor(op, 0, {inputSpan("self", self), outputSpan("out", out)},
                      copyKernel(makeWalk({{"out", out}, {"self", &view}})), workspaceSize, executor);
}

aclnnStatus aclnnPermute(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                         aclrtStream stream) {
  return launch("aclnnPermute", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnInplaceCopyGetWorkspaceSize(aclTensor* selfRef, const aclTensor* src,
                                             uint64_t* workspaceSize, aclOpExecutor** executor) {
  const char* op = "aclnnInplaceCopy";
  RETURN_IF_FAILED(checkNumeric(op, "selfRef", selfRef));
  RETURN_IF_FAILED(checkNumeric(op, "src", src));
  RETURN_IF_FAILED(checkBroadcast(op, selfRef, src, selfRef));
  return makeExecutor(op, 0, {inPlaceSpan("selfRef", selfRef), inputSpan("src", src)},
                      copyKernel(makeWalk({{"selfRef", selfRef}, {"src", src}})), workspaceSize, executor);
}

aclnnStatus aclnnInplaceCopy(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                             aclrtStream stream) {
  return launch("aclnnInplaceCopy", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnInplaceZeroGetWorkspaceSize(aclTensor* selfRef, uint64_t* workspaceSize,
                                             aclOpExecutor** executor) {
  const char* op = "aclnnInplaceZero";
  RETURN_IF_FAILED(checkNumeric(op, "selfRef", selfRef));
  return makeExecutor(
      op, 0, {inPlaceSpan("selfRef", selfRef)},
      [walk = makeWalk({{"selfRef", selfRef}})](const Binding& memory) {
        return zeroElements(walk.bound(memory));
      },
      workspaceSize, executor);
}

aclnnStatus aclnnInplaceZero(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                             aclrtStream stream) {
  return launch("aclnnInplaceZero", workspace, workspaceSize, executor, stream);
}

}  // extern "C"
