// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "attention_call.hpp"

using device::Call;
using device::Layout;
using device::Tensor;
using reference::Attention;
using reference::Mask;
using reference::Type;

namespace {

Attention small(Mask mask = Mask::RightDown) {
  Attention a{Type::Float32, mask, 4, 2, 16, 8, {{6, 6}, {6, 6}}};
  a.fill(1);
  return a;
}

// Both directions refuse the call with the code, and say the words.
void refused(aclnnStatus code, const std::string& words, Layout layout, const std::function<void(Call&)>& change) {
  for (bool backward : {false, true}) {
    Call call(layout, small());
    change(call);
    aclGetRecentErrMsg();
    const aclnnStatus status = backward ? call.prepareBackward() : call.prepareForward();
    const char* said = aclGetRecentErrMsg();
    const std::string text = said ? said : "";
    if (status != code || text.find(words) == std::string::npos) {
      throw check::Failure("expected " + std::to_string(code) + " with \"" + words + "\", got " +
                           std::to_string(status) + " with \"" + text + "\"");
    }
  }
}

std::unique_ptr<Tensor> tensor(std::vector<int64_t> dims, Type type = Type::Float32) {
  return std::make_unique<Tensor>(type, std::move(dims));
}

}  // namespace

TEST(missing_pointers) {
  const Attention a = small(Mask::None);
  Call c(Layout::BSND, a);
  char layout[] = "BSND";
  const aclTensor* tensors[6] = {c.query->get(),      c.key->get(),        c.value->get(),
                                 c.softmaxMax->get(), c.softmaxSum->get(), c.attention->get()};
  auto forward = [&](const aclTensor* const* t, char* name, uint64_t* size, aclOpExecutor** executor) {
    return aclnnFlashAttentionScoreGetWorkspaceSize(t[0], t[1], t[2], nullptr, nullptr, nullptr, nullptr, nullptr, 1, 1,
                                                    0, 0, 4, name, 0, 0, t[3], t[4], c.softmaxOut->get(), t[5], size,
                                                    executor);
  };
  uint64_t size;
  aclOpExecutor* executor;
  CHECK_EQ(forward(tensors, layout, &size, &executor), 0);
  for (int i = 0; i < 6; ++i) {
    const aclTensor* some[6];
    std::copy(tensors, tensors + 6, some);
    some[i] = nullptr;
    CHECK_EQ(forward(some, layout, &size, &executor), 161001);
  }
  CHECK_EQ(forward(tensors, nullptr, &size, &executor), 161001);
  CHECK_EQ(forward(tensors, layout, nullptr, &executor), 161001);
  CHECK_EQ(forward(tensors, layout, &size, nullptr), 161001);

  const aclTensor* all[9] = {c.query->get(),     c.key->get(), c.value->get(), c.dy->get(), c.softmaxMax->get(),
                             c.attention->get(), c.dq->get(),  c.dk->get(),    c.dv->get()};
  auto backward = [&](const aclTensor* const* t) {
    return aclnnFlashAttentionScoreGradGetWorkspaceSize(
        t[0], t[1], t[2], t[3], nullptr, nullptr, nullptr, nullptr, t[4], c.softmaxSum->get(), nullptr, t[5], nullptr, 1,
        1, 0, 0, 4, layout, 0, 0, t[6], t[7], t[8], nullptr, &size, &executor);
  };
  CHECK_EQ(backward(all), 0);
  for (int i = 0; i < 9; ++i) {
    const aclTensor* some[9];
    std::copy(all, all + 9, some);
    some[i] = nullptr;
    CHECK_EQ(backward(some), 161001);
  }
}

TEST(layouts) {
  refused(161002, "inputLayout \"NSD\"", Layout::BSND, [](Call& c) { c.inputLayout = "NSD"; });
  refused(161002, "inputLayout \"TND\"", Layout::BSND, [](Call& c) { c.inputLayout = "TND"; });
  refused(161002, "inputLayout \"BSND\"", Layout::TND, [](Call& c) { c.inputLayout = "BSND"; });
  refused(161002, "needs 3 dimensions", Layout::BSND, [](Call& c) { c.inputLayout = "BSH"; });
  refused(161002, "needs 4 dimensions", Layout::BSH, [](Call& c) { c.inputLayout = "BNSD"; });
}

