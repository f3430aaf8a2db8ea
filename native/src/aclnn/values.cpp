// SPDX-License-Identifier: Apache-2.0
// Scalars, arrays and lists.
#include <cstring>
#include <utility>

#include "objects.hpp"
#include "runtime/half.hpp"
#include "runtime/host_memory.hpp"

using namespace cann4j;

namespace cann4j {
namespace {

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

bool isOnHost(const char* function, const void* value) {
  return checkOnHost<aclnnStatus>(ACLNN_ERR_PARAM_INVALID, function, "value", value) ==
         ACLNN_SUCCESS;
}

template <class T, class Value>
T* createArray(const char* function, const Value* value, uint64_t size) {
  if (value == nullptr && size > 0) {
    fail(ACLNN_ERR_PARAM_NULLPTR, "%s: value is NULL, size is %llu", function,
         static_cast<unsigned long long>(size));
    return nullptr;
  }
  if (size > PTRDIFF_MAX / sizeof(Value)) {
    fail(ACLNN_ERR_PARAM_INVALID, "%s: size %llu is more than memory holds", function,
         static_cast<unsigned long long>(size));
    return nullptr;
  }
  if (!isOnHost(function, value)) {
    return nullptr;
  }
  return created<T>(function, [&] {
    T array;
    array.values.assign(value, value + size);
    return live<T>().add(std::move(array));
  });
}

// NULL elements are kept: an operator refuses them.
template <class T, class Element>
T* createList(const char* function, const Element* const* value, uint64_t size) {
  if (!isOnHost(function, value)) {
    return nullptr;
  }
  for (uint64_t i = 0; value != nullptr && i < size; ++i) {
    if (value[i] != nullptr && checkLive(function, "an element", value[i]) != ACLNN_SUCCESS) {
      return nullptr;
    }
  }
  return createArray<T>(function, value, size);
}

template <class T>
aclnnStatus destroyList(const char* function, const T* list) {
  if (list == nullptr) {
    return ACLNN_SUCCESS;
  }
  const auto taken = [&] {
    std::lock_guard nobodyReads(reading());
    return live<T>().take(list);
  }();
  if (!taken) {
    return checkLive(function, "the list", list);
  }
  aclnnStatus result = ACLNN_SUCCESS;
  for (size_t i = 0; i < taken->values.size(); ++i) {
    if (destroy(function, taken->values[i]) != ACLNN_SUCCESS) {
      result = fail(ACLNN_ERR_PARAM_INVALID,
                    "%s: element %zu of the list %p was destroyed already; a list owns its "
                    "elements",
                    function, i, static_cast<const void*>(list));
    }
  }
  return result;
}

template <class T>
aclnnStatus sizeOf(const char* function, const T* array, uint64_t* size) {
  return query(function, array, size, [](const T& a) { return uint64_t{a.values.size()}; });
}

}  // namespace

aclnnStatus checkIntArray(const char* op, const char* name, const aclIntArray* array) {
  return checkLive(op, name, array);
}

aclnnStatus checkScalar(const char* op, const char* name, const aclScalar* scalar) {
  return checkLive(op, name, scalar);
}

aclnnStatus checkTensorList(const char* op, const char* name, const aclTensorList* list) {
  if (const aclnnStatus status = checkLive(op, name, list); status != ACLNN_SUCCESS) {
    return status;
  }
  for (size_t i = 0; i < list->values.size(); ++i) {
    if (const aclnnStatus status = checkTensor(op, name, list->values[i]);
        status != ACLNN_SUCCESS) {
      return fail(status, "%s: element %zu of %s is no tensor", op, i, name);
    }
  }
  return ACLNN_SUCCESS;
}

}  // namespace cann4j

extern "C" {

aclScalar* aclCreateScalar(void* value, aclDataType dataType) {
  if (value == nullptr) {
    fail(ACLNN_ERR_PARAM_NULLPTR, "aclCreateScalar: value is NULL");
    return nullptr;
  }
  if (!isOnHost("aclCreateScalar", value)) {
    return nullptr;
  }
  return created<aclScalar>("aclCreateScalar", [&]() -> aclScalar* {
    aclScalar scalar;
    scalar.dataType = dataType;
    if (!readScalar(value, dataType, &scalar)) {
      fail(ACLNN_ERR_PARAM_INVALID, "aclCreateScalar: data type %d is not supported", dataType);
      return nullptr;
    }
    return live<aclScalar>().add(scalar);
  });
}

aclIntArray* aclCreateIntArray(const int64_t* value, uint64_t size) {
  return createArray<aclIntArray>("aclCreateIntArray", value, size);
}

aclFloatArray* aclCreateFloatArray(const float* value, uint64_t size) {
  return createArray<aclFloatArray>("aclCreateFloatArray", value, size);
}

aclBoolArray* aclCreateBoolArray(const bool* value, uint64_t size) {
  return createArray<aclBoolArray>("aclCreateBoolArray", value, size);
}

aclTensorList* aclCreateTensorList(const aclTensor* const* value, uint64_t size) {
  return createList<aclTensorList>("aclCreateTensorList", value, size);
}

aclScalarList* aclCreateScalarList(const aclScalar* const* value, uint64_t size) {
  return createList<aclScalarList>("aclCreateScalarList", value, size);
}

aclnnStatus aclDestroyScalar(const aclScalar* scalar) {
  return destroy("aclDestroyScalar", scalar);
}

aclnnStatus aclDestroyIntArray(const aclIntArray* array) {
  return destroy("aclDestroyIntArray", array);
}

aclnnStatus aclDestroyFloatArray(const aclFloatArray* array) {
  return destroy("aclDestroyFloatArray", array);
}

aclnnStatus aclDestroyBoolArray(const aclBoolArray* array) {
  return destroy("aclDestroyBoolArray", array);
}

aclnnStatus aclDestroyTensorList(const aclTensorList* array) {
  return destroyList("aclDestroyTensorList", array);
}

aclnnStatus aclDestroyScalarList(const aclScalarList* array) {
  return destroyList("aclDestroyScalarList", array);
}

aclnnStatus aclGetIntArraySize(const aclIntArray* array, uint64_t* size) {
  return sizeOf("aclGetIntArraySize", array, size);
}

aclnnStatus aclGetFloatArraySize(const aclFloatArray* array, uint64_t* size) {
  return sizeOf("aclGetFloatArraySize", array, size);
}

aclnnStatus aclGetBoolArraySize(const aclBoolArray* array, uint64_t* size) {
  return sizeOf("aclGetBoolArraySize", array, size);
}

aclnnStatus aclGetTensorListSize(const aclTensorList* tensorList, uint64_t* size) {
  return sizeOf("aclGetTensorListSize", tensorList, size);
}

aclnnStatus aclGetScalarListSize(const aclScalarList* scalarList, uint64_t* size) {
  return sizeOf("aclGetScalarListSize", scalarList, size);
}

}  // extern "C"
