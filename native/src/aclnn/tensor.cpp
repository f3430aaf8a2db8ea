// SPDX-License-Identifier: Apache-2.0
#include "tensor.hpp"

#include <algorithm>
#include <utility>

#include "objects.hpp"
#include "runtime/host_memory.hpp"

using namespace cann4j;

int64_t aclTensor::elements() const {
  int64_t count = 1;
  for (const int64_t dim : viewDims) {
    count *= dim;
  }
  return count;
}

bool aclTensor::isContiguous() const {
  int64_t expected = 1;
  for (size_t i = viewDims.size(); i-- > 0;) {
    if (viewDims[i] == 0) {
      return true;
    }
    if (viewDims[i] != 1 && strides[i] != expected) {
      return false;
    }
    expected *= viewDims[i];
  }
  return true;
}

uintptr_t aclTensor::originAddress() const {
  return reinterpret_cast<uintptr_t>(data) +
         static_cast<uintptr_t>(offset) * aclDataTypeSize(dataType);
}

std::string aclTensor::describe() const {
  return std::string(dataTypeName(dataType)) + shapeText(viewDims);
}

namespace cann4j {
namespace {

// Writes the fields of a tensor; false with words when they make no sense.
bool initTensor(const char* function, const int64_t* viewDims, uint64_t viewDimsNum,
                aclDataType dataType, const int64_t* stride, int64_t offset, aclFormat format,
                const int64_t* storageDims, uint64_t storageDimsNum, void* tensorData,
                aclTensor* tensor) {
  constexpr uint64_t kMostDims = 32;
  const auto refuse = [&](const char* words) {
    fail(ACLNN_ERR_PARAM_INVALID, "%s: %s", function, words);
    return false;
  };
  if ((viewDims == nullptr && viewDimsNum > 0) || (storageDims == nullptr && storageDimsNum > 0)) {
    return refuse("dims are NULL although their number is not 0");
  }
  if (viewDimsNum > kMostDims || storageDimsNum > kMostDims) {
    return refuse("more than 32 dimensions");
  }
  if (aclDataTypeSize(dataType) == 0) {
    fail(ACLNN_ERR_PARAM_INVALID, "%s: data type %d is not supported", function, dataType);
    return false;
  }
  if (offset < 0) {
    return refuse("the offset is negative");
  }
  if (static_cast<uint64_t>(offset) > PTRDIFF_MAX / aclDataTypeSize(dataType)) {
    return refuse("the offset is more than memory holds");
  }
  const std::pair<const char*, const int64_t*> arrays[] = {
      {"viewDims", viewDims}, {"stride", stride}, {"storageDims", storageDims}};
  for (const auto& [name, array] : arrays) {
    if (checkOnHost<aclnnStatus>(ACLNN_ERR_PARAM_INVALID, function, name, array) !=
        ACLNN_SUCCESS) {
      return false;
    }
  }
  tensor->viewDims.assign(viewDims, viewDims + viewDimsNum);
  tensor->storageDims.assign(storageDims, storageDims + storageDimsNum);
  int64_t elements = 1;
  for (const auto* dims : {&tensor->viewDims, &tensor->storageDims}) {
    elements = 1;
    for (const int64_t dim : *dims) {
      if (dim < 0 || __builtin_mul_overflow(elements, dim, &elements)) {
        fail(ACLNN_ERR_PARAM_INVALID, "%s: the shape %s is impossible", function,
             shapeText(*dims).c_str());
        return false;
      }
    }
  }
  if (stride != nullptr) {
    tensor->strides.assign(stride, stride + viewDimsNum);
  } else {
    tensor->strides.resize(viewDimsNum);
    uint64_t step = 1;  // unsigned: beside a dimension of 0 the others may multiply to anything
    for (uint64_t i = viewDimsNum; i-- > 0;) {
      tensor->strides[i] = static_cast<int64_t>(step);
      step *= static_cast<uint64_t>(viewDims[i]);
    }
  }
  tensor->dataType = dataType;
  tensor->offset = offset;
  tensor->format = format;
  tensor->data = tensorData;
  return true;
}

int64_t* newCopy(const std::vector<int64_t>& values) {
  auto* copy = new int64_t[values.empty() ? 1 : values.size()];
  std::copy(values.begin(), values.end(), copy);
  return copy;
}

}  // namespace

const char* dataTypeName(aclDataType dataType) {
  switch (dataType) {
    case ACL_FLOAT: return "FLOAT";
    case ACL_FLOAT16: return "FLOAT16";
    case ACL_BF16: return "BF16";
    case ACL_DOUBLE: return "DOUBLE";
    case ACL_INT8: return "INT8";
    case ACL_UINT8: return "UINT8";
    case ACL_INT16: return "INT16";
    case ACL_UINT16: return "UINT16";
    case ACL_INT32: return "INT32";
    case ACL_UINT32: return "UINT32";
    case ACL_INT64: return "INT64";
    case ACL_UINT64: return "UINT64";
    case ACL_BOOL: return "BOOL";
    case ACL_COMPLEX32: return "COMPLEX32";
    case ACL_COMPLEX64: return "COMPLEX64";
    case ACL_COMPLEX128: return "COMPLEX128";
    default: return "unknown type";
  }
}

std::string shapeText(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
  }
  return text + "]";
}