TEST(heads) {
  refused(161002, "headNum 0", Layout::BSND, [](Call& c) { c.headNum = 0; });
  refused(161002, "headNum -1", Layout::TND, [](Call& c) { c.headNum = -1; });
  refused(161002, "headNum is 2", Layout::BSND, [](Call& c) { c.headNum = 2; });
  refused(161002, "headNum is 8", Layout::TND, [](Call& c) { c.headNum = 8; });
  refused(161002, "headNum 5", Layout::BSH, [](Call& c) { c.headNum = 5; });
  refused(161002, "4 query heads and 3 key heads", Layout::BSND, [](Call& c) {
    c.key = tensor({2, 6, 3, 16});
    c.value = tensor({2, 6, 3, 8});
  });
}

TEST(shapes) {
  refused(161002, "query 16, key 12", Layout::BSND, [](Call& c) { c.key = tensor({2, 6, 2, 12}); });
  refused(161002, "value 17", Layout::BSND, [](Call& c) { c.value = tensor({2, 6, 2, 17}); });
  refused(161002, "query 769", Layout::BSND, [](Call& c) {
    c.query = tensor({2, 6, 4, 769});
    c.key = tensor({2, 6, 2, 769});
  });
  refused(161002, "differ in more than the head size", Layout::BSND, [](Call& c) { c.value = tensor({2, 5, 2, 8}); });
  refused(161002, "batches", Layout::BSND, [](Call& c) {
    c.key = tensor({1, 6, 2, 16});
    c.value = tensor({1, 6, 2, 8});
  });
  refused(161002, "batches; at most 2097152", Layout::BSND, [](Call& c) {
    c.query = tensor({int64_t{1} << 45, 0, 4, 16});
    c.key = tensor({int64_t{1} << 45, 0, 2, 16});
    c.value = tensor({int64_t{1} << 45, 0, 2, 8});
  });
  refused(161002, "softmaxMax has shape [2, 6, 4, 8], expected [2, 4, 6, 8]", Layout::BSND,
          [](Call& c) { c.softmaxMax = tensor({2, 6, 4, 8}); });
  refused(161002, "softmaxSum has shape", Layout::TND, [](Call& c) { c.softmaxSum = tensor({4, 12, 8}); });
  refused(161002, "expected [2, 6, 4, 8]", Layout::BSND, [](Call& c) { c.attention = tensor({2, 6, 4, 16}); });
}

TEST(gradient_shapes) {
  for (int which = 0; which < 4; ++which) {
    Call call(Layout::BSND, small());
    std::unique_ptr<Tensor>* tensors[] = {&call.dy, &call.dq, &call.dk, &call.dv};
    *tensors[which] = tensor({2, 6, 4, 7});
    CHECK_EQ(call.prepareBackward(), 161002);
  }
}

TEST(data_types) {
  refused(161002, "key is", Layout::BSND, [](Call& c) { c.key = tensor({2, 6, 2, 16}, Type::BFloat16); });
  refused(161002, "value is", Layout::TND, [](Call& c) { c.value = tensor({12, 2, 8}, Type::Float16); });
  refused(161002, "softmaxMax is", Layout::BSND,
          [](Call& c) { c.softmaxMax = tensor({2, 4, 6, 8}, Type::BFloat16); });
  const int64_t dims[] = {2, 6, 4, 16};
  Call call(Layout::BSND, small());
  aclTensor* doubles = aclCreateTensor(dims, 4, ACL_DOUBLE, nullptr, 0, ACL_FORMAT_ND, dims, 4, nullptr);
  char layout[] = "BSND";
  CHECK_EQ(aclnnFlashAttentionScoreGetWorkspaceSize(
               doubles, call.key->get(), call.value->get(), nullptr, nullptr, nullptr, nullptr, nullptr, 1, 1, 0, 0, 4,
               layout, 0, 0, call.softmaxMax->get(), call.softmaxSum->get(), call.softmaxOut->get(),
               call.attention->get(), &call.workspaceSize, &call.executor),
           161002);
  aclDestroyTensor(doubles);
}

