// SPDX-License-Identifier: Apache-2.0
// Repeatable executors whose tensors change their addresses.
#include <memory>

#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_cat.h"
#include "aclnnop/aclnn_exp.h"
#include "aclnnop/aclnn_flash_attention_score.h"
#include "device.hpp"

namespace {

using Floats = std::vector<float>;

aclOpExecutor* repeatable(const std::function<aclnnStatus(uint64_t*, aclOpExecutor**)>& prepare) {
  uint64_t size = 77;
  aclOpExecutor* executor = nullptr;
  CHECK_OK(prepare(&size, &executor));
  CHECK_EQ(size, uint64_t{0});
  CHECK_OK(aclSetAclOpExecutorRepeatable(executor));
  return executor;
}

// out = self + other on two floats each; self and other are one tensor object.
struct Addition {
  Addition()
      : self(nullptr, ACL_FLOAT, {2}), out(nullptr, ACL_FLOAT, {2}) {
    const device::Scalar one(1.0);
    executor = repeatable([&](uint64_t* size, aclOpExecutor** made) {
      return aclnnAddGetWorkspaceSize(self, self, one, out, size, made);
    });
  }
  ~Addition() { aclDestroyAclOpExecutor(executor); }
  void run() {
    CHECK_OK(aclnnAdd(nullptr, 0, executor, nullptr));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
  }

  device::Tensor self;
  device::Tensor out;
  aclOpExecutor* executor = nullptr;
};

}  // namespace