bool isLiveTensor(const aclTensor* tensor) { return live<aclTensor>().contains(tensor); }

aclnnStatus checkTensor(const char* op, const char* name, const aclTensor* tensor) {
  return checkLive(op, name, tensor);
}

aclnnStatus checkOptionalTensor(const char* op, const char* name, const aclTensor* tensor) {
  return tensor == nullptr ? ACLNN_SUCCESS : checkTensor(op, name, tensor);
}

static aclnnStatus copyOut(const char* function, const aclTensor* tensor,
                           std::vector<int64_t> aclTensor::*field, int64_t** values,
                           uint64_t* count) {
  return whileArgumentsStay(function, [&]() -> aclnnStatus {
    if (const aclnnStatus status = checkTensor(function, "tensor", tensor);
        status != ACLNN_SUCCESS) {
      return status;
    }
    if (values == nullptr || count == nullptr) {
      return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: a result pointer is NULL", function);
    }
    *values = newCopy(tensor->*field);
    *count = (tensor->*field).size();
    return ACLNN_SUCCESS;
  });
}

}  // namespace cann4j

extern "C" {

aclTensor* aclCreateTensor(const int64_t* viewDims, uint64_t viewDimsNum, aclDataType dataType,
                           const int64_t* stride, int64_t offset, aclFormat format,
                           const int64_t* storageDims, uint64_t storageDimsNum, void* tensorData) {
  return created<aclTensor>("aclCreateTensor", [&]() -> aclTensor* {
    aclTensor tensor;
    return initTensor("aclCreateTensor", viewDims, viewDimsNum, dataType, stride, offset, format,
                      storageDims, storageDimsNum, tensorData, &tensor)
               ? live<aclTensor>().add(std::move(tensor))
               : nullptr;
  });
}

aclnnStatus aclInitTensor(aclTensor* tensor, const int64_t* viewDims, uint64_t viewDimsNum,
                          aclDataType dataType, const int64_t* stride, int64_t offset,
                          aclFormat format, const int64_t* storageDims, uint64_t storageDimsNum,
                          void* tensorDataAddr) {
  return guarded<aclnnStatus>(ACLNN_ERR_INNER, "aclInitTensor", [&]() -> aclnnStatus {
    std::lock_guard nobodyReads(reading());
    if (const aclnnStatus status = checkTensor("aclInitTensor", "tensor", tensor);
        status != ACLNN_SUCCESS) {
      return status;
    }
    aclTensor fields;
    if (!initTensor("aclInitTensor", viewDims, viewDimsNum, dataType, stride, offset, format,
                    storageDims, storageDimsNum, tensorDataAddr, &fields)) {
      return ACLNN_ERR_PARAM_INVALID;
    }
    fields.version = tensor->version + 1;
    *tensor = std::move(fields);
    return ACLNN_SUCCESS;
  });
}

aclnnStatus aclDestroyTensor(const aclTensor* tensor) {
  return destroy("aclDestroyTensor", tensor);
}

aclnnStatus aclGetViewShape(const aclTensor* tensor, int64_t** viewDims, uint64_t* viewDimsNum) {
  return copyOut("aclGetViewShape", tensor, &aclTensor::viewDims, viewDims, viewDimsNum);
}

aclnnStatus aclGetStorageShape(const aclTensor* tensor, int64_t** storageDims,
                               uint64_t* storageDimsNum) {
  return copyOut("aclGetStorageShape", tensor, &aclTensor::storageDims, storageDims,
                 storageDimsNum);
}

aclnnStatus aclGetViewStrides(const aclTensor* tensor, int64_t** stridesValue,
                              uint64_t* stridesNum) {
  return copyOut("aclGetViewStrides", tensor, &aclTensor::strides, stridesValue, stridesNum);
}

aclnnStatus aclGetViewOffset(const aclTensor* tensor, int64_t* offset) {
  return query("aclGetViewOffset", tensor, offset, [](const aclTensor& t) { return t.offset; });
}

aclnnStatus aclGetFormat(const aclTensor* tensor, aclFormat* format) {
  return query("aclGetFormat", tensor, format, [](const aclTensor& t) { return t.format; });
}

aclnnStatus aclGetDataType(const aclTensor* tensor, aclDataType* dataType) {
  return query("aclGetDataType", tensor, dataType, [](const aclTensor& t) { return t.dataType; });
}

aclnnStatus aclGetRawTensorAddr(const aclTensor* tensor, void** addr) {
  return query("aclGetRawTensorAddr", tensor, addr, [](const aclTensor& t) { return t.data; });
}

aclnnStatus aclSetRawTensorAddr(aclTensor* tensor, void* addr) {
  std::lock_guard nobodyReads(reading());
  const aclnnStatus status = checkTensor("aclSetRawTensorAddr", "tensor", tensor);
  if (status == ACLNN_SUCCESS && tensor->data != addr) {
    tensor->data = addr;
    ++tensor->version;
  }
  return status;
}

}  // extern "C"
