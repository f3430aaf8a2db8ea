// SPDX-License-Identifier: Apache-2.0
// Silu, SwiGlu.
#include <cmath>

#include "aclnn/executor.hpp"
#include "aclnn/tensor.hpp"
#include "aclnnop/aclnn_silu.h"
#include "aclnnop/aclnn_swi_glu.h"
#include "arguments.hpp"
#include "elementwise.hpp"
#include "runtime/error.hpp"

using namespace cann4j;

namespace {

float silu(float x) { return x / (1 + std::exp(-x)); }

aclnnStatus prepareSilu(const char* op, const aclTensor* self, aclTensor* out,
                        uint64_t* workspaceSize, aclOpExecutor** executor) {
  RETURN_IF_FAILED(checkType(op, "self", self, kFloats));
  RETURN_IF_FAILED(checkSameType(op, "out", out, self->dataType));
  RETURN_IF_FAILED(checkSameShape(op, "out", out, self->viewDims));
  return makeExecutor(
      op, 0, {inputSpan("self", self), outputSpan("out", out)},
      [walk = makeWalk({{"out", out}, {"self", self}})](const Binding& memory) {
        return transform<float>(walk.bound(memory),
                                [](const Inputs<float>& x, float* y, int64_t n) {
                                  for (int64_t i = 0; i < n; ++i) {
                                    y[i] = silu(x[0][i]);
                                  }
                                });
      },
      workspaceSize, executor);
}

aclnnStatus prepareSwiGlu(const char* op, const aclTensor* x, int64_t dim, const aclTensor* out,
                          uint64_t* workspaceSize, aclOpExecutor** executor) {
  RETURN_IF_FAILED(checkType(op, "x", x, kFloats));
  RETURN_IF_FAILED(checkSameType(op, "out", out, x->dataType));
  const auto rank = static_cast<int64_t>(x->viewDims.size());
  if (dim < -rank || dim >= rank) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: dim %lld is not one of x's, which has %lld", op,
                static_cast<long long>(dim), static_cast<long long>(rank));
  }
  const auto d = static_cast<size_t>(dim < 0 ? dim + rank : dim);
  if (x->viewDims[d] % 2 != 0) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: x of shape %s has no halves along dim %lld", op,
                shapeText(x->viewDims).c_str(), static_cast<long long>(dim));
  }
  aclTensor gate = *x;
  gate.viewDims[d] /= 2;
  aclTensor value = gate;
  value.offset += gate.viewDims[d] * gate.strides[d];
  RETURN_IF_FAILED(checkSameShape(op, "out", out, gate.viewDims));
  return makeExecutor(
      op, 0, {inputSpan("x", x), outputSpan("out", out)},
      [walk = makeWalk({{"out", out}, {"x", &gate}, {"x", &value}})](const Binding& memory) {
        return transform<float>(walk.bound(memory),
                                [](const Inputs<float>& x, float* y, int64_t n) {
                                  for (int64_t i = 0; i < n; ++i) {
                                    y[i] = silu(x[0][i]) * x[1][i];
                                  }
                                });
      },
      workspaceSize, executor);
}

}  // namespace

extern "C" {

aclnnStatus aclnnSiluGetWorkspaceSize(const aclTensor* self, aclTensor* out,
                                      uint64_t* workspaceSize, aclOpExecutor** executor) {
  constexpr const char* kOp = "aclnnSilu";
  return guarded<aclnnStatus>(ACLNN_ERR_INNER, kOp, [&] {
    return prepareSilu(kOp, self, out, workspaceSize, executor);
  });
}

aclnnStatus aclnnSilu(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                      aclrtStream stream) {
  return launch("aclnnSilu", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnSwiGluGetWorkspaceSize(const aclTensor* x, int64_t dim, const aclTensor* out,
                                        uint64_t* workspaceSize, aclOpExecutor** executor) {
  constexpr const char* kOp = "aclnnSwiGlu";
  return guarded<aclnnStatus>(ACLNN_ERR_INNER, kOp, [&] {
    return prepareSwiGlu(kOp, x, dim, out, workspaceSize, executor);
  });
}

aclnnStatus aclnnSwiGlu(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                        aclrtStream stream) {
  return launch("aclnnSwiGlu", workspace, workspaceSize, executor, stream);
}

}  // extern "C"
