// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_flash_attention_score.h"

#include "attention/arguments.hpp"
#include "attention/launch.hpp"

using cann4j::attention::Arguments;

namespace {

constexpr char kScore[] = "aclnnFlashAttentionScore";
constexpr char kVarLenScore[] = "aclnnFlashAttentionVarLenScore";

}  // namespace

extern "C" {

aclnnStatus aclnnFlashAttentionScoreGetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value, const aclTensor* realShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclIntArray* prefixOptional, double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens,
    int64_t headNum, char* inputLayout, int64_t innerPrecise, int64_t sparseMode, const aclTensor* softmaxMaxOut,
    const aclTensor* softmaxSumOut, const aclTensor* softmaxOutOut,
    const aclTensor* attentionOutOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  Arguments a{.op = kScore};
  a.query = query;
  a.key = key;
  a.value = value;
  a.pse = realShiftOptional;
  a.dropMask = dropMaskOptional;
  a.paddingMask = paddingMaskOptional;
  a.attenMask = attenMaskOptional;
  a.prefix = prefixOptional;
  a.scaleValue = scaleValue;
  a.keepProb = keepProb;
  a.preTokens = preTokens;
  a.nextTokens = nextTokens;
  a.headNum = headNum;
  a.inputLayout = inputLayout;
  a.innerPrecise = innerPrecise;
  a.sparseMode = sparseMode;
  a.softmaxMax = softmaxMaxOut;
  a.softmaxSum = softmaxSumOut;
  a.softmaxOut = softmaxOutOut;
  a.attention = attentionOutOut;
  return cann4j::attention::prepare(a, workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionScore(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                     const aclrtStream stream) {
  return cann4j::launch(kScore, workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionVarLenScoreGetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value, const aclTensor* realShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclIntArray* prefixOptional, const aclIntArray* actualSeqQLenOptional,
    const aclIntArray* actualSeqKvLenOptional, double scaleValue, double keepProb, int64_t preTokens,
    int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise, int64_t sparseMode,
    const aclTensor* softmaxMaxOut, const aclTensor* softmaxSumOut, const aclTensor* softmaxOutOut,
    const aclTensor* attentionOutOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  Arguments a{.op = kVarLenScore, .varLen = true};
  a.query = query;
  a.key = key;
  a.value = value;
  a.pse = realShiftOptional;
  a.dropMask = dropMaskOptional;
  a.paddingMask = paddingMaskOptional;
  a.attenMask = attenMaskOptional;
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
  a.softmaxMax = softmaxMaxOut;
  a.softmaxSum = softmaxSumOut;
  a.softmaxOut = softmaxOutOut;
  a.attention = attentionOutOut;
  return cann4j::attention::prepare(a, workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionVarLenScore(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                           const aclrtStream stream) {
  return cann4j::launch(kVarLenScore, workspace, workspaceSize, executor, stream);
}

}  // extern "C"