TEST(masks) {
  refused(561002, "sparseMode 5 (prefix) is not for inputLayout TND", Layout::TND, [](Call& c) { c.sparseMode = 5; });
  for (int64_t mode : {7, 8}) {
    refused(561002, "is not for inputLayout BSND", Layout::BSND, [&](Call& c) { c.sparseMode = mode; });
  }
  refused(561002, "sparseMode 9 is not in 0..8", Layout::BSND, [](Call& c) { c.sparseMode = 9; });
  refused(561002, "sparseMode -1 is not in 0..8", Layout::BSND, [](Call& c) { c.sparseMode = -1; });
  refused(561002, "needs attenMask [2048, 2048], got [6, 6]", Layout::BSND,
          [](Call& c) { c.mask.reset(new device::CausalMask(6, 6)); });
  refused(561002, "needs attenMask [3072, 2048], got [2048, 2048]", Layout::TND, [](Call& c) { c.sparseMode = 6; });
  refused(161002, "attenMask is FLOAT", Layout::BSND,
          [](Call& c) { c.mask.reset(new device::CausalMask(2048, 2048, ACL_FLOAT)); });
  // Without a mask the mode has no effect.
  Call call(Layout::BSND, small(Mask::None));
  call.sparseMode = 7;
  CHECK_EQ(call.prepareForward(), 0);
}

TEST(features_that_exclude_each_other) {
  refused(561002, "keepProb is 0.5 but dropMask is NULL", Layout::BSND, [](Call& c) { c.keepProb = 0.5; });
  refused(161002, "keepProb 0 is not in (0, 1]", Layout::BSND, [](Call& c) { c.keepProb = 0; });
  refused(161002, "keepProb 1.5", Layout::TND, [](Call& c) { c.keepProb = 1.5; });
  refused(161002, "dropMask is FLOAT, not UINT8", Layout::BSND, [](Call& c) { c.dropMask = c.dy->get(); });
  refused(561002, "pseShift has shape [2, 6, 4, 8]; pseType 1 with inputLayout BSND needs [2, 4, 6, 6] or", Layout::BSND,
          [](Call& c) { c.pse = c.dy->get(); });
  refused(161002, "paddingMask", Layout::BSND, [](Call& c) { c.paddingMask = c.dy->get(); });
  refused(161002, "innerPrecise 3", Layout::BSND, [](Call& c) { c.innerPrecise = 3; });
}

TEST(sequence_arrays) {
  using device::IntArray;
  refused(161001, "actualSeqQLen", Layout::TND, [](Call& c) { c.qEnds.reset(); });
  refused(161001, "actualSeqKvLen", Layout::TND, [](Call& c) { c.kvEnds.reset(); });
  refused(161002, "2 entries and actualSeqKvLen 1", Layout::TND, [](Call& c) { c.kvEnds.reset(new IntArray({12})); });
  refused(161002, "sequence 1 has 7 queries from row 6 of 12 on", Layout::TND,
          [](Call& c) { c.qEnds.reset(new IntArray({6, 13})); });
  refused(161002, "7 keys from row 6 of 12 on", Layout::TND, [](Call& c) { c.kvEnds.reset(new IntArray({6, 13})); });
  refused(161002, "sequence 1 has 9223372036854775807 queries from row 0 of 12 on", Layout::TND,
          [](Call& c) { c.qEnds.reset(new IntArray({INT64_MIN, 6})); });
  // A fall takes nothing away: the lengths are 2, 0 and 11.
  refused(161002, "sequence 2 has 11 queries from row 2 of 12 on", Layout::TND, [](Call& c) {
    c.qEnds.reset(new IntArray({2, 1, 12}));
    c.kvEnds.reset(new IntArray({2, 2, 12}));
  });
  refused(561002, "needs no more queries than keys in every sequence; sequence 1 has 7 and 6", Layout::TND, [](Call& c) { c.qEnds.reset(new IntArray({5, 12})); });
}

TEST(executors) {
  Call call(Layout::BSND, small());
  CHECK_EQ(call.prepareForward(), 0);
  CHECK_EQ(aclnnFlashAttentionScore(nullptr, 0, nullptr, device::stream()), 161001);
  // Phase 2 of another operator consumes it too.
  CHECK(aclnnFlashAttentionScoreGrad(nullptr, 0, call.executor, device::stream()) != 0);
  CHECK(aclnnFlashAttentionScore(nullptr, 0, call.executor, device::stream()) != 0);
}