TEST(addressesComeAfterPhaseOne) {
  device::use();
  device::Buffer<float> a(Floats{1, 2});
  device::Buffer<float> b(Floats{10, 20});
  device::Buffer<float> c(Floats{0, 0});
  Addition add;
  CHECK_FAILS(aclnnAdd(nullptr, 0, add.executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "self at (nil) is not device memory");
  CHECK_OK(aclSetInputTensorAddr(add.executor, 0, add.self, a.address()));
  CHECK_OK(aclSetInputTensorAddr(add.executor, 1, add.self, b.address()));
  CHECK_OK(aclSetOutputTensorAddr(add.executor, 0, add.out, c.address()));
  add.run();
  CHECK(c.read() == (Floats{11, 22}));
  // The other spelling, and all tensors counted together.
  CHECK_OK(AclSetTensorAddr(add.executor, 0, add.self, b.address()));
  CHECK_OK(AclSetTensorAddr(add.executor, 2, add.out, a.address()));
  add.run();
  CHECK(a.read() == (Floats{20, 40}));
  CHECK_OK(aclSetTensorAddr(add.executor, 1, add.self, a.address()));
  CHECK_OK(AclSetInputTensorAddr(add.executor, 0, add.self, a.address()));
  CHECK_OK(AclSetOutputTensorAddr(add.executor, 0, add.out, c.address()));
  add.run();
  CHECK(c.read() == (Floats{40, 80}));
  void* address = nullptr;
  CHECK_OK(aclGetRawTensorAddr(add.out, &address));
  CHECK_EQ(address, c.address());
}

TEST(runsThatWaitKeepTheAddressesThatTheyStartedWith) {
  device::use();
  std::vector<std::unique_ptr<device::Buffer<float>>> outs;
  device::Buffer<float> a(Floats{1, 2});
  Addition add;
  CHECK_OK(aclSetInputTensorAddr(add.executor, 0, add.self, a.address()));
  CHECK_OK(aclSetInputTensorAddr(add.executor, 1, add.self, a.address()));
  device::Stream stream;
  device::Gate gate;
  gate.hold(stream);
  for (int i = 0; i < 20; ++i) {
    outs.push_back(std::make_unique<device::Buffer<float>>(Floats{0, 0}));
    CHECK_OK(aclSetOutputTensorAddr(add.executor, 0, add.out, outs.back()->address()));
    CHECK_OK(aclnnAdd(nullptr, 0, add.executor, stream));
  }
  for (const auto& out : outs) {
    CHECK(out->read() == (Floats{0, 0}));
  }
  gate.open();
  stream.synchronize();
  for (const auto& out : outs) {
    CHECK(out->read() == (Floats{2, 4}));
  }
}

TEST(viewsKeepTheirOffset) {
  device::use();
  device::Buffer<float> a(Floats{0, 1, 2, 3, 4, 5, 6, 7});
  device::Buffer<float> b(Floats{0, 10, 20, 30, 40, 50, 60, 70});
  device::Buffer<float> c(Floats(6, -1.0F));
  device::Tensor self(a.address(), ACL_FLOAT, {2, 2}, {-3, 2}, 3);
  device::Tensor out(c.address(), ACL_FLOAT, {2, 2}, {1, 3}, 1);
  const device::Scalar one(1.0);
  aclOpExecutor* executor = repeatable([&](uint64_t* size, aclOpExecutor** made) {
    return aclnnAddsGetWorkspaceSize(self, one, one, out, size, made);
  });
  for (const device::Buffer<float>* from : {&a, &b, &a}) {
    CHECK_OK(aclSetInputTensorAddr(executor, 0, self, from->address()));
    CHECK_OK(aclnnAdds(nullptr, 0, executor, nullptr));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
    const float unit = from == &a ? 1 : 10;
    CHECK(c.read() == (Floats{-1, 3 * unit + 1, 1, -1, 5 * unit + 1, 2 * unit + 1}));
  }
  // A view that reaches over the end of the new memory is refused, and may be corrected.
  CHECK_OK(aclSetOutputTensorAddr(executor, 0, out, static_cast<char*>(c.address()) + 64));
  CHECK_FAILS(aclnnAdds(nullptr, 0, executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "out covers 20 bytes");
  CHECK_OK(aclSetOutputTensorAddr(executor, 0, out, c.address()));
  CHECK_OK(aclnnAdds(nullptr, 0, executor, nullptr));
  CHECK_OK(aclrtSynchronizeStream(nullptr));
  CHECK_OK(aclDestroyAclOpExecutor(executor));
}

TEST(whatIsUpdatedInPlaceIsInputAndOutput) {
  device::use();
  device::Buffer<float> a(Floats{0});
  device::Buffer<float> b(Floats{0});
  device::Tensor self(a.address(), ACL_FLOAT, {1});
  aclOpExecutor* executor = repeatable([&](uint64_t* size, aclOpExecutor** made) {
    return aclnnInplaceExpGetWorkspaceSize(self, size, made);
  });
  CHECK_OK(aclSetInputTensorAddr(executor, 0, self, b.address()));
  CHECK_OK(aclnnInplaceExp(nullptr, 0, executor, nullptr));
  CHECK_OK(aclSetOutputTensorAddr(executor, 0, self, a.address()));
  CHECK_OK(aclnnInplaceExp(nullptr, 0, executor, nullptr));
  CHECK_OK(aclrtSynchronizeStream(nullptr));
  CHECK_EQ(a.read()[0], 1.0F);
  CHECK_EQ(b.read()[0], 1.0F);
  CHECK_OK(aclDestroyAclOpExecutor(executor));
}

TEST(listsAreOneArgument) {
  device::use();
  device::Buffer<float> a(Floats{1});
  device::Buffer<float> b(Floats{2});
  device::Buffer<float> c(Floats{3});
  device::Buffer<float> out(Floats{0, 0});
  const int64_t one = 1;
  const aclTensor* parts[2];
  for (auto& part : parts) {
    part = aclCreateTensor(&one, 1, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, &one, 1, a.address());
  }
  aclTensorList* list = aclCreateTensorList(parts, 2);
  device::Tensor both(out.address(), ACL_FLOAT, {2});
  aclOpExecutor* executor = repeatable([&](uint64_t* size, aclOpExecutor** made) {
    return aclnnCatGetWorkspaceSize(list, 0, both, size, made);
  });
  const auto expect = [&](const device::Buffer<float>& at, const Floats& values) {
    CHECK_OK(aclnnCat(nullptr, 0, executor, nullptr));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
    CHECK(at.read() == values);
  };
  expect(out, {1, 1});
  CHECK_OK(aclSetDynamicInputTensorAddr(executor, 0, 1, list, b.address()));
  expect(out, {1, 2});
  CHECK_OK(AclSetDynamicTensorAddr(executor, 0, 0, list, c.address()));
  expect(out, {3, 2});
  CHECK_OK(aclSetDynamicTensorAddr(executor, 0, 1, list, c.address()));
  CHECK_OK(AclSetDynamicInputTensorAddr(executor, 0, 0, list, b.address()));
  device::Buffer<float> elsewhere(Floats{0, 0});
  CHECK_OK(aclSetTensorAddr(executor, 1, both, elsewhere.address()));
  expect(elsewhere, {2, 3});
  CHECK(out.read() == (Floats{3, 2}));

  CHECK_FAILS(aclSetDynamicInputTensorAddr(executor, 0, 2, list, b.address()),
              ACLNN_ERR_PARAM_INVALID, "relativeIndex 2, but tensors of aclnnCat has 2 tensors");
  CHECK_FAILS(aclSetDynamicInputTensorAddr(executor, 1, 0, list, b.address()),
              ACLNN_ERR_PARAM_INVALID, "index 1, but aclnnCat has 1 inputs");
  CHECK_FAILS(aclSetDynamicOutputTensorAddr(executor, 0, 0, list, b.address()),
              ACLNN_ERR_PARAM_INVALID, "out, is no list");
  CHECK_FAILS(AclSetDynamicOutputTensorAddr(executor, 1, 0, list, b.address()),
              ACLNN_ERR_PARAM_INVALID, "has 1 outputs");
  CHECK_FAILS(aclSetInputTensorAddr(executor, 0, both, b.address()), ACLNN_ERR_PARAM_INVALID,
              "tensors, is a list");
  CHECK_FAILS(aclSetDynamicTensorAddr(executor, 0, 0, nullptr, b.address()),
              ACLNN_ERR_INNER_NULLPTR, "tensors is NULL");
  CHECK_FAILS(aclSetDynamicTensorAddr(nullptr, 0, 0, list, b.address()), ACLNN_ERR_INNER_NULLPTR,
              "executor is NULL");
  CHECK_OK(aclDestroyAclOpExecutor(executor));
  CHECK_OK(aclDestroyTensorList(list));
}

TEST(badAddressUpdatesAreRefused) {
  device::use();
  device::Buffer<float> a(Floats{1, 2});
  Addition add;
  CHECK_FAILS(aclSetInputTensorAddr(nullptr, 0, add.self, a.address()), ACLNN_ERR_INNER_NULLPTR,
              "executor is NULL");
  CHECK_FAILS(aclSetInputTensorAddr(add.executor, 0, nullptr, a.address()),
              ACLNN_ERR_INNER_NULLPTR, "tensor is NULL");
  CHECK_FAILS(aclSetInputTensorAddr(add.executor, 2, add.self, a.address()),
              ACLNN_ERR_PARAM_INVALID, "index 2, but aclnnAdd has 2 inputs");
  CHECK_FAILS(aclSetOutputTensorAddr(add.executor, 1, add.out, a.address()),
              ACLNN_ERR_PARAM_INVALID, "index 1, but aclnnAdd has 1 outputs");
  CHECK_FAILS(aclSetTensorAddr(add.executor, SIZE_MAX, add.out, a.address()),
              ACLNN_ERR_PARAM_INVALID, "aclnnAdd has 3 tensors");
  CHECK_FAILS(aclSetDynamicInputTensorAddr(add.executor, 0, 0,
                                           reinterpret_cast<aclTensorList*>(&add), a.address()),
              ACLNN_ERR_PARAM_INVALID, "never created");
  device::Tensor longer(a.address(), ACL_FLOAT, {3});
  CHECK_FAILS(aclSetInputTensorAddr(add.executor, 0, longer, a.address()), ACLNN_ERR_PARAM_INVALID,
              "self of aclnnAdd is FLOAT[2], the tensor given another view, FLOAT[3]");
  aclOpExecutor* gone = nullptr;
  {
    Addition other;
    gone = other.executor;
  }
  CHECK_FAILS(aclSetInputTensorAddr(gone, 0, add.self, a.address()), ACLNN_ERR_PARAM_INVALID,
              "used already");
  CHECK_FAILS(aclSetAclOpExecutorRepeatable(gone), ACLNN_ERR_PARAM_INVALID, "used already");
  CHECK_FAILS(aclnnAdd(nullptr, 0, gone, nullptr), ACLNN_ERR_PARAM_INVALID, "used already");
}

TEST(anotherTensorOfTheSameViewWillDo) {
  device::use();
  device::Buffer<float> a(Floats{1, 2});
  device::Buffer<float> c(Floats{0, 0});
  Addition add;
  {
    device::Tensor like(a.address(), ACL_FLOAT, {2});
    CHECK_OK(aclSetInputTensorAddr(add.executor, 0, like, a.address()));
    CHECK_OK(aclSetInputTensorAddr(add.executor, 1, like, a.address()));
    CHECK_OK(aclSetOutputTensorAddr(add.executor, 0, like, c.address()));
  }
  add.run();
  CHECK(c.read() == (Floats{2, 4}));
}

TEST(theTensorsOfPhaseOneMustStay) {
  device::use();
  device::Buffer<float> a(Floats{0});
  aclOpExecutor* executor = nullptr;
  {
    device::Tensor self(a.address(), ACL_FLOAT, {1});
    executor = repeatable([&](uint64_t* size, aclOpExecutor** made) {
      return aclnnInplaceExpGetWorkspaceSize(self, size, made);
    });
  }
  CHECK_FAILS(aclnnInplaceExp(nullptr, 0, executor, nullptr), ACLNN_ERR_PARAM_INVALID,
              "was destroyed");
  device::Tensor like(a.address(), ACL_FLOAT, {1});
  CHECK_FAILS(aclSetInputTensorAddr(executor, 0, like, a.address()), ACLNN_ERR_PARAM_INVALID,
              "the executor needs it");
  CHECK_OK(aclDestroyAclOpExecutor(executor));
}

// Optional arguments keep their position, and attention reads and writes the new addresses.
TEST(attention) {
  device::use();
  const std::vector<int64_t> shape{1, 3, 64};
  const std::vector<int64_t> statistics{1, 1, 3, 8};
  const auto values = [](float from) {
    Floats v(192);
    for (size_t i = 0; i < v.size(); ++i) {
      v[i] = from + static_cast<float>(i % 7);
    }
    return v;
  };
  device::Buffer<float> queries(values(0));
  device::Buffer<float> firstValues(values(5));
  device::Buffer<float> secondValues(values(100));
  device::Buffer<float> max(24);
  device::Buffer<float> sum(24);
  device::Buffer<float> out(192);
  device::Buffer<float> otherOut(Floats(192, 0.0F));
  device::Tensor query(queries.address(), ACL_FLOAT, shape);
  device::Tensor value(firstValues.address(), ACL_FLOAT, shape);
  device::Tensor softmaxMax(max.address(), ACL_FLOAT, statistics);
  device::Tensor softmaxSum(sum.address(), ACL_FLOAT, statistics);
  device::Tensor attention(out.address(), ACL_FLOAT, shape);
  char layout[] = "BSH";
  aclOpExecutor* executor = repeatable([&](uint64_t* size, aclOpExecutor** made) {
    return aclnnFlashAttentionScoreGetWorkspaceSize(
        query, query, value, nullptr, nullptr, nullptr, nullptr, nullptr, 0.125, 1, 65536, 65536, 1,
        layout, 0, 0, softmaxMax, softmaxSum, nullptr, attention, size, made);
  });
  const auto run = [&] {
    CHECK_OK(aclnnFlashAttentionScore(nullptr, 0, executor, nullptr));
    CHECK_OK(aclrtSynchronizeStream(nullptr));
  };
  run();
  const Floats first = out.read();
  CHECK_FAILS(aclSetInputTensorAddr(executor, 3, value, secondValues.address()),
              ACLNN_ERR_PARAM_INVALID, "was NULL in phase 1");
  CHECK_FAILS(aclSetOutputTensorAddr(executor, 2, value, secondValues.address()),
              ACLNN_ERR_PARAM_INVALID, "was NULL in phase 1");
  CHECK_OK(aclSetInputTensorAddr(executor, 2, value, secondValues.address()));
  CHECK_OK(aclSetOutputTensorAddr(executor, 3, attention, otherOut.address()));
  run();
  CHECK(out.read() == first);
  const Floats second = otherOut.read();
  for (size_t i = 0; i < second.size(); ++i) {
    CHECK_NEAR(second[i], first[i] + 95, 1e-3);
  }
  CHECK_OK(aclDestroyAclOpExecutor(executor));
}
