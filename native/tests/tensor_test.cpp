// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "device.hpp"

namespace {

std::vector<int64_t> shapeOf(aclnnStatus (*query)(const aclTensor*, int64_t**, uint64_t*),
                             const aclTensor* tensor) {
  int64_t* values = nullptr;
  uint64_t count = 99;
  CHECK_OK(query(tensor, &values, &count));
  std::unique_ptr<int64_t[]> owner(values);
  return {values, values + count};
}

}  // namespace

TEST(tensorsKeepWhatTheyWereMadeOf) {
  int64_t dims[] = {2, 3, 4};
  int64_t storage[] = {24};
  int marker = 0;
  aclTensor* tensor = aclCreateTensor(dims, 3, ACL_BF16, nullptr, 5, ACL_FORMAT_NCL, storage, 1,
                                      &marker);
  CHECK(tensor != nullptr);
  dims[0] = 77;
  CHECK(shapeOf(aclGetViewShape, tensor) == (std::vector<int64_t>{2, 3, 4}));
  CHECK(shapeOf(aclGetViewStrides, tensor) == (std::vector<int64_t>{12, 4, 1}));
  CHECK(shapeOf(aclGetStorageShape, tensor) == (std::vector<int64_t>{24}));
  int64_t offset = 0;
  CHECK_OK(aclGetViewOffset(tensor, &offset));
  CHECK_EQ(offset, int64_t{5});
  aclFormat format = ACL_FORMAT_UNDEFINED;
  CHECK_OK(aclGetFormat(tensor, &format));
  CHECK_EQ(format, ACL_FORMAT_NCL);
  aclDataType type = ACL_DT_UNDEFINED;
  CHECK_OK(aclGetDataType(tensor, &type));
  CHECK_EQ(type, ACL_BF16);
  void* address = nullptr;
  CHECK_OK(aclGetRawTensorAddr(tensor, &address));
  CHECK_EQ(address, static_cast<void*>(&marker));
  CHECK_OK(aclSetRawTensorAddr(tensor, &offset));
  CHECK_OK(aclGetRawTensorAddr(tensor, &address));
  CHECK_EQ(address, static_cast<void*>(&offset));
  const int64_t other[] = {7};
  const int64_t strides[] = {3};
  CHECK_OK(aclInitTensor(tensor, other, 1, ACL_INT8, strides, 0, ACL_FORMAT_ND, other, 1, nullptr));
  CHECK(shapeOf(aclGetViewStrides, tensor) == (std::vector<int64_t>{3}));
  CHECK_OK(aclDestroyTensor(tensor));
  CHECK_FAILS(aclDestroyTensor(tensor), ACLNN_ERR_PARAM_INVALID, "destroyed");
  CHECK_FAILS(aclGetDataType(tensor, &type), ACLNN_ERR_PARAM_INVALID, "destroyed");
  CHECK_FAILS(aclGetDataType(nullptr, &type), ACLNN_ERR_PARAM_NULLPTR, "NULL");
  CHECK_OK(aclDestroyTensor(nullptr));
}

TEST(badTensorsAreNull) {
  const int64_t dims[] = {2, 3};
  const int64_t negative[] = {2, -3};
  const int64_t huge[] = {int64_t{1} << 40, int64_t{1} << 40};
  const auto make = [](const int64_t* view, uint64_t n, aclDataType type, int64_t offset) {
    aclGetRecentErrMsg();
    return aclCreateTensor(view, n, type, nullptr, offset, ACL_FORMAT_ND, view, n, nullptr);
  };
  CHECK(make(nullptr, 2, ACL_FLOAT, 0) == nullptr);
  device::expectWords(__FILE__, __LINE__, "NULL");
  CHECK(make(negative, 2, ACL_FLOAT, 0) == nullptr);
  device::expectWords(__FILE__, __LINE__, "[2, -3]");
  CHECK(make(huge, 2, ACL_FLOAT, 0) == nullptr);
  device::expectWords(__FILE__, __LINE__, "impossible");
  const int64_t nothing[] = {0, int64_t{1} << 40, int64_t{1} << 40};  // strides that overflow, of no elements
  aclTensor* none = make(nothing, 3, ACL_FLOAT, 0);
  CHECK(none != nullptr);
  CHECK_OK(aclDestroyTensor(none));
  CHECK(make(dims, 2, ACL_STRING, 0) == nullptr);
  device::expectWords(__FILE__, __LINE__, "data type 13");
  CHECK(make(dims, 2, ACL_FLOAT, -1) == nullptr);
  device::expectWords(__FILE__, __LINE__, "offset");
  aclTensor* scalar = make(nullptr, 0, ACL_FLOAT, 0);
  CHECK(scalar != nullptr);
  CHECK_OK(aclDestroyTensor(scalar));
}

