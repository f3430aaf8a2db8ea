// SPDX-License-Identifier: Apache-2.0
// What happens to objects and memory between the phases, after them and after their end.
#include "aclnn/executor.hpp"

#include <atomic>
#include <cstdio>
#include <thread>

#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_cat.h"
#include "aclnnop/aclnn_exp.h"
#include "aclnnop/aclnn_permute.h"
#include "device.hpp"

namespace {

aclTensor* newTensor(void* address, int64_t size) {
  return aclCreateTensor(&size, 1, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, &size, 1, address);
}

aclOpExecutor* prepareExp(aclTensor* tensor) {
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_OK(aclnnInplaceExpGetWorkspaceSize(tensor, &size, &executor));
  return executor;
}

int64_t residentPages() {
  long long size = 0;
  long long resident = 0;
  FILE* file = std::fopen("/proc/self/statm", "r");
  CHECK(file != nullptr);
  CHECK_EQ(std::fscanf(file, "%lld %lld", &size, &resident), 2);
  std::fclose(file);
  return resident;
}

}  // namespace

TEST(destroyedHandlesAreNeverTakenForNewOnes) {
  device::use();
  device::Buffer<float> memory(std::vector<float>{0, 0});
  aclTensor* old = newTensor(memory.address(), 2);
  CHECK_OK(aclDestroyTensor(old));
  std::vector<aclTensor*> others;
  for (int i = 0; i < 5000; ++i) {
    others.push_back(newTensor(memory.address(), 2));
    CHECK(others.back() != old);
  }
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_FAILS(aclnnInplaceExpGetWorkspaceSize(old, &size, &executor), ACLNN_ERR_PARAM_INVALID,
              "destroyed");
  aclOpExecutor* used = prepareExp(others[0]);
  CHECK_OK(aclnnInplaceExp(nullptr, 0, used, nullptr));
  for (int i = 0; i < 5000; ++i) {
    aclOpExecutor* next = prepareExp(others[0]);
    CHECK(next != used);
    CHECK_OK(aclDestroyAclOpExecutor(next));
  }
  CHECK_FAILS(aclnnInplaceExp(nullptr, 0, used, nullptr), ACLNN_ERR_PARAM_INVALID, "used already");
  for (aclTensor* tensor : others) {
    CHECK_OK(aclDestroyTensor(tensor));
  }
  CHECK_OK(aclrtSynchronizeDevice());
}

TEST(objectsLeaveNoMemoryBehind) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  aclTensor* kept = newTensor(nullptr, 2);
  int64_t before = 0;
  for (int i = 0; i < 300000; ++i) {
    if (i == 50000) {
      before = residentPages();
    }
    CHECK_OK(aclDestroyTensor(newTensor(nullptr, 2)));
  }
  CHECK(residentPages() - before < 512);
  CHECK_OK(aclDestroyTensor(kept));
#endif
}

TEST(destroyingNothingIsFine) {
  CHECK_OK(aclDestroyTensor(nullptr));
  CHECK_OK(aclDestroyScalar(nullptr));
  CHECK_OK(aclDestroyIntArray(nullptr));
  CHECK_OK(aclDestroyFloatArray(nullptr));
  CHECK_OK(aclDestroyBoolArray(nullptr));
  CHECK_OK(aclDestroyTensorList(nullptr));
  CHECK_OK(aclDestroyScalarList(nullptr));
  CHECK_FAILS(aclDestroyAclOpExecutor(nullptr), ACLNN_ERR_INNER_NULLPTR, "NULL");
}

