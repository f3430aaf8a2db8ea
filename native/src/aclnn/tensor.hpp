// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aclnn/acl_meta.h"

struct aclTensor {
  std::vector<int64_t> viewDims;
  std::vector<int64_t> strides;  // elements
  std::vector<int64_t> storageDims;
  int64_t offset = 0;  // elements
  aclDataType dataType = ACL_DT_UNDEFINED;
  aclFormat format = ACL_FORMAT_ND;
  void* data = nullptr;  // device address of the storage
  uint64_t version = 0;  // counts the changes that may not happen between the phases

  int64_t elements() const;
  bool isContiguous() const;
  // Device address of the view's origin, as an integer so that NULL storage is no special case.
  uintptr_t originAddress() const;
  std::string describe() const;  // "FLOAT16[2, 3]"
};

struct aclScalar {
  aclDataType dataType = ACL_DT_UNDEFINED;
  double real = 0;       // the value
  int64_t integer = 0;   // the value, exact for integer types (UINT64 as its bits)
};

struct aclIntArray {
  std::vector<int64_t> values;
};

struct aclFloatArray {
  std::vector<float> values;
};

struct aclBoolArray {
  std::vector<uint8_t> values;
};

struct aclTensorList {
  std::vector<const aclTensor*> values;
};

struct aclScalarList {
  std::vector<const aclScalar*> values;
};

namespace cann4j {

const char* dataTypeName(aclDataType dataType);
std::string shapeText(const std::vector<int64_t>& dims);

// Arguments of an operator: NULL is ACLNN_ERR_PARAM_NULLPTR, a handle that was destroyed or never
// created ACLNN_ERR_PARAM_INVALID. The word `name` is the parameter's.
aclnnStatus checkTensor(const char* op, const char* name, const aclTensor* tensor);
aclnnStatus checkOptionalTensor(const char* op, const char* name, const aclTensor* tensor);
aclnnStatus checkIntArray(const char* op, const char* name, const aclIntArray* array);
aclnnStatus checkScalar(const char* op, const char* name, const aclScalar* scalar);
aclnnStatus checkTensorList(const char* op, const char* name, const aclTensorList* list);

bool isLiveTensor(const aclTensor* tensor);

}  // namespace cann4j
