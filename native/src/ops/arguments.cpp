// SPDX-License-Identifier: Apache-2.0
#include "arguments.hpp"

#include <algorithm>

#include "element.hpp"
#include "walk.hpp"

namespace cann4j {
namespace {

constexpr size_t kMostDims = 8;

bool isPlainFormat(aclFormat format) {
  switch (format) {
    case ACL_FORMAT_ND:
    case ACL_FORMAT_NCHW:
    case ACL_FORMAT_NHWC:
    case ACL_FORMAT_HWCN:
    case ACL_FORMAT_NDHWC:
    case ACL_FORMAT_NCDHW:
    case ACL_FORMAT_NC:
    case ACL_FORMAT_NCL:
      return true;
    default:
      return false;
  }
}

bool isSignedInteger(aclDataType t) {
  return t == ACL_INT8 || t == ACL_INT16 || t == ACL_INT32 || t == ACL_INT64;
}

}  // namespace

aclnnStatus checkNumeric(const char* op, const char* name, const aclTensor* tensor) {
  if (const aclnnStatus status = checkTensor(op, name, tensor); status != ACLNN_SUCCESS) {
    return status;
  }
  if (numberClass(tensor->dataType) == NumberClass::kNone) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the data type %s, which is not supported", op,
                name, dataTypeName(tensor->dataType));
  }
  if (tensor->viewDims.size() > kMostDims) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the shape %s, of more than %zu dimensions", op,
                name, shapeText(tensor->viewDims).c_str(), kMostDims);
  }
  return isPlainFormat(tensor->format)
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the format %d, use ACL_FORMAT_ND", op,
                    name, tensor->format);
}

aclnnStatus checkType(const char* op, const char* name, const aclTensor* tensor,
                      std::initializer_list<aclDataType> types) {
  RETURN_IF_FAILED(checkNumeric(op, name, tensor));
  if (std::find(types.begin(), types.end(), tensor->dataType) != types.end()) {
    return ACLNN_SUCCESS;
  }
  std::string names;
  for (const aclDataType type : types) {
    names += names.empty() ? dataTypeName(type) : std::string(", ") + dataTypeName(type);
  }
  return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s is %s, not one of %s", op, name,
              dataTypeName(tensor->dataType), names.c_str());
}

aclnnStatus checkSameType(const char* op, const char* name, const aclTensor* tensor,
                          aclDataType expected) {
  RETURN_IF_FAILED(checkNumeric(op, name, tensor));
  return tensor->dataType == expected
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID, "%s: %s is %s, not %s", op, name,
                    dataTypeName(tensor->dataType), dataTypeName(expected));
}

aclnnStatus checkSameShape(const char* op, const char* name, const aclTensor* tensor,
                           const std::vector<int64_t>& expected) {
  return tensor->viewDims == expected
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the shape %s, not %s", op, name,
                    shapeText(tensor->viewDims).c_str(), shapeText(expected).c_str());
}

aclnnStatus checkDim(const char* op, int64_t dim, size_t rank, size_t* number) {
  const auto dims = static_cast<int64_t>(std::max<size_t>(rank, 1));
  if (dim < -dims || dim >= dims) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: dim %lld is not in [-%lld, %lld)", op,
                static_cast<long long>(dim), static_cast<long long>(dims),
                static_cast<long long>(dims));
  }
  *number = static_cast<size_t>(dim < 0 ? dim + dims : dim);
  return ACLNN_SUCCESS;
}

aclnnStatus checkBroadcast(const char* op, const aclTensor* self, const aclTensor* other,
                           const aclTensor* out) {
  std::vector<int64_t> shape;
  if (!broadcastShape(self->viewDims, other->viewDims, &shape)) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: the shapes %s and %s do not broadcast", op,
                shapeText(self->viewDims).c_str(), shapeText(other->viewDims).c_str());
  }
  return checkSameShape(op, "the result", out, shape);
}

aclDataType promote(aclDataType a, aclDataType b) {
  if (a == b) {
    return a;
  }
  if (isFloating(a) || isFloating(b)) {
    if (!isFloating(b)) {
      return a;
    }
    if (!isFloating(a)) {
      return b;
    }
    return a == ACL_DOUBLE || b == ACL_DOUBLE ? ACL_DOUBLE : ACL_FLOAT;
  }
  if (a == ACL_BOOL || b == ACL_BOOL) {
    return a == ACL_BOOL ? b : a;
  }
  const size_t sizeA = aclDataTypeSize(a);
  const size_t sizeB = aclDataTypeSize(b);
  if (isSignedInteger(a) == isSignedInteger(b)) {
    return sizeA >= sizeB ? a : b;
  }
  const aclDataType signedType = isSignedInteger(a) ? a : b;
  const size_t signedSize = isSignedInteger(a) ? sizeA : sizeB;
  const size_t unsignedSize = isSignedInteger(a) ? sizeB : sizeA;
  if (signedSize > unsignedSize) {
    return signedType;
  }
  return unsignedSize == 1 ? ACL_INT16 : unsignedSize == 2 ? ACL_INT32 : ACL_INT64;
}

aclDataType promoteScalar(aclDataType type, const aclScalar& scalar) {
  if (isFloating(type) || scalar.dataType == ACL_BOOL) {
    return type;
  }
  if (isFloating(scalar.dataType)) {
    return ACL_FLOAT;
  }
  return type == ACL_BOOL ? scalar.dataType : type;
}

aclnnStatus checkResultType(const char* op, aclDataType result, const aclTensor* out) {
  const bool loses = (isFloating(result) && !isFloating(out->dataType)) ||
                     (result != ACL_BOOL && out->dataType == ACL_BOOL);
  return !loses ? ACLNN_SUCCESS
                : fail(ACLNN_ERR_PARAM_INVALID, "%s: a result of type %s cannot be stored as %s",
                       op, dataTypeName(result), dataTypeName(out->dataType));
}

aclnnStatus checkAlpha(const char* op, const aclScalar* alpha, aclDataType computed) {
  return !isFloating(alpha->dataType) || isFloating(computed)
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID, "%s: alpha is floating (%s), the operation on %s", op,
                    dataTypeName(alpha->dataType), dataTypeName(computed));
}

}  // namespace cann4j