TEST(tensorsMustLiveUntilPhaseTwo) {
  device::use();
  device::Buffer<float> memory(std::vector<float>{0, 0});
  aclTensor* tensor = newTensor(memory.address(), 2);
  aclOpExecutor* executor = prepareExp(tensor);
  CHECK_OK(aclDestroyTensor(tensor));
  CHECK_FAILS(aclnnInplaceExp(nullptr, 0, executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "of selfRef was destroyed between the two phases");
  CHECK_FAILS(aclnnInplaceExp(nullptr, 0, executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "used already");
  CHECK_EQ(memory.read()[0], 0.0F);
}

TEST(rawAddressesMustNotChangeBetweenThePhases) {
  device::use();
  device::Buffer<float> memory(std::vector<float>{0, 0});
  device::Buffer<float> other(std::vector<float>{0, 0});
  device::Tensor tensor(memory.address(), ACL_FLOAT, {2});
  aclOpExecutor* executor = prepareExp(tensor);
  CHECK_OK(aclSetRawTensorAddr(tensor, other.address()));
  CHECK_FAILS(aclnnInplaceExp(nullptr, 0, executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "aclSetRawTensorAddr or aclInitTensor changed the tensor");
  executor = prepareExp(tensor);
  const int64_t dims[] = {1};
  CHECK_OK(aclInitTensor(tensor, dims, 1, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, dims, 1,
                         other.address()));
  CHECK_FAILS(aclnnInplaceExp(nullptr, 0, executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "aclInitTensor");
  // The address that it had already changes nothing.
  executor = prepareExp(tensor);
  CHECK_OK(aclSetRawTensorAddr(tensor, other.address()));
  CHECK_OK(aclnnInplaceExp(nullptr, 0, executor, nullptr));
  CHECK_OK(aclrtSynchronizeDevice());
  CHECK(memory.read() == (std::vector<float>{0, 0}));
  CHECK(other.read() == (std::vector<float>{1, 0}));
  CHECK_FAILS(aclSetRawTensorAddr(nullptr, nullptr), ACLNN_ERR_PARAM_NULLPTR, "NULL");
}

TEST(memoryFreedBeforeTheOperatorRunsIsAnErrorOfTheStream) {
  device::use();
  device::Buffer<float> memory(std::vector<float>{1, 2});
  void* freed = nullptr;
  CHECK_OK(aclrtMalloc(&freed, 8, ACL_MEM_MALLOC_HUGE_FIRST));
  device::Tensor self(memory.address(), ACL_FLOAT, {2});
  device::Tensor other(freed, ACL_FLOAT, {2});
  const device::Scalar one(1.0);
  device::Stream stream;
  device::Gate gate;
  gate.hold(stream);
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_OK(aclnnInplaceAddGetWorkspaceSize(self, other, one, &size, &executor));
  CHECK_OK(aclnnInplaceAdd(nullptr, 0, executor, stream));
  CHECK_OK(aclrtFree(freed));
  gate.open();
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_AICORE_EXCEPTION,
              "aclnnInplaceAdd: other, 8 bytes from ");
  CHECK(memory.read() == (std::vector<float>{1, 2}));
}

// A later allocation at the same address is another piece of memory.
TEST(memoryFreedAndGivenOutAgainIsNotTakenForTheSame) {
  device::use();
  void* freed = nullptr;
  CHECK_OK(aclrtMalloc(&freed, 4096, ACL_MEM_MALLOC_HUGE_FIRST));
  device::Tensor self(freed, ACL_FLOAT, {2});
  device::Stream stream;
  device::Gate gate;
  gate.hold(stream);
  CHECK_OK(aclnnInplaceExp(nullptr, 0, prepareExp(self), stream));
  CHECK_OK(aclrtFree(freed));
  void* again = nullptr;
  CHECK_OK(aclrtMalloc(&again, 4096, ACL_MEM_MALLOC_HUGE_FIRST));
  CHECK_EQ(again, freed);
  gate.open();
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_AICORE_EXCEPTION,
              "was freed before the operator ran");
  CHECK_OK(aclrtFree(again));
}

TEST(freedWorkspacesAreErrorsOfTheStreamToo) {
  device::use();
  void* workspace = nullptr;
  CHECK_OK(aclrtMalloc(&workspace, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  bool ran = false;
  const auto make = [&] {
    CHECK_OK(cann4j::makeExecutor(
        "op", 64, {},
        [&ran](const cann4j::Binding&) {
          ran = true;
          return ACL_SUCCESS;
        },
        &size, &executor));
  };
  device::Stream stream;
  device::Gate gate;
  gate.hold(stream);
  make();
  CHECK_OK(cann4j::launch("op", workspace, 64, executor, stream));
  CHECK_OK(aclrtFree(workspace));
  gate.open();
  CHECK_FAILS(aclrtSynchronizeStream(stream), ACL_ERROR_RT_AICORE_EXCEPTION,
              "op: workspace, 64 bytes");
  CHECK(!ran);
  make();
  CHECK_FAILS(cann4j::launch("op", workspace, 64, executor, stream), ACLNN_ERR_PARAM_INVALID,
              "live allocation");
}

TEST(whatOneThreadDestroysAnotherMayBeReading) {
  device::use();
  device::Buffer<float> memory(std::vector<float>{0, 0});
  std::atomic<aclTensor*> shared{newTensor(memory.address(), 2)};
  std::atomic<bool> over{false};
  std::atomic<int> prepared{0};
  std::atomic<int> refused{0};
  std::thread reader([&] {
    device::use();
    while (!over || refused == 0) {
      uint64_t size = 0;
      aclOpExecutor* executor = nullptr;
      const aclnnStatus status = aclnnInplaceExpGetWorkspaceSize(shared, &size, &executor);
      prepared += status == ACLNN_SUCCESS ? 1 : 0;
      refused += status == ACLNN_ERR_PARAM_INVALID ? 1 : 0;
      if (status == ACLNN_SUCCESS) {
        aclDestroyAclOpExecutor(executor);
      }
      int64_t* dims = nullptr;
      uint64_t count = 0;
      if (aclGetViewShape(shared, &dims, &count) == ACLNN_SUCCESS) {
        delete[] dims;
      }
    }
  });
  for (int i = 0; i < 2000 || prepared == 0; ++i) {
    aclTensor* old = shared;
    if (i % 2 == 0) {
      shared = newTensor(memory.address(), 2);
    }
    CHECK_OK(aclDestroyTensor(old));
    if (i % 2 != 0) {
      shared = newTensor(memory.address(), 2);
    }
  }
  CHECK_OK(aclDestroyTensor(shared));
  over = true;
  reader.join();
  CHECK(prepared > 0);
  CHECK(refused > 0);
}

TEST(listsDestroyWhatTheyOwn) {
  device::use();
  device::Buffer<float> memory(std::vector<float>{1, 2, 3, 4});
  const aclTensor* parts[] = {newTensor(memory.address(), 1), newTensor(memory.address(), 1)};
  aclTensorList* list = aclCreateTensorList(parts, 2);
  device::Tensor out(memory.address(), ACL_FLOAT, {2}, {1}, 2);
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_OK(aclnnCatGetWorkspaceSize(list, 0, out, &size, &executor));
  CHECK_OK(aclDestroyTensor(parts[1]));
  CHECK_FAILS(aclnnCat(nullptr, 0, executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "of tensors was destroyed between");
  CHECK_FAILS(aclnnCatGetWorkspaceSize(list, 0, out, &size, &executor), ACLNN_ERR_PARAM_INVALID,
              "element 1 of tensors");
  CHECK_FAILS(aclDestroyTensorList(list), ACLNN_ERR_PARAM_INVALID,
              "a list owns its elements");
  CHECK_FAILS(aclDestroyTensor(parts[0]), ACLNN_ERR_PARAM_INVALID, "destroyed");
  CHECK_FAILS(aclnnCatGetWorkspaceSize(list, 0, out, &size, &executor), ACLNN_ERR_PARAM_INVALID,
              "tensors");
}

TEST(listsOfScalarsDestroyThemToo) {
  double value = 2;
  const aclScalar* scalars[] = {aclCreateScalar(&value, ACL_DOUBLE),
                                aclCreateScalar(&value, ACL_DOUBLE)};
  aclScalarList* list = aclCreateScalarList(scalars, 2);
  CHECK(list != nullptr);
  uint64_t size = 0;
  CHECK_OK(aclGetScalarListSize(list, &size));
  CHECK_EQ(size, uint64_t{2});
  CHECK_FAILS(aclGetScalarListSize(list, nullptr), ACLNN_ERR_PARAM_NULLPTR, "NULL");
  CHECK_OK(aclDestroyScalarList(list));
  CHECK_FAILS(aclDestroyScalar(scalars[0]), ACLNN_ERR_PARAM_INVALID, "destroyed");
  CHECK_FAILS(aclGetScalarListSize(list, &size), ACLNN_ERR_PARAM_INVALID, "destroyed");
  aclGetRecentErrMsg();
  CHECK(aclCreateScalarList(scalars, 2) == nullptr);
  device::expectWords(__FILE__, __LINE__, "an element");
  CHECK(aclCreateScalarList(nullptr, 2) == nullptr);
  device::expectWords(__FILE__, __LINE__, "value is NULL, size is 2");
}

TEST(destroyedScalarsAndArraysAreRefused) {
  device::use();
  device::Buffer<float> memory(std::vector<float>{1, 2});
  device::Tensor tensor(memory.address(), ACL_FLOAT, {2});
  double value = 2;
  aclScalar* scalar = aclCreateScalar(&value, ACL_DOUBLE);
  CHECK_OK(aclDestroyScalar(scalar));
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_FAILS(aclnnInplaceAddsGetWorkspaceSize(tensor, scalar, scalar, &size, &executor),
              ACLNN_ERR_PARAM_INVALID, "other");
  const int64_t dims[] = {0};
  aclIntArray* array = aclCreateIntArray(dims, 1);
  CHECK_OK(aclDestroyIntArray(array));
  CHECK_FAILS(aclnnPermuteGetWorkspaceSize(tensor, array, tensor, &size, &executor),
              ACLNN_ERR_PARAM_INVALID, "dims");
}

TEST(scalarsAndArraysMayGoBetweenThePhases) {
  device::use();
  device::Buffer<float> memory(std::vector<float>{1, 2});
  device::Tensor tensor(memory.address(), ACL_FLOAT, {2});
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  {
    const device::Scalar three(3.0);
    CHECK_OK(aclnnInplaceAddsGetWorkspaceSize(tensor, three, three, &size, &executor));
  }
  CHECK_OK(aclnnInplaceAdds(nullptr, 0, executor, nullptr));
  CHECK_OK(aclrtSynchronizeDevice());
  CHECK(memory.read() == (std::vector<float>{10, 11}));
}
