// SPDX-License-Identifier: Apache-2.0
// Silu, SwiGlu.
#include <cmath>

#include "aclnnop/aclnn_silu.h"
#include "aclnnop/aclnn_swi_glu.h"
#include "arguments.hpp"
#include "elementwise.hpp"

using namespace cann4j;

namespace {

float silu(float x) { return x / (1 + std::exp(-x)); }

aclnnStatus prepareSilu(const Call& call, const aclTensor* self, const aclTensor* out) {
  RETURN_IF_FAILED(checkType(call.op, "self", self, kFloats));
  RETURN_IF_FAILED(checkSameType(call.op, "out", out, self->dataType));
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, self->viewDims));
  return call.make(
      {inputSpan("self", self), outputSpan("out", out)},
      [walk = makeWalk({{"out", out}, {"self", self}})](const Binding& memory) {
        return transform<float>(walk.bound(memory),
                                [](const Inputs<float>& x, float* y, int64_t n) {
                                  for (int64_t i = 0; i < n; ++i) {
                                    y[i] = silu(x[0][i]);
                                  }
                                });
      });
}

aclnnStatus prepareSwiGlu(const Call& call, const aclTensor* x, int64_t dim,
                          const aclTensor* out) {
  RETURN_IF_FAILED(checkType(call.op, "x", x, kFloats));
  RETURN_IF_FAILED(checkSameType(call.op, "out", out, x->dataType));
  size_t d = 0;
  RETURN_IF_FAILED(checkDim(call.op, dim, x->viewDims.size(), &d));
  if (x->viewDims.empty() || x->viewDims[d] % 2 != 0) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: x of shape %s has no halves along dim %lld", call.op,
                shapeText(x->viewDims).c_str(), static_cast<long long>(dim));
  }
  aclTensor gate = *x;
  gate.viewDims[d] /= 2;
  aclTensor value = gate;
  value.offset += gate.viewDims[d] * gate.strides[d];
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, gate.viewDims));
  return call.make(
      {inputSpan("x", x), outputSpan("out", out)},
      [walk = makeWalk({{"out", out}, {"x", &gate}, {"x", &value}})](const Binding& memory) {
        return transform<float>(walk.bound(memory),
                                [](const Inputs<float>& x, float* y, int64_t n) {
                                  for (int64_t i = 0; i < n; ++i) {
                                    y[i] = silu(x[0][i]) * x[1][i];
                                  }
                                });
      });
}

}  // namespace

extern "C" {

aclnnStatus aclnnSiluGetWorkspaceSize(const aclTensor* self, aclTensor* out,
                                      uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnSilu", workspaceSize, executor, [&](const Call& call) {
    return prepareSilu(call, self, out);
  });
}
PHASE_TWO(aclnnSilu)

aclnnStatus aclnnSwiGluGetWorkspaceSize(const aclTensor* x, int64_t dim, const aclTensor* out,
                                        uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnSwiGlu", workspaceSize, executor, [&](const Call& call) {
    return prepareSwiGlu(call, x, dim, out);
  });
}
PHASE_TWO(aclnnSwiGlu)

}  // extern "C"
