// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_flash_attention_score_grad.h"

#include "attention/arguments.hpp"
#include "attention/launch.hpp"

using cann4j::attention::Arguments;

namespace {

constexpr char kScoreGrad[] = "aclnnFlashAttentionScoreGrad";
constexpr char kUnpaddingScoreGrad[] = "aclnnFlashAttentionUnpaddingScoreGrad";

}  // namespace

extern "C" {

aclnnStatus aclnnFlashAttentionScoreGradGetWorkspaceSize(
    const aclTensor* query, const aclTensor* keyIn, const aclTensor* value, const aclTensor* dy,
    const aclTensor* pseShiftOptional, const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional,
    const aclTensor* attenMaskOptional, const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional,
    const aclTensor* softmaxInOptional, const aclTensor* attentionInOptional,
    const aclIntArray* prefixOptional,
    double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout,
    int64_t innerPrecise, int64_t sparseMode, const aclTensor* dqOut, const aclTensor* dkOut,
    const aclTensor* dvOut, const aclTensor* dpseOut, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  Arguments a{.op = kScoreGrad, .backward = true};
  a.query = query;
  a.key = keyIn;
  a.value = value;
  a.dy = dy;
  a.pse = pseShiftOptional;
  a.dropMask = dropMaskOptional;
  a.paddingMask = paddingMaskOptional;
  a.attenMask = attenMaskOptional;
  a.softmaxMax = softmaxMaxOptional;
  a.softmaxSum = softmaxSumOptional;
  a.softmaxOut = softmaxInOptional;
  a.attention = attentionInOptional;
  a.prefix = prefixOptional;
  a.scaleValue = scaleValue;
  a.keepProb = keepProb;
  a.preTokens = preTokens;
  a.nextTokens = nextTokens;
  a.headNum = headNum;
  a.inputLayout = inputLayout;
  a.innerPrecise = innerPrecise;
  a.sparseMode = sparseMode;
  a.dq = dqOut;
  a.dk = dkOut;
  a.dv = dvOut;
  a.dpse = dpseOut;
  return cann4j::attention::prepare(a, workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionScoreGrad(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
    const aclrtStream stream) {
  return cann4j::launch(kScoreGrad, workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGradGetWorkspaceSize(
    const aclTensor* query, const aclTensor* keyIn, const aclTensor* value, const aclTensor* dy,
    const aclTensor* pseShiftOptional, const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional,
    const aclTensor* attenMaskOptional, const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional,
    const aclTensor* softmaxInOptional, const aclTensor* attentionInOptional,
    const aclIntArray* prefixOptional,
    const aclIntArray* actualSeqQLenOptional, const aclIntArray* actualSeqKvLenOptional, double scaleValue,
    double keepProb, int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise,
    int64_t sparseMode, const aclTensor* dqOut, const aclTensor* dkOut,
    const aclTensor* dvOut, const aclTensor* dpseOut, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  Arguments a{.op = kUnpaddingScoreGrad, .varLen = true, .backward = true};
  a.query = query;
  a.key = keyIn;
  a.value = value;
  a.dy = dy;
  a.pse = pseShiftOptional;
  a.dropMask = dropMaskOptional;
  a.paddingMask = paddingMaskOptional;
  a.attenMask = attenMaskOptional;
  a.softmaxMax = softmaxMaxOptional;
  a.softmaxSum = softmaxSumOptional;
  a.softmaxOut = softmaxInOptional;
  a.attention = attentionInOptional;
  a.prefix = prefixOptional;
  a.actualSeqQLen = actualSeqQLenOptional;
  a.actualSeqKvLen = actualSeqKvLenOptional;
  a.scaleValue = scaleValue;
  a.keepProb = keepProb;
  a.preTokens = preTokens;
  a.nextTokens = nextTokens;
  a.headNum = headNum;
  a.inputLayout = inputLayout;
  a.innerPrecise = innerPrecise;
  a.sparseMode = sparseMode;
  a.dq = dqOut;
  a.dk = dkOut;
  a.dv = dvOut;
  a.dpse = dpseOut;
  return cann4j::attention::prepare(a, workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGrad(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
    const aclrtStream stream) {
  return cann4j::launch(kUnpaddingScoreGrad, workspace, workspaceSize, executor, stream);
}

}  // extern "C"
