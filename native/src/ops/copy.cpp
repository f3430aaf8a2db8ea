// SPDX-License-Identifier: Apache-2.0
// Cast, Permute, InplaceCopy, Slice, Cat: elements that move, converted or not.
#include <algorithm>
#include <utility>
#include <vector>

#include "aclnnop/aclnn_cast.h"
#include "aclnnop/aclnn_cat.h"
#include "aclnnop/aclnn_copy.h"
#include "aclnnop/aclnn_permute.h"
#include "aclnnop/aclnn_slice.h"
#include "arguments.hpp"
#include "element.hpp"
#include "move.hpp"

using namespace cann4j;

namespace {

// out becomes a view of the memory of self.
aclnnStatus moveView(const Call& call, const aclTensor* self, const aclTensor& view,
                     const aclTensor* out) {
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, view.viewDims));
  return call.make({inputSpan("self", self), outputSpan("out", out)},
                   moveKernel(makeWalk({{"out", out}, {"self", &view}})));
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

// The elements first, first + step, ... below end of a dimension that the tensor has.
aclTensor sliceView(const aclTensor& self, size_t dim, int64_t first, int64_t end, int64_t step) {
  aclTensor view = self;
  const int64_t span = std::max<int64_t>(end - first, 0);
  view.viewDims[dim] = span / step + (span % step > 0 ? 1 : 0);
  if (view.elements() > 0) {
    view.offset = plus(view.offset, times(first, self.strides[dim]));
    view.strides[dim] = times(step, self.strides[dim]);
  }
  return view;
}

// A place in a dimension of this size: negative from the end, then clamped.
int64_t clampPlace(int64_t place, int64_t size) {
  return std::clamp<int64_t>(place < 0 ? std::max(place, -size) + size : place, 0, size);
}

// CANN leaves out tensors of the shape [0], whatever the others are.
bool isLeftOut(const aclTensor& tensor) { return tensor.viewDims == std::vector<int64_t>{0}; }

// The part of out that takes the tensor, from `begin` on in dimension dim.
aclnnStatus partOf(const char* op, const aclTensor& out, const aclTensor& tensor, size_t number,
                   size_t dim, int64_t begin, aclTensor* part) {
  const bool fits = tensor.viewDims.size() == out.viewDims.size() &&
                    tensor.viewDims[dim] <= out.viewDims[dim] - begin;
  if (fits) {
    *part = sliceView(out, dim, begin, begin + tensor.viewDims[dim], 1);
  }
  return fits && part->viewDims == tensor.viewDims
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID,
                    "%s: tensor %zu has the shape %s, which does not fit into out %s from %lld on "
                    "in dimension %zu",
                    op, number, shapeText(tensor.viewDims).c_str(),
                    shapeText(out.viewDims).c_str(), static_cast<long long>(begin), dim);
}

aclnnStatus prepareCat(const Call& call, const aclTensorList* tensors, int64_t dim,
                       const aclTensor* out) {
  RETURN_IF_FAILED(checkTensorList(call.op, "tensors", tensors));
  RETURN_IF_FAILED(checkNumeric(call.op, "out", out));
  if (tensors->values.empty()) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: the list of tensors is empty", call.op);
  }
  size_t along = 0;
  RETURN_IF_FAILED(checkDim(call.op, dim, out->viewDims.size(), &along));
  if (out->viewDims.empty()) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: out has no dimension", call.op);
  }
  std::vector<Walk> walks;
  int64_t begin = 0;
  for (size_t i = 0; i < tensors->values.size(); ++i) {
    const aclTensor* tensor = tensors->values[i];
    RETURN_IF_FAILED(checkNumeric(call.op, "an element of tensors", tensor));
    RETURN_IF_FAILED(checkResultType(call.op, tensor->dataType, out));
    if (isLeftOut(*tensor)) {
      continue;
    }
    aclTensor part;
    RETURN_IF_FAILED(partOf(call.op, *out, *tensor, i, along, begin, &part));
    walks.push_back(makeWalk({{"out", &part}, {"tensors", tensor, i}}));
    begin += tensor->viewDims[along];
  }
  if (begin != out->viewDims[along]) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: the tensors fill %lld of dimension %zu of out, whose shape is %s", call.op,
                static_cast<long long>(begin), along, shapeText(out->viewDims).c_str());
  }
  std::vector<DeviceSpan> spans = inputSpans("tensors", tensors);
  spans.push_back(outputSpan("out", out));
  return call.make(std::move(spans), [walks = std::move(walks)](const Binding& memory) {
    aclError code = ACL_SUCCESS;
    for (size_t i = 0; code == ACL_SUCCESS && i < walks.size(); ++i) {
      code = moveElements(walks[i].bound(memory));
    }
    return code;
  });
}

}  // namespace

