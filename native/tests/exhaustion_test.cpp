// SPDX-License-Identifier: Apache-2.0
// Every allocation of a call fails once: a code comes back, never an exception or an end.
#include "aclnn/executor.hpp"

#include <cstdlib>
#include <new>
#include <utility>

#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_cast.h"
#include "aclnnop/aclnn_cat.h"
#include "aclnnop/aclnn_copy.h"
#include "aclnnop/aclnn_div.h"
#include "aclnnop/aclnn_exp.h"
#include "aclnnop/aclnn_fill_scalar.h"
#include "aclnnop/aclnn_gather.h"
#include "aclnnop/aclnn_index_add.h"
#include "aclnnop/aclnn_index_select.h"
#include "aclnnop/aclnn_log.h"
#include "aclnnop/aclnn_logsumexp.h"
#include "aclnnop/aclnn_maximum.h"
#include "aclnnop/aclnn_mul.h"
#include "aclnnop/aclnn_neg.h"
#include "aclnnop/aclnn_permute.h"
#include "aclnnop/aclnn_reduce_sum.h"
#include "aclnnop/aclnn_s_where.h"
#include "aclnnop/aclnn_slice.h"
#include "aclnnop/aclnn_softmax.h"
#include "aclnnop/aclnn_sub.h"
#include "aclnnop/aclnn_zero.h"
#include "device.hpp"

namespace {

constexpr int64_t kNever = -1;
// Allocations of this thread until one fails.
thread_local int64_t countdown = kNever;

}  // namespace

