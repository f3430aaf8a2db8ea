// SPDX-License-Identifier: Apache-2.0
#include "tensor.hpp"

#include "runtime/error.hpp"
#include "runtime/half.hpp"
#include "runtime/memory.hpp"
#include "live_objects.hpp"

#include <cstring>
#include <memory>

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

void* aclTensor::host() const { return toHost(reinterpret_cast<const void*>(originAddress())); }

std::string aclTensor::describe() const {
  return std::string(dataTypeName(dataType)) + shapeText(viewDims);
}

namespace cann4j {
namespace {

LiveObjects<aclTensor>& tensors() {
  static auto& instance = *new LiveObjects<aclTensor>;
  return instance;
}
LiveObjects<aclScalar>& scalars() {
  static auto& instance = *new LiveObjects<aclScalar>;
  return instance;
}
LiveObjects<aclIntArray>& intArrays() {
  static auto& instance = *new LiveObjects<aclIntArray>;
  return instance;
}
LiveObjects<aclFloatArray>& floatArrays() {
  static auto& instance = *new LiveObjects<aclFloatArray>;
  return instance;
}
LiveObjects<aclBoolArray>& boolArrays() {
  static auto& instance = *new LiveObjects<aclBoolArray>;
  return instance;
}
LiveObjects<aclTensorList>& tensorLists() {
  static auto& instance = *new LiveObjects<aclTensorList>;
  return instance;
}

template <class T>
aclnnStatus checkLive(LiveObjects<T>& objects, const char* function, const char* name,
                      const T* object) {
  if (object == nullptr) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: %s is NULL", function, name);
  }
  return objects.contains(object)
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID, "%s: %s %p was destroyed or never created", function,
                    name, static_cast<const void*>(object));
}

template <class T>
aclnnStatus destroy(LiveObjects<T>& objects, const char* function, const T* object) {
  if (object == nullptr) {
    return ACLNN_SUCCESS;
  }
  return objects.destroy(object)
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID, "%s: %p was destroyed or never created", function,
                    static_cast<const void*>(object));
}

// What `create` returns; NULL with words when it throws.
template <class T, class Create>
T* created(const char* function, const Create& create) {
  T* object = nullptr;
  guarded<aclnnStatus>(ACLNN_ERR_INNER, function, [&] {
    object = create();
    return ACLNN_SUCCESS;
  });
  return object;
}

template <class T, class Value>
T* createList(LiveObjects<T>& objects, const char* function, const Value* value, uint64_t size) {
  if (value == nullptr && size > 0) {
    fail(ACLNN_ERR_PARAM_NULLPTR, "%s: value is NULL", function);
    return nullptr;
  }
  if (size > PTRDIFF_MAX / sizeof(Value)) {
    fail(ACLNN_ERR_PARAM_INVALID, "%s: size %llu is more than memory holds", function,
         static_cast<unsigned long long>(size));
    return nullptr;
  }
  return created<T>(function, [&] {
    auto list = std::make_unique<T>();
    list->values.assign(value, value + size);
    return objects.add(std::move(list));
  });
}

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

