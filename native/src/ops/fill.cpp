// SPDX-License-Identifier: Apache-2.0
// InplaceZero, InplaceFillScalar.
#include <algorithm>

#include "aclnnop/aclnn_fill_scalar.h"
#include "aclnnop/aclnn_zero.h"
#include "arguments.hpp"
#include "elementwise.hpp"

using namespace cann4j;

namespace {

struct Constant {
  static constexpr bool kFloatingOnly = false;
  template <class C>
  void operator()(const Inputs<C>&, C* out, int64_t n, C value) const {
    std::fill_n(out, n, value);
  }
};

aclnnStatus prepareFill(const Call& call, const aclTensor* selfRef, const aclScalar& value) {
  // In double, so that a 16-bit type is rounded to once.
  const bool real = isFloating(selfRef->dataType) || isFloating(value.dataType);
  return call.make({inPlaceSpan("selfRef", selfRef)},
                   elementwiseKernel(real ? ACL_DOUBLE : value.dataType,
                                     makeWalk({{"selfRef", selfRef}}), Constant(), value));
}

}  // namespace

extern "C" {

aclnnStatus aclnnInplaceZeroGetWorkspaceSize(aclTensor* selfRef, uint64_t* workspaceSize,
                                             aclOpExecutor** executor) {
  return phaseOne("aclnnInplaceZero", workspaceSize, executor, [&](const Call& call) {
    RETURN_IF_FAILED(checkNumeric(call.op, "selfRef", selfRef));
    return prepareFill(call, selfRef, aclScalar{ACL_INT64, 0, 0});
  });
}
PHASE_TWO(aclnnInplaceZero)

aclnnStatus aclnnInplaceFillScalarGetWorkspaceSize(aclTensor* selfRef, const aclScalar* value,
                                                   uint64_t* workspaceSize,
                                                   aclOpExecutor** executor) {
  return phaseOne("aclnnInplaceFillScalar", workspaceSize, executor, [&](const Call& call) {
    RETURN_IF_FAILED(checkNumeric(call.op, "selfRef", selfRef));
    RETURN_IF_FAILED(checkScalar(call.op, "value", value));
    return prepareFill(call, selfRef, *value);
  });
}
PHASE_TWO(aclnnInplaceFillScalar)

}  // extern "C"