extern "C" {

aclnnStatus aclnnCastGetWorkspaceSize(const aclTensor* self, const aclDataType dtype,
                                      aclTensor* out, uint64_t* workspaceSize,
                                      aclOpExecutor** executor) {
  return phaseOne("aclnnCast", workspaceSize, executor, [&](const Call& call) {
    RETURN_IF_FAILED(checkNumeric(call.op, "self", self));
    RETURN_IF_FAILED(checkNumeric(call.op, "out", out));
    if (out->dataType != dtype) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: out is %s, dtype says %s", call.op,
                  dataTypeName(out->dataType), dataTypeName(dtype));
    }
    return moveView(call, self, *self, out);
  });
}
PHASE_TWO(aclnnCast)

aclnnStatus aclnnPermuteGetWorkspaceSize(const aclTensor* self, const aclIntArray* dims,
                                         aclTensor* out, uint64_t* workspaceSize,
                                         aclOpExecutor** executor) {
  return phaseOne("aclnnPermute", workspaceSize, executor, [&](const Call& call) {
    RETURN_IF_FAILED(checkNumeric(call.op, "self", self));
    RETURN_IF_FAILED(checkIntArray(call.op, "dims", dims));
    RETURN_IF_FAILED(checkSameType(call.op, "out", out, self->dataType));
    aclTensor view;
    RETURN_IF_FAILED(permuteView(call.op, *self, *dims, &view));
    return moveView(call, self, view, out);
  });
}
PHASE_TWO(aclnnPermute)

aclnnStatus aclnnSliceGetWorkspaceSize(const aclTensor* self, int64_t dim, int64_t start,
                                       int64_t end, int64_t step, aclTensor* out,
                                       uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnSlice", workspaceSize, executor, [&](const Call& call) {
    RETURN_IF_FAILED(checkNumeric(call.op, "self", self));
    RETURN_IF_FAILED(checkSameType(call.op, "out", out, self->dataType));
    size_t along = 0;
    RETURN_IF_FAILED(checkDim(call.op, dim, self->viewDims.size(), &along));
    if (step <= 0 || self->viewDims.empty()) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: step is %lld, self is %s; a positive step along a "
                  "dimension of self is needed", call.op, static_cast<long long>(step),
                  self->describe().c_str());
    }
    const int64_t size = self->viewDims[along];
    return moveView(call, self,
                    sliceView(*self, along, clampPlace(start, size), clampPlace(end, size), step),
                    out);
  });
}
PHASE_TWO(aclnnSlice)

aclnnStatus aclnnCatGetWorkspaceSize(const aclTensorList* tensors, int64_t dim, aclTensor* out,
                                     uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnCat", workspaceSize, executor, [&](const Call& call) {
    return prepareCat(call, tensors, dim, out);
  });
}
PHASE_TWO(aclnnCat)

aclnnStatus aclnnInplaceCopyGetWorkspaceSize(aclTensor* selfRef, const aclTensor* src,
                                             uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnInplaceCopy", workspaceSize, executor, [&](const Call& call) {
    RETURN_IF_FAILED(checkNumeric(call.op, "selfRef", selfRef));
    RETURN_IF_FAILED(checkNumeric(call.op, "src", src));
    RETURN_IF_FAILED(checkBroadcast(call.op, selfRef, src, selfRef));
    return call.make({inPlaceSpan("selfRef", selfRef), inputSpan("src", src)},
                     moveKernel(makeWalk({{"selfRef", selfRef}, {"src", src}})));
  });
}
PHASE_TWO(aclnnInplaceCopy)

}  // extern "C"
