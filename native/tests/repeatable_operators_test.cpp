// SPDX-License-Identifier: Apache-2.0
// Executors of operators run again at other addresses.
#include <memory>

#include "aclnnop/aclnn_apply_rotary_pos_emb.h"
#include "aclnnop/aclnn_cross_entropy_loss.h"
#include "aclnnop/aclnn_cross_entropy_loss_grad.h"
#include "aclnnop/aclnn_dropout_do_mask.h"
#include "aclnnop/aclnn_dropout_gen_mask.h"
#include "aclnnop/aclnn_embedding.h"
#include "aclnnop/aclnn_embedding_dense_backward.h"
#include "aclnnop/aclnn_matmul.h"
#include "aclnnop/aclnn_ring_attention_update.h"
#include "aclnnop/aclnn_rms_norm.h"
#include "aclnnop/aclnn_rotary_position_embedding.h"
#include "aclnnop/aclnn_silu.h"
#include "aclnnop/aclnn_swi_glu.h"
#include "random_views.hpp"

using namespace elements;

namespace {

struct Argument {
  aclDataType type;
  std::vector<int64_t> dims;
  double low = -2, high = 2;
};

constexpr auto kReal = ACL_FLOAT;

// The tensor arguments of an operator at some addresses.
class Tensors {
 public:
  Tensors(const std::vector<Argument>& arguments, unsigned seed) {
    for (const Argument& a : arguments) {
      views_.push_back(std::make_unique<View>(a.type, a.dims));
      fillRandom(*views_.back(), seed++, a.low, a.high);
    }
  }

  aclTensor* operator[](size_t i) const { return *views_[i]; }
  size_t count() const { return views_.size(); }

  std::vector<std::vector<double>> values() const {
    std::vector<std::vector<double>> all;
    for (const auto& view : views_) {
      all.push_back(view->values());
    }
    return all;
  }

 private:
  std::vector<std::unique_ptr<View>> views_;
};

using Prepare = std::function<aclnnStatus(const Tensors&, uint64_t*, aclOpExecutor**)>;

// The second run, at the addresses of other tensors, does what an executor of their own does.
void moves(const std::vector<Argument>& arguments, device::Launch launch, const Prepare& prepare) {
  const Tensors first(arguments, 1);
  const Tensors second(arguments, 100);
  const Tensors expected(arguments, 100);
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return prepare(expected, size, executor);
  }, launch);
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_OK(prepare(first, &size, &executor));
  CHECK_OK(aclSetAclOpExecutorRepeatable(executor));
  CHECK_OK(launch(nullptr, 0, executor, nullptr));
  CHECK_OK(aclrtSynchronizeStream(nullptr));
  const auto before = first.values();
  for (size_t i = 0; i < second.count(); ++i) {
    void* address = nullptr;
    CHECK_OK(aclGetRawTensorAddr(second[i], &address));
    CHECK_OK(aclSetTensorAddr(executor, i, first[i], address));
  }
  CHECK_OK(launch(nullptr, 0, executor, nullptr));
  CHECK_OK(aclrtSynchronizeStream(nullptr));
  CHECK_OK(aclDestroyAclOpExecutor(executor));
  CHECK(second.values() == expected.values());
  CHECK(first.values() == before);
  CHECK(first.values() != second.values());
}

char* word(const char* text) { return const_cast<char*>(text); }

}  // namespace

TEST(activationsAndNorm) {
  device::use();
  moves({{kReal, {3, 8}}, {kReal, {3, 8}}}, aclnnSilu, [](const Tensors& t, auto... ends) {
    return aclnnSiluGetWorkspaceSize(t[0], t[1], ends...);
  });
  moves({{kReal, {3, 8}}, {kReal, {3, 4}}}, aclnnSwiGlu, [](const Tensors& t, auto... ends) {
    return aclnnSwiGluGetWorkspaceSize(t[0], -1, t[1], ends...);
  });
  moves({{kReal, {3, 8}}, {kReal, {8}}, {kReal, {3, 8}}, {kReal, {3, 1}}}, aclnnRmsNorm,
        [](const Tensors& t, auto... ends) {
          return aclnnRmsNormGetWorkspaceSize(t[0], t[1], 1e-6, t[2], t[3], ends...);
        });
}

TEST(products) {
  device::use();
  moves({{kReal, {2, 3, 4}}, {kReal, {2, 4, 5}}, {kReal, {2, 3, 5}}}, aclnnMatmul,
        [](const Tensors& t, auto... ends) {
          return aclnnMatmulGetWorkspaceSize(t[0], t[1], t[2], 0, ends...);
        });
}

TEST(rotations) {
  device::use();
  moves({{kReal, {1, 3, 2, 128}}, {kReal, {1, 3, 1, 128}}, {kReal, {1, 3, 1, 128}},
         {kReal, {1, 3, 1, 128}}},
        aclnnApplyRotaryPosEmb, [](const Tensors& t, auto... ends) {
          return aclnnApplyRotaryPosEmbGetWorkspaceSize(t[0], t[1], t[2], t[3], 1, ends...);
        });
  moves({{kReal, {1, 3, 2, 8}}, {kReal, {1, 3, 1, 8}}, {kReal, {1, 3, 1, 8}},
         {kReal, {1, 3, 2, 8}}},
        aclnnRotaryPositionEmbedding, [](const Tensors& t, auto... ends) {
          return aclnnRotaryPositionEmbeddingGetWorkspaceSize(t[0], t[1], t[2], 1, t[3], ends...);
        });
}

