// SPDX-License-Identifier: Apache-2.0
#include "aclnn/executor.hpp"

#include <cstdlib>

#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_mul.h"
#include "aclnnop/aclnn_zero.h"
#include "device.hpp"

namespace {

struct Prepared {
  uint64_t size = 77;
  aclOpExecutor* executor = nullptr;
};

Prepared prepareAdd(aclTensor* self, aclTensor* other) {
  const device::Scalar one(1.0);
  Prepared p;
  CHECK_OK(aclnnInplaceAddGetWorkspaceSize(self, other, one, &p.size, &p.executor));
  CHECK_EQ(p.size, uint64_t{0});
  return p;
}

}  // namespace

TEST(executorsRunOnce) {
  device::use();
  device::Buffer<float> a(std::vector<float>{1, 2});
  device::Buffer<float> b(std::vector<float>{10, 20});
  device::Tensor self(a.address(), ACL_FLOAT, {2});
  device::Tensor other(b.address(), ACL_FLOAT, {2});
  const Prepared p = prepareAdd(self, other);
  CHECK_OK(aclnnInplaceAdd(nullptr, 0, p.executor, nullptr));
  CHECK_FAILS(aclnnInplaceAdd(nullptr, 0, p.executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "used already");
  CHECK_FAILS(aclnnInplaceAdd(nullptr, 0, nullptr, nullptr), ACLNN_ERR_PARAM_NULLPTR, "executor");
  CHECK_OK(aclrtSynchronizeStream(nullptr));
  CHECK(a.read() == (std::vector<float>{11, 22}));
}

TEST(objectsMayGoAfterPhaseTwo) {
  device::use();
  device::Buffer<float> a(std::vector<float>{1, 2});
  device::Stream stream;
  device::Gate gate;
  gate.hold(stream);
  {
    device::Tensor self(a.address(), ACL_FLOAT, {2});
    const Prepared p = prepareAdd(self, self);
    CHECK_OK(aclnnInplaceAdd(nullptr, 0, p.executor, stream));
  }
  gate.open();
  stream.synchronize();
  CHECK(a.read() == (std::vector<float>{2, 4}));
}

TEST(repeatableExecutorsRunAgain) {
  device::use();
  device::Buffer<float> a(std::vector<float>{1});
  device::Tensor self(a.address(), ACL_FLOAT, {1});
  const Prepared p = prepareAdd(self, self);
  CHECK_OK(aclSetAclOpExecutorRepeatable(p.executor));
  for (int i = 0; i < 5; ++i) {
    CHECK_OK(aclnnInplaceAdd(nullptr, 0, p.executor, nullptr));
  }
  CHECK_OK(aclrtSynchronizeStream(nullptr));
  CHECK_OK(aclDestroyAclOpExecutor(p.executor));
  CHECK_EQ(a.read()[0], 32.0F);
  CHECK_FAILS(aclDestroyAclOpExecutor(p.executor), ACLNN_ERR_PARAM_INVALID, "used already");
  CHECK_FAILS(aclSetAclOpExecutorRepeatable(nullptr), ACLNN_ERR_INNER_NULLPTR, "NULL");
}

TEST(phaseTwoChecksTheMemory) {
  device::use(0);
  device::Buffer<float> a(std::vector<float>{1, 2});
  std::vector<float> host{1, 2};
  device::Tensor good(a.address(), ACL_FLOAT, {2});
  const auto expect = [&](aclTensor* self, aclTensor* other, const char* words) {
    const Prepared p = prepareAdd(self, other);
    CHECK_FAILS(aclnnInplaceAdd(nullptr, 0, p.executor, nullptr), ACLNN_ERR_PARAM_INVALID, words);
    // A failed call consumes its executor too.
    CHECK_FAILS(aclnnInplaceAdd(nullptr, 0, p.executor, nullptr), ACLNN_ERR_PARAM_INVALID,
                "used already");
  };
  device::Tensor onHost(host.data(), ACL_FLOAT, {2});
  expect(good, onHost, "not device memory");
  device::Tensor without(nullptr, ACL_FLOAT, {2});
  expect(without, good, "not device memory");
  device::Tensor tooLong(a.address(), ACL_FLOAT, {1000});
  expect(tooLong, tooLong, "live allocation");
  device::Tensor absurd(a.address(), ACL_FLOAT, {2, 3}, {INT64_MAX / 2, INT64_MAX / 2}, 0);
  expect(absurd, absurd, "live allocation");
  void* freed = nullptr;
  CHECK_OK(aclrtMalloc(&freed, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  CHECK_OK(aclrtFree(freed));
  device::Tensor dangling(freed, ACL_FLOAT, {2});
  expect(good, dangling, "live allocation");
  device::use(1);
  device::Buffer<float> b(std::vector<float>{1, 2});
  device::Tensor elsewhere(b.address(), ACL_FLOAT, {2});
  device::use(0);
  expect(good, elsewhere, "device 1");
}

TEST(phaseOneChecksItsPointers) {
  device::use();
  device::Buffer<float> a(std::vector<float>{1, 2});
  device::Tensor tensor(a.address(), ACL_FLOAT, {2});
  const device::Scalar one(1.0);
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_FAILS(aclnnInplaceAddGetWorkspaceSize(nullptr, tensor, one, &size, &executor),
              ACLNN_ERR_PARAM_NULLPTR, "selfRef is NULL");
  CHECK_FAILS(aclnnInplaceAddGetWorkspaceSize(tensor, tensor, nullptr, &size, &executor),
              ACLNN_ERR_PARAM_NULLPTR, "alpha");
  CHECK_FAILS(aclnnInplaceAddGetWorkspaceSize(tensor, tensor, one, nullptr, &executor),
              ACLNN_ERR_PARAM_NULLPTR, "workspaceSize");
  CHECK_FAILS(aclnnInplaceAddGetWorkspaceSize(tensor, tensor, one, &size, nullptr),
              ACLNN_ERR_PARAM_NULLPTR, "executor");
  const auto* bogus = reinterpret_cast<const aclTensor*>(&size);
  CHECK_FAILS(aclnnInplaceAddGetWorkspaceSize(tensor, bogus, one, &size, &executor),
              ACLNN_ERR_PARAM_INVALID, "never created");
}

TEST(executorsOfAnotherOperatorAreRefused) {
  device::use();
  device::Buffer<float> a(std::vector<float>{1});
  device::Tensor tensor(a.address(), ACL_FLOAT, {1});
  Prepared p;
  CHECK_OK(aclnnInplaceZeroGetWorkspaceSize(tensor, &p.size, &p.executor));
  CHECK_FAILS(aclnnInplaceAdd(nullptr, 0, p.executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "aclnnInplaceZero");
  CHECK_OK(aclrtSynchronizeDevice());
  CHECK_EQ(a.read()[0], 1.0F);
}

TEST(workspaces) {
  device::use();
  device::Buffer<uint8_t> workspace(256);
  uint8_t* seen = nullptr;
  const auto make = [&] {
    Prepared p;
    CHECK_OK(cann4j::makeExecutor(
        "op", 256, {},
        [&seen](const cann4j::Binding& memory) {
          seen = static_cast<uint8_t*>(memory.workspace());
          seen[255] = 9;
          return ACL_SUCCESS;
        },
        &p.size, &p.executor));
    CHECK_EQ(p.size, uint64_t{256});
    return p.executor;
  };
  CHECK_FAILS(cann4j::launch("op", nullptr, 256, make(), nullptr), ACLNN_ERR_PARAM_NULLPTR,
              "workspace");
  CHECK_FAILS(cann4j::launch("op", workspace.address(), 255, make(), nullptr),
              ACLNN_ERR_PARAM_INVALID, "255 bytes, 256 are needed");
  uint8_t host[256];
  CHECK_FAILS(cann4j::launch("op", host, 256, make(), nullptr), ACLNN_ERR_PARAM_INVALID,
              "not device memory");
  CHECK_OK(cann4j::launch("op", workspace.address(), 256, make(), nullptr));
  CHECK_OK(aclrtSynchronizeStream(nullptr));
  CHECK_EQ(static_cast<int>(workspace.read()[255]), 9);
}

TEST(streamsAreChecked) {
  device::use(0);
  device::Buffer<float> a(std::vector<float>{1});
  device::Tensor tensor(a.address(), ACL_FLOAT, {1});
  device::Stream stream;
  const Prepared p = prepareAdd(tensor, tensor);
  device::use(1);
  CHECK_FAILS(aclnnInplaceAdd(nullptr, 0, p.executor, stream), ACLNN_ERR_RUNTIME_ERROR,
              "another context");
  device::use(0);
}

TEST(strictModeWantsAlignedViews) {
  const char* text = std::getenv("CANN4J_CPU_STRICT");
  const bool strict = text != nullptr && *text == '1';
  device::use();
  device::Buffer<float> a(std::vector<float>(16, 1.0F));
  device::Tensor odd(a.address(), ACL_FLOAT, {2}, {1}, 3);
  device::Tensor even(a.address(), ACL_FLOAT, {2}, {1}, 8);
  Prepared p = prepareAdd(odd, odd);
  if (strict) {
    CHECK_FAILS(aclnnInplaceAdd(nullptr, 0, p.executor, nullptr), ACLNN_ERR_PARAM_INVALID,
                "32-byte aligned");
  } else {
    CHECK_OK(aclnnInplaceAdd(nullptr, 0, p.executor, nullptr));
  }
  p = prepareAdd(even, even);
  CHECK_OK(aclnnInplaceAdd(nullptr, 0, p.executor, nullptr));
  CHECK_OK(aclrtSynchronizeDevice());
  CHECK_EQ(a.read()[8], 2.0F);
  CHECK_EQ(a.read()[3], strict ? 1.0F : 2.0F);
}