// Reads one value of a scalar's type; false if the type is none of numbers.
bool readScalar(const void* value, aclDataType dataType, aclScalar* scalar) {
  const auto read = [&](auto number) {
    std::memcpy(&number, value, sizeof(number));
    scalar->real = static_cast<double>(number);
    scalar->integer = static_cast<int64_t>(number);
    return true;
  };
  const auto readReal = [&](double real) {
    scalar->real = real;
    scalar->integer = real >= -0x1p63 && real < 0x1p63 ? static_cast<int64_t>(real) : 0;
    return true;
  };
  uint16_t bits = 0;
  float single = 0;
  double real = 0;
  switch (dataType) {
    case ACL_FLOAT:
      std::memcpy(&single, value, sizeof(single));
      return readReal(single);
    case ACL_DOUBLE:
      std::memcpy(&real, value, sizeof(real));
      return readReal(real);
    case ACL_FLOAT16:
      std::memcpy(&bits, value, sizeof(bits));
      return readReal(halfToFloat(bits));
    case ACL_BF16:
      std::memcpy(&bits, value, sizeof(bits));
      return readReal(bf16ToFloat(bits));
    case ACL_INT8:
      return read(int8_t{});
    case ACL_UINT8:
      return read(uint8_t{});
    case ACL_BOOL:
      return read(uint8_t{});
    case ACL_INT16:
      return read(int16_t{});
    case ACL_UINT16:
      return read(uint16_t{});
    case ACL_INT32:
      return read(int32_t{});
    case ACL_UINT32:
      return read(uint32_t{});
    case ACL_INT64:
      return read(int64_t{});
    case ACL_UINT64:
      return read(uint64_t{});
    default:
      return false;
  }
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

aclnnStatus checkTensor(const char* op, const char* name, const aclTensor* tensor) {
  return checkLive(tensors(), op, name, tensor);
}

aclnnStatus checkOptionalTensor(const char* op, const char* name, const aclTensor* tensor) {
  return tensor == nullptr ? ACLNN_SUCCESS : checkTensor(op, name, tensor);
}

aclnnStatus checkIntArray(const char* op, const char* name, const aclIntArray* array) {
  return checkLive(intArrays(), op, name, array);
}

aclnnStatus checkScalar(const char* op, const char* name, const aclScalar* scalar) {
  return checkLive(scalars(), op, name, scalar);
}

}  // namespace cann4j

extern "C" {

aclTensor* aclCreateTensor(const int64_t* viewDims, uint64_t viewDimsNum, aclDataType dataType,
                           const int64_t* stride, int64_t offset, aclFormat format,
                           const int64_t* storageDims, uint64_t storageDimsNum, void* tensorData) {
  return created<aclTensor>("aclCreateTensor", [&]() -> aclTensor* {
    auto tensor = std::make_unique<aclTensor>();
    return initTensor("aclCreateTensor", viewDims, viewDimsNum, dataType, stride, offset, format,
                      storageDims, storageDimsNum, tensorData, tensor.get())
               ? tensors().add(std::move(tensor))
               : nullptr;
  });
}

aclnnStatus aclInitTensor(aclTensor* tensor, const int64_t* viewDims, uint64_t viewDimsNum,
                          aclDataType dataType, const int64_t* stride, int64_t offset,
                          aclFormat format, const int64_t* storageDims, uint64_t storageDimsNum,
                          void* tensorDataAddr) {
  if (const aclnnStatus status = checkTensor("aclInitTensor", "tensor", tensor);
      status != ACLNN_SUCCESS) {
    return status;
  }
  aclTensor fields;
  if (!initTensor("aclInitTensor", viewDims, viewDimsNum, dataType, stride, offset, format,
                  storageDims, storageDimsNum, tensorDataAddr, &fields)) {
    return ACLNN_ERR_PARAM_INVALID;
  }
  *tensor = std::move(fields);
  return ACLNN_SUCCESS;
}

aclScalar* aclCreateScalar(void* value, aclDataType dataType) {
  if (value == nullptr) {
    fail(ACLNN_ERR_PARAM_NULLPTR, "aclCreateScalar: value is NULL");
    return nullptr;
  }
  auto scalar = std::make_unique<aclScalar>();
  scalar->dataType = dataType;
  if (!readScalar(value, dataType, scalar.get())) {
    fail(ACLNN_ERR_PARAM_INVALID, "aclCreateScalar: data type %d is not supported", dataType);
    return nullptr;
  }
  return scalars().add(std::move(scalar));
}

aclIntArray* aclCreateIntArray(const int64_t* value, uint64_t size) {
  return createList(intArrays(), "aclCreateIntArray", value, size);
}

aclFloatArray* aclCreateFloatArray(const float* value, uint64_t size) {
  return createList(floatArrays(), "aclCreateFloatArray", value, size);
}

aclBoolArray* aclCreateBoolArray(const bool* value, uint64_t size) {
  return createList(boolArrays(), "aclCreateBoolArray", value, size);
}

aclTensorList* aclCreateTensorList(const aclTensor* const* value, uint64_t size) {
  for (uint64_t i = 0; value != nullptr && i < size; ++i) {
    if (checkOptionalTensor("aclCreateTensorList", "tensor", value[i]) != ACLNN_SUCCESS) {
      return nullptr;
    }
  }
  return createList(tensorLists(), "aclCreateTensorList", value, size);
}

aclnnStatus aclDestroyTensor(const aclTensor* tensor) {
  return destroy(tensors(), "aclDestroyTensor", tensor);
}

aclnnStatus aclDestroyScalar(const aclScalar* scalar) {
  return destroy(scalars(), "aclDestroyScalar", scalar);
}

aclnnStatus aclDestroyIntArray(const aclIntArray* array) {
  return destroy(intArrays(), "aclDestroyIntArray", array);
}

aclnnStatus aclDestroyFloatArray(const aclFloatArray* array) {
  return destroy(floatArrays(), "aclDestroyFloatArray", array);
}

aclnnStatus aclDestroyBoolArray(const aclBoolArray* array) {
  return destroy(boolArrays(), "aclDestroyBoolArray", array);
}

aclnnStatus aclDestroyTensorList(const aclTensorList* array) {
  if (array == nullptr) {
    return ACLNN_SUCCESS;
  }
  if (const aclnnStatus status = checkLive(tensorLists(), "aclDestroyTensorList", "array", array);
      status != ACLNN_SUCCESS) {
    return status;
  }
  for (const aclTensor* tensor : array->values) {
    destroy(tensors(), "aclDestroyTensorList", tensor);
  }
  return destroy(tensorLists(), "aclDestroyTensorList", array);
}

static aclnnStatus copyOut(const char* function, const aclTensor* tensor,
                           std::vector<int64_t> aclTensor::*field, int64_t** values,
                           uint64_t* count) {
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

}  // extern "C"

namespace {

template <class T, class Result, class Read>
aclnnStatus query(LiveObjects<T>& objects, const char* function, const T* object, Result* result,
                  Read read) {
  if (const aclnnStatus status = checkLive(objects, function, "argument", object);
      status != ACLNN_SUCCESS) {
    return status;
  }
  if (result == nullptr) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: the result pointer is NULL", function);
  }
  *result = read(*object);
  return ACLNN_SUCCESS;
}

uint64_t sizeOf(const auto& array) { return array.values.size(); }

}  // namespace