TEST(lossesAndEmbeddings) {
  device::use();
  const Argument target{ACL_INT32, {4}, 0, 2.9};
  moves({{kReal, {4, 3}}, target, {kReal, {3}, 1, 2}, {kReal, {1}}, {kReal, {4, 3}}, {kReal, {1}},
         {kReal, {4}}},
        aclnnCrossEntropyLoss, [](const Tensors& t, auto... ends) {
          return aclnnCrossEntropyLossGetWorkspaceSize(t[0], t[1], t[2], word("mean"), -100, 0.1, 0,
                                                       false, t[3], t[4], t[5], t[6], ends...);
        });
  moves({{kReal, {4}}, {kReal, {4, 3}}, target, {kReal, {3}, 1, 2}, {kReal, {4}}, {kReal, {4}},
         {kReal, {4, 3}}},
        aclnnCrossEntropyLossGrad, [](const Tensors& t, auto... ends) {
          return aclnnCrossEntropyLossGradGetWorkspaceSize(t[0], t[1], t[2], t[3], t[4], t[5],
                                                           word("none"), -100, 0.1, 0, t[6],
                                                           ends...);
        });
  moves({{kReal, {3, 8}}, target, {kReal, {4, 8}}}, aclnnEmbedding,
        [](const Tensors& t, auto... ends) {
          return aclnnEmbeddingGetWorkspaceSize(t[0], t[1], t[2], ends...);
        });
  moves({{kReal, {4, 8}}, target, {kReal, {3, 8}}}, aclnnEmbeddingDenseBackward,
        [](const Tensors& t, auto... ends) {
          return aclnnEmbeddingDenseBackwardGetWorkspaceSize(t[0], t[1], 3, 5, false, t[2],
                                                             ends...);
        });
}

TEST(dropout) {
  device::use();
  moves({{kReal, {5, 7}}, {ACL_UINT8, {16}, 0, 255}, {kReal, {5, 7}}}, aclnnDropoutDoMask,
        [](const Tensors& t, auto... ends) {
          return aclnnDropoutDoMaskGetWorkspaceSize(t[0], t[1], 0.5, t[2], ends...);
        });
  // A mask has no inputs: only the places differ.
  const int64_t dims[] = {100};
  aclIntArray* shape = aclCreateIntArray(dims, 1);
  View one(ACL_UINT8, {16});
  View two(ACL_UINT8, {16});
  fillRandom(two, 1, 0, 255);
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_OK(aclnnDropoutGenMaskGetWorkspaceSize(shape, 0.5, 1, 2, one, &size, &executor));
  CHECK_OK(aclDestroyIntArray(shape));
  CHECK_OK(aclSetAclOpExecutorRepeatable(executor));
  CHECK_OK(aclnnDropoutGenMask(nullptr, 0, executor, nullptr));
  void* address = nullptr;
  CHECK_OK(aclGetRawTensorAddr(two, &address));
  CHECK_OK(aclSetOutputTensorAddr(executor, 0, one, address));
  CHECK_OK(aclnnDropoutGenMask(nullptr, 0, executor, nullptr));
  CHECK_OK(aclrtSynchronizeStream(nullptr));
  CHECK_OK(aclDestroyAclOpExecutor(executor));
  CHECK(one.values() == two.values());
}

TEST(merging) {
  device::use();
  const Argument attention{kReal, {6, 2, 64}};
  const Argument statistic{kReal, {6, 2, 8}, 1, 3};
  std::vector<Argument> arguments{attention, statistic, statistic, attention, statistic, statistic,
                                  {ACL_INT64, {2}}, attention, statistic, statistic};
  // Where the sums are not read.
  moves(arguments, aclnnRingAttentionUpdateV2, [](const Tensors& t, auto... ends) {
    return aclnnRingAttentionUpdateV2GetWorkspaceSize(t[0], t[1], t[2], t[3], t[4], t[5], t[6],
                                                      word("TND"), word("TND"), t[7], t[8], t[9],
                                                      ends...);
  });
  arguments[6].dims = {1};
  arguments[6].low = 0;
  arguments[6].high = 0;
  for (const size_t i : {0, 3, 7}) {
    arguments[i].dims = {6, 2, 128};
  }
  for (const size_t i : {1, 2, 4, 5, 8, 9}) {
    arguments[i].dims = {2, 2, 6, 8};
  }
  moves(arguments, aclnnRingAttentionUpdate, [](const Tensors& t, auto... ends) {
    return aclnnRingAttentionUpdateGetWorkspaceSize(t[0], t[1], t[2], t[3], t[4], t[5], t[6],
                                                    word("SBH"), t[7], t[8], t[9], ends...);
  });
}
