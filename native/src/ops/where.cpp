// SPDX-License-Identifier: Apache-2.0
// SWhere.
#include "aclnnop/aclnn_s_where.h"
#include "arguments.hpp"
#include "elementwise.hpp"

using namespace cann4j;

namespace {

struct Choose {
  static constexpr bool kFloatingOnly = false;
  template <class C>
  void operator()(const Inputs<C>& in, C* out, int64_t n, C) const {
    for (int64_t i = 0; i < n; ++i) {
      out[i] = in[0][i] != 0 ? in[1][i] : in[2][i];
    }
  }
};

aclnnStatus prepareWhere(const Call& call, const aclTensor* condition, const aclTensor* self,
                         const aclTensor* other, const aclTensor* out) {
  RETURN_IF_FAILED(checkNumeric(call.op, "condition", condition));
  RETURN_IF_FAILED(checkNumeric(call.op, "self", self));
  RETURN_IF_FAILED(checkNumeric(call.op, "other", other));
  RETURN_IF_FAILED(checkNumeric(call.op, "out", out));
  if (condition->dataType != ACL_BOOL && condition->dataType != ACL_UINT8) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: condition is %s, not BOOL or UINT8", call.op,
                dataTypeName(condition->dataType));
  }
  std::vector<int64_t> chosen;
  std::vector<int64_t> shape;
  if (!broadcastShape(self->viewDims, other->viewDims, &chosen) ||
      !broadcastShape(chosen, condition->viewDims, &shape)) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: the shapes %s, %s and %s do not broadcast", call.op,
                shapeText(condition->viewDims).c_str(), shapeText(self->viewDims).c_str(),
                shapeText(other->viewDims).c_str());
  }
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, shape));
  const aclDataType computed = promote(self->dataType, other->dataType);
  RETURN_IF_FAILED(checkResultType(call.op, computed, out));
  return call.make({inputSpan("condition", condition), inputSpan("self", self),
                    inputSpan("other", other), outputSpan("out", out)},
                   elementwiseKernel(computed,
                                     makeWalk({{"out", out},
                                               {"condition", condition},
                                               {"self", self},
                                               {"other", other}}),
                                     Choose(), aclScalar{ACL_INT64, 0, 0}));
}

}  // namespace

extern "C" {

aclnnStatus aclnnSWhereGetWorkspaceSize(const aclTensor* condition, const aclTensor* self,
                                        const aclTensor* other, aclTensor* out,
                                        uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnSWhere", workspaceSize, executor, [&](const Call& call) {
    return prepareWhere(call, condition, self, other, out);
  });
}
PHASE_TWO(aclnnSWhere)

}  // extern "C"
