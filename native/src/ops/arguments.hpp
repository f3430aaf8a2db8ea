// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>

#include "aclnn/tensor.hpp"

namespace cann4j {

// Checks of phase 1 that the elementwise operators share. All name the operator and the values.

// Alive, of a numeric type and in a format whose elements lie where the strides say.
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

// self and other broadcast to the shape of out.
aclnnStatus checkBroadcast(const char* op, const aclTensor* self, const aclTensor* other,
                           const aclTensor* out);

// The type in which an operation on both is carried out.
aclDataType promote(aclDataType a, aclDataType b);

// Leaves a function that returns a status.
#define RETURN_IF_FAILED(expression) \
  if (const aclnnStatus status = (expression); status != ACLNN_SUCCESS) return status

// A result of this type may be stored in out: not floating into integer, not number into bool.
aclnnStatus checkResultType(const char* op, aclDataType result, const aclTensor* out);

}  // namespace cann4j