TEST(arraysCopyTheirValues) {
  int64_t integers[] = {1, 2, 3};
  aclIntArray* ints = aclCreateIntArray(integers, 3);
  const float reals[] = {1, 2};
  aclFloatArray* floats = aclCreateFloatArray(reals, 2);
  const bool flags[] = {true};
  aclBoolArray* bools = aclCreateBoolArray(flags, 1);
  uint64_t size = 0;
  CHECK_OK(aclGetIntArraySize(ints, &size));
  CHECK_EQ(size, uint64_t{3});
  CHECK_OK(aclGetFloatArraySize(floats, &size));
  CHECK_EQ(size, uint64_t{2});
  CHECK_OK(aclGetBoolArraySize(bools, &size));
  CHECK_EQ(size, uint64_t{1});
  CHECK_OK(aclDestroyIntArray(ints));
  CHECK_OK(aclDestroyFloatArray(floats));
  CHECK_OK(aclDestroyBoolArray(bools));
  CHECK_FAILS(aclDestroyIntArray(ints), ACLNN_ERR_PARAM_INVALID, "destroyed");
  CHECK(aclCreateIntArray(nullptr, 2) == nullptr);
  aclIntArray* empty = aclCreateIntArray(nullptr, 0);
  CHECK(empty != nullptr);
  CHECK_OK(aclDestroyIntArray(empty));
}

TEST(listsThatNoMemoryHoldsAreNull) {
  const int64_t value = 0;
  aclGetRecentErrMsg();
  for (const uint64_t size : {uint64_t{1} << 61, uint64_t{1} << 62, UINT64_MAX}) {
    CHECK(aclCreateIntArray(&value, size) == nullptr);
    device::expectWords(__FILE__, __LINE__, "more than memory holds");
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Sanitizers end the process where an allocation throws.
  CHECK(aclCreateIntArray(&value, uint64_t{1} << 58) == nullptr);
  device::expectWords(__FILE__, __LINE__, "bad_alloc");
#endif
}

TEST(listsOwnTheirTensors) {
  const int64_t dims[] = {2};
  const aclTensor* tensors[2];
  for (auto& tensor : tensors) {
    tensor = aclCreateTensor(dims, 1, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, dims, 1, nullptr);
  }
  aclTensorList* list = aclCreateTensorList(tensors, 2);
  CHECK(list != nullptr);
  uint64_t size = 0;
  CHECK_OK(aclGetTensorListSize(list, &size));
  CHECK_EQ(size, uint64_t{2});
  CHECK_OK(aclDestroyTensorList(list));
  CHECK_FAILS(aclDestroyTensor(tensors[0]), ACLNN_ERR_PARAM_INVALID, "destroyed");
  CHECK_FAILS(aclDestroyTensorList(list), ACLNN_ERR_PARAM_INVALID, "destroyed");
}

TEST(scalars) {
  CHECK(aclCreateScalar(nullptr, ACL_FLOAT) == nullptr);
  float value = 1;
  CHECK(aclCreateScalar(&value, ACL_STRING) == nullptr);
  aclScalar* scalar = aclCreateScalar(&value, ACL_FLOAT);
  CHECK_OK(aclDestroyScalar(scalar));
  CHECK_FAILS(aclDestroyScalar(scalar), ACLNN_ERR_PARAM_INVALID, "destroyed");
}