// Not inlined, or the compiler sees malloc and free and warns of a mismatch.
[[gnu::noinline]] void* operator new(size_t bytes) {
  if (countdown >= 0 && countdown-- == 0) {
    throw std::bad_alloc();
  }
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}
[[gnu::noinline]] void* operator new[](size_t bytes) { return operator new(bytes); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace {

// Lets the first, second, ... allocation of the call fail, until one that needs fewer succeeds.
// failed(result): whether it reported a failure.
template <class Call, class Failed>
void exhaust(const char* name, const Call& call, const Failed& failed) {
  int64_t failures = 0;
  for (int64_t allocation = 0;; ++allocation) {
    CHECK(allocation < 1000);
    aclGetRecentErrMsg();
    countdown = allocation;
    const auto result = call();
    const bool hit = countdown == kNever;
    countdown = kNever;
    if (!hit) {
      if (failed(result)) {
        check::failed(__FILE__, __LINE__, std::string(name) + " fails with memory");
      }
      break;
    }
    if (failed(result)) {
      ++failures;
      device::expectWords(__FILE__, __LINE__, "bad_alloc");
    }
  }
  if (failures == 0) {
    check::failed(__FILE__, __LINE__, std::string(name) + " never failed");
  }
}

template <class T>
void exhaustCreation(const char* name, const std::function<T*()>& create,
                     aclnnStatus (*destroy)(const T*)) {
  exhaust(name, create, [&](T* made) {
    const bool failed = made == nullptr;
    CHECK_OK(destroy(made));
    return failed;
  });
}

}  // namespace

TEST(creation) {
  const int64_t dims[] = {2, 3};
  const float reals[] = {1};
  const bool flags[] = {true};
  double value = 1;
  exhaustCreation<aclTensor>(
      "aclCreateTensor",
      [&] {
        return aclCreateTensor(dims, 2, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, dims, 2, nullptr);
      },
      aclDestroyTensor);
  exhaustCreation<aclScalar>(
      "aclCreateScalar", [&] { return aclCreateScalar(&value, ACL_DOUBLE); }, aclDestroyScalar);
  exhaustCreation<aclIntArray>(
      "aclCreateIntArray", [&] { return aclCreateIntArray(dims, 2); }, aclDestroyIntArray);
  exhaustCreation<aclFloatArray>(
      "aclCreateFloatArray", [&] { return aclCreateFloatArray(reals, 1); }, aclDestroyFloatArray);
  exhaustCreation<aclBoolArray>(
      "aclCreateBoolArray", [&] { return aclCreateBoolArray(flags, 1); }, aclDestroyBoolArray);
  const aclTensor* tensors[] = {nullptr};
  exhaustCreation<aclTensorList>(
      "aclCreateTensorList", [&] { return aclCreateTensorList(tensors, 1); }, aclDestroyTensorList);
  const aclScalar* scalars[] = {nullptr};
  exhaustCreation<aclScalarList>(
      "aclCreateScalarList", [&] { return aclCreateScalarList(scalars, 1); }, aclDestroyScalarList);
}

TEST(gettersAndInit) {
  const int64_t dims[] = {2, 3};
  device::Tensor tensor(nullptr, ACL_FLOAT, {2, 3});
  const auto failed = [](aclnnStatus status) {
    CHECK(status == ACLNN_SUCCESS || status == ACLNN_ERR_INNER);
    return status != ACLNN_SUCCESS;
  };
  exhaust(
      "aclInitTensor",
      [&] {
        return aclInitTensor(tensor, dims, 2, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, dims, 2,
                             nullptr);
      },
      failed);
  exhaust(
      "aclGetViewShape",
      [&] {
        int64_t* values = nullptr;
        uint64_t count = 0;
        const aclnnStatus status = aclGetViewShape(tensor, &values, &count);
        delete[] values;
        return status;
      },
      failed);
}

TEST(operators) {
  device::use();
  device::Buffer<float> memory(std::vector<float>(64, 1.0F));
  device::Tensor a(memory.address(), ACL_FLOAT, {2, 3});
  device::Tensor row(memory.address(), ACL_FLOAT, {3});
  device::Tensor other(memory.address(), ACL_FLOAT, {3, 2});
  device::Tensor half(memory.address(), ACL_FLOAT16, {2, 3});
  device::Tensor flags(memory.address(), ACL_BOOL, {2, 1});
  device::Buffer<int64_t> zeros(std::vector<int64_t>(6, 0));
  device::Tensor index(zeros.address(), ACL_INT64, {2});
  device::Tensor places(zeros.address(), ACL_INT64, {2, 3});
  const device::Scalar one(1.0);
  const int64_t order[] = {1, 0};
  aclIntArray* swap = aclCreateIntArray(order, 2);
  aclIntArray* first = aclCreateIntArray(order + 1, 1);
  const int64_t dims[] = {1, 3};
  const aclTensor* parts[2];
  for (auto& part : parts) {
    part =
        aclCreateTensor(dims, 2, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, dims, 2, memory.address());
  }
  aclTensorList* list = aclCreateTensorList(parts, 2);

  struct Operator {
    const char* name;
    std::function<aclnnStatus(uint64_t*, aclOpExecutor**)> prepare;
    device::Launch launch;
  };
#define OPERATOR(op, ...)                                           \
  {                                                                 \
    #op,                                                            \
        [&](uint64_t* size, aclOpExecutor** executor) {             \
          return op##GetWorkspaceSize(__VA_ARGS__, size, executor); \
        },                                                          \
        op                                                          \
  }
  const Operator operators[] = {
      OPERATOR(aclnnAdd, a, row, one, a),
      OPERATOR(aclnnAdds, a, one, one, a),
      OPERATOR(aclnnInplaceAdd, a, row, one),
      OPERATOR(aclnnInplaceAdds, a, one, one),
      OPERATOR(aclnnSub, a, row, one, a),
      OPERATOR(aclnnInplaceSub, a, row, one),
      OPERATOR(aclnnMul, a, row, a),
      OPERATOR(aclnnMuls, a, one, a),
      OPERATOR(aclnnInplaceMul, a, row),
      OPERATOR(aclnnInplaceMuls, a, one),
      OPERATOR(aclnnDiv, a, row, a),
      OPERATOR(aclnnInplaceDiv, a, row),
      OPERATOR(aclnnMaximum, a, row, a),
      OPERATOR(aclnnNeg, a, a),
      OPERATOR(aclnnExp, a, a),
      OPERATOR(aclnnInplaceExp, a),
      OPERATOR(aclnnLog, a, a),
      OPERATOR(aclnnCast, a, ACL_FLOAT16, half),
      OPERATOR(aclnnPermute, a, swap, other),
      OPERATOR(aclnnIndexSelect, a, 0, index, a),
      OPERATOR(aclnnIndexAdd, a, 0, index, a, one, a),
      OPERATOR(aclnnGather, a, 0, places, a),
      OPERATOR(aclnnInplaceCopy, a, half),
      OPERATOR(aclnnInplaceZero, a),
      OPERATOR(aclnnInplaceFillScalar, a, one),
      OPERATOR(aclnnCat, list, 0, a),
      OPERATOR(aclnnSlice, a, 0, 0, 2, 1, a),
      OPERATOR(aclnnSWhere, flags, a, row, a),
      OPERATOR(aclnnReduceSum, a, first, false, ACL_FLOAT, row),
      OPERATOR(aclnnLogSumExp, a, first, false, row),
      OPERATOR(aclnnSoftmax, a, 1, a),
  };
  const auto failed = [](aclnnStatus status) {
    CHECK(status == ACLNN_SUCCESS || status == ACLNN_ERR_INNER);
    return status != ACLNN_SUCCESS;
  };
  for (const Operator& o : operators) {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    exhaust(
        o.name,
        [&] {
          executor = nullptr;
          const aclnnStatus status = o.prepare(&size, &executor);
          CHECK_EQ(status == ACLNN_SUCCESS, executor != nullptr);
          if (executor != nullptr) {
            CHECK_OK(aclDestroyAclOpExecutor(executor));
          }
          return status;
        },
        failed);
    // Phase 2, whose failure consumes the executor too.
    exhaust(
        o.name,
        [&] {
          const int64_t left = std::exchange(countdown, kNever);
          CHECK_OK(o.prepare(&size, &executor));
          countdown = left;
          return o.launch(nullptr, 0, executor, nullptr);
        },
        failed);
    CHECK_OK(aclrtSynchronizeStream(nullptr));
  }
  CHECK_OK(aclDestroyIntArray(swap));
  CHECK_OK(aclDestroyIntArray(first));
  CHECK_OK(aclDestroyTensorList(list));
}
