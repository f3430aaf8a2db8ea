// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>

#include "aclnn/executor.hpp"
#include "aclnn/objects.hpp"
#include "aclnn/tensor.hpp"
#include "runtime/error.hpp"

namespace cann4j {

// A phase 1 under way.
struct Call {
  const char* op;
  uint64_t* workspaceSize;
  aclOpExecutor** executor;

  // Its end.
  aclnnStatus make(std::vector<DeviceSpan> spans, Kernel kernel,
                   uint64_t workspaceBytes = 0) const {
    return makeExecutor(op, workspaceBytes, std::move(spans), std::move(kernel), workspaceSize,
                        executor);
  }
};

// Runs body(call), whose exceptions become a code.
template <class Body>
aclnnStatus phaseOne(const char* op, uint64_t* workspaceSize, aclOpExecutor** executor,
                     const Body& body) {
  return whileArgumentsStay(op, [&]() -> aclnnStatus {
    if (workspaceSize == nullptr || executor == nullptr) {
      return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: %s is NULL", op,
                  workspaceSize == nullptr ? "workspaceSize" : "executor");
    }
    return body(Call{op, workspaceSize, executor});
  });
}

// Defines phase 2 of an operator.
#define PHASE_TWO(op) \
  aclnnStatus op(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor, \
                 aclrtStream stream) { \
    return cann4j::launch(#op, workspace, workspaceSize, executor, stream); \
  }

// Checks of phase 1 that the elementwise operators share. All name the operator and the values.

// Alive, of a numeric type, of at most 8 dimensions and in a format whose elements lie where the
// strides say.
aclnnStatus checkNumeric(const char* op, const char* name, const aclTensor* tensor);

// Numeric and of one of the types.
aclnnStatus checkType(const char* op, const char* name, const aclTensor* tensor,
                      std::initializer_list<aclDataType> types);
constexpr std::initializer_list<aclDataType> kFloats{ACL_FLOAT, ACL_FLOAT16, ACL_BF16};
constexpr std::initializer_list<aclDataType> kIndices{ACL_INT32, ACL_INT64};

aclnnStatus checkSameType(const char* op, const char* name, const aclTensor* tensor,
                          aclDataType expected);

aclnnStatus checkSameShape(const char* op, const char* name, const aclTensor* tensor,
                           const std::vector<int64_t>& expected);

// Dimension `dim` of `rank`, counted from the end if negative, as a number from 0; a scalar has the
// dimension 0 too.
aclnnStatus checkDim(const char* op, int64_t dim, size_t rank, size_t* number);

// self and other broadcast to the shape of out.
aclnnStatus checkBroadcast(const char* op, const aclTensor* self, const aclTensor* other,
                           const aclTensor* out);

// The type in which an operation on both is carried out.
aclDataType promote(aclDataType a, aclDataType b);
// A scalar takes part only by its kind: floating, integer or bool.
aclDataType promoteScalar(aclDataType type, const aclScalar& scalar);

// alpha multiplies what is added to values of the type `computed`.
aclnnStatus checkAlpha(const char* op, const aclScalar* alpha, aclDataType computed);

// Leaves a function that returns a status.
#define RETURN_IF_FAILED(expression) \
  if (const aclnnStatus status = (expression); status != ACLNN_SUCCESS) return status

// A result of this type may be stored in out: not floating into integer, not number into bool.
aclnnStatus checkResultType(const char* op, aclDataType result, const aclTensor* out);

}  // namespace cann4j