extern "C" {

aclnnStatus aclGetViewOffset(const aclTensor* tensor, int64_t* offset) {
  return query(tensors(), "aclGetViewOffset", tensor, offset,
               [](const aclTensor& t) { return t.offset; });
}

aclnnStatus aclGetFormat(const aclTensor* tensor, aclFormat* format) {
  return query(tensors(), "aclGetFormat", tensor, format,
               [](const aclTensor& t) { return t.format; });
}

aclnnStatus aclGetDataType(const aclTensor* tensor, aclDataType* dataType) {
  return query(tensors(), "aclGetDataType", tensor, dataType,
               [](const aclTensor& t) { return t.dataType; });
}

aclnnStatus aclGetRawTensorAddr(const aclTensor* tensor, void** addr) {
  return query(tensors(), "aclGetRawTensorAddr", tensor, addr,
               [](const aclTensor& t) { return t.data; });
}

aclnnStatus aclSetRawTensorAddr(aclTensor* tensor, void* addr) {
  const aclnnStatus status = checkTensor("aclSetRawTensorAddr", "tensor", tensor);
  if (status == ACLNN_SUCCESS) {
    tensor->data = addr;
  }
  return status;
}

aclnnStatus aclGetIntArraySize(const aclIntArray* array, uint64_t* size) {
  return query(intArrays(), "aclGetIntArraySize", array, size,
               [](const aclIntArray& a) { return sizeOf(a); });
}

aclnnStatus aclGetFloatArraySize(const aclFloatArray* array, uint64_t* size) {
  return query(floatArrays(), "aclGetFloatArraySize", array, size,
               [](const aclFloatArray& a) { return sizeOf(a); });
}

aclnnStatus aclGetBoolArraySize(const aclBoolArray* array, uint64_t* size) {
  return query(boolArrays(), "aclGetBoolArraySize", array, size,
               [](const aclBoolArray& a) { return sizeOf(a); });
}

aclnnStatus aclGetTensorListSize(const aclTensorList* tensorList, uint64_t* size) {
  return query(tensorLists(), "aclGetTensorListSize", tensorList, size,
               [](const aclTensorList& a) { return sizeOf(a); });
}

}  // extern "C"
