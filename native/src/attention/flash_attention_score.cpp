// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_flash_attention_score.h"

#include "attention/arguments.hpp"
#include "attention/launch.hpp"

using cann4j::attention::Layouts;
using cann4j::attention::prepare;
using cann4j::attention::Rope;

extern "C" {

aclnnStatus aclnnFlashAttentionScoreGetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value, const aclTensor* realShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclIntArray* prefixOptional, double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens,
    int64_t headNum, char* inputLayout, int64_t innerPrecise, int64_t sparseMode, const aclTensor* softmaxMaxOut,
    const aclTensor* softmaxSumOut, const aclTensor* softmaxOutOut, const aclTensor* attentionOutOut,
    uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionScore", .query = query, .key = key, .value = value, .pse = realShiftOptional,
       .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional, .attenMask = attenMaskOptional,
       .softmaxMax = softmaxMaxOut, .softmaxSum = softmaxSumOut, .softmaxOut = softmaxOutOut,
       .attention = attentionOutOut, .prefix = prefixOptional, .scaleValue = scaleValue, .keepProb = keepProb,
       .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum, .inputLayout = inputLayout,
       .innerPrecise = innerPrecise, .sparseMode = sparseMode},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionScore(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                     const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionScore", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionScoreV2GetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value, const aclTensor* realShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclIntArray* prefixOptional, const aclIntArray* qStartIdxOptional, const aclIntArray* kvStartIdxOptional,
    double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout,
    int64_t innerPrecise, int64_t sparseMode, int64_t pseType, const aclTensor* softmaxMaxOut,
    const aclTensor* softmaxSumOut, const aclTensor* softmaxOutOut, const aclTensor* attentionOutOut,
    uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionScoreV2", .query = query, .key = key, .value = value, .pse = realShiftOptional,
       .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional, .attenMask = attenMaskOptional,
       .softmaxMax = softmaxMaxOut, .softmaxSum = softmaxSumOut, .softmaxOut = softmaxOutOut,
       .attention = attentionOutOut, .prefix = prefixOptional, .qStartIdx = qStartIdxOptional,
       .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue, .keepProb = keepProb, .preTokens = preTokens,
       .nextTokens = nextTokens, .headNum = headNum, .inputLayout = inputLayout, .innerPrecise = innerPrecise,
       .sparseMode = sparseMode, .pseType = pseType},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionScoreV2(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                       const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionScoreV2", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionScoreV3GetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value, const aclTensor* realShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclTensor* sinkOptional, const aclIntArray* prefixOptional, const aclIntArray* qStartIdxOptional,
    const aclIntArray* kvStartIdxOptional, double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens,
    int64_t headNum, char* inputLayout, int64_t innerPrecise, int64_t sparseMode, int64_t pseType,
    const aclTensor* softmaxMaxOut, const aclTensor* softmaxSumOut, const aclTensor* softmaxOutOut,
    const aclTensor* attentionOutOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionScoreV3", .hasSink = true, .query = query, .key = key, .value = value,
       .pse = realShiftOptional, .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional,
       .attenMask = attenMaskOptional, .sink = sinkOptional, .softmaxMax = softmaxMaxOut, .softmaxSum = softmaxSumOut,
       .softmaxOut = softmaxOutOut, .attention = attentionOutOut, .prefix = prefixOptional,
       .qStartIdx = qStartIdxOptional, .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode, .pseType = pseType},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionScoreV3(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                       const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionScoreV3", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionScoreV4GetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value, const aclTensor* realShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclTensor* queryRopeOptional, const aclTensor* keyRopeOptional, const aclTensor* dScaleQOptional,
    const aclTensor* dScaleKOptional, const aclTensor* dScaleVOptional, const aclTensor* sinkOptional,
    const aclIntArray* prefixOptional, const aclIntArray* actualSeqQLenOptional,
    const aclIntArray* actualSeqKvLenOptional, const aclIntArray* qStartIdxOptional,
    const aclIntArray* kvStartIdxOptional, double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens,
    int64_t headNum, char* inputLayout, int64_t innerPrecise, int64_t sparseMode, int64_t outDtype, int64_t pseType,
    char* softmaxOutLayout, int64_t /*seed: the mask is given*/, int64_t /*offset: the same*/,
    const aclTensor* softmaxMaxOut, const aclTensor* softmaxSumOut, const aclTensor* softmaxOutOut,
    const aclTensor* attentionOutOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionScoreV4", .layouts = Layouts::All, .rope = Rope::Behind, .hasSink = true,
       .query = query, .key = key, .value = value, .queryRope = queryRopeOptional, .keyRope = keyRopeOptional,
       .pse = realShiftOptional, .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional,
       .attenMask = attenMaskOptional, .dScaleQ = dScaleQOptional, .dScaleK = dScaleKOptional,
       .dScaleV = dScaleVOptional, .sink = sinkOptional, .softmaxMax = softmaxMaxOut, .softmaxSum = softmaxSumOut,
       .softmaxOut = softmaxOutOut, .attention = attentionOutOut, .prefix = prefixOptional,
       .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional,
       .qStartIdx = qStartIdxOptional, .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode, .outDtype = outDtype,
       .pseType = pseType, .softmaxLayout = softmaxOutLayout},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionScoreV4(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                       const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionScoreV4", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionVarLenScoreGetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value, const aclTensor* realShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclIntArray* prefixOptional, const aclIntArray* actualSeqQLenOptional,
    const aclIntArray* actualSeqKvLenOptional, double scaleValue, double keepProb, int64_t preTokens,
    int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise, int64_t sparseMode,
    const aclTensor* softmaxMaxOut, const aclTensor* softmaxSumOut, const aclTensor* softmaxOutOut,
    const aclTensor* attentionOutOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionVarLenScore", .layouts = Layouts::Packed, .query = query, .key = key, .value = value,
       .pse = realShiftOptional, .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional,
       .attenMask = attenMaskOptional, .softmaxMax = softmaxMaxOut, .softmaxSum = softmaxSumOut,
       .softmaxOut = softmaxOutOut, .attention = attentionOutOut, .prefix = prefixOptional,
       .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionVarLenScore(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                           const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionVarLenScore", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionVarLenScoreV2GetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value, const aclTensor* realShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclIntArray* prefixOptional, const aclIntArray* actualSeqQLenOptional,
    const aclIntArray* actualSeqKvLenOptional, const aclIntArray* qStartIdxOptional,
    const aclIntArray* kvStartIdxOptional, double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens,
    int64_t headNum, char* inputLayout, int64_t innerPrecise, int64_t sparseMode, int64_t pseType,
    const aclTensor* softmaxMaxOut, const aclTensor* softmaxSumOut, const aclTensor* softmaxOutOut,
    const aclTensor* attentionOutOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionVarLenScoreV2", .layouts = Layouts::Packed, .query = query, .key = key,
       .value = value, .pse = realShiftOptional, .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional,
       .attenMask = attenMaskOptional, .softmaxMax = softmaxMaxOut, .softmaxSum = softmaxSumOut,
       .softmaxOut = softmaxOutOut, .attention = attentionOutOut, .prefix = prefixOptional,
       .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional,
       .qStartIdx = qStartIdxOptional, .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode, .pseType = pseType},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionVarLenScoreV2(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                             const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionVarLenScoreV2", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionVarLenScoreV3GetWorkspaceSize(
    const aclTensor* query, const aclTensor* queryRope, const aclTensor* key, const aclTensor* keyRope,
    const aclTensor* value, const aclTensor* realShiftOptional, const aclTensor* dropMaskOptional,
    const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional, const aclIntArray* prefixOptional,
    const aclIntArray* actualSeqQLenOptional, const aclIntArray* actualSeqKvLenOptional,
    const aclIntArray* qStartIdxOptional, const aclIntArray* kvStartIdxOptional, double scaleValue, double keepProb,
    int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise,
    int64_t sparseMode, int64_t pseType, const aclTensor* softmaxMaxOut, const aclTensor* softmaxSumOut,
    const aclTensor* softmaxOutOut, const aclTensor* attentionOutOut, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionVarLenScoreV3", .layouts = Layouts::Packed, .rope = Rope::Beside, .needsRope = true,
       .query = query, .key = key, .value = value, .queryRope = queryRope, .keyRope = keyRope,
       .pse = realShiftOptional, .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional,
       .attenMask = attenMaskOptional, .softmaxMax = softmaxMaxOut, .softmaxSum = softmaxSumOut,
       .softmaxOut = softmaxOutOut, .attention = attentionOutOut, .prefix = prefixOptional,
       .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional,
       .qStartIdx = qStartIdxOptional, .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode, .pseType = pseType},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionVarLenScoreV3(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                             const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionVarLenScoreV3", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionVarLenScoreV4GetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value, const aclTensor* realShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclIntArray* prefixOptional, const aclIntArray* actualSeqQLenOptional,
    const aclIntArray* actualSeqKvLenOptional, double scaleValue, double keepProb, int64_t preTokens,
    int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise, int64_t sparseMode,
    char* softmaxOutLayout, const aclTensor* softmaxMaxOut, const aclTensor* softmaxSumOut,
    const aclTensor* softmaxOutOut, const aclTensor* attentionOutOut, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionVarLenScoreV4", .layouts = Layouts::Packed, .query = query, .key = key,
       .value = value, .pse = realShiftOptional, .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional,
       .attenMask = attenMaskOptional, .softmaxMax = softmaxMaxOut, .softmaxSum = softmaxSumOut,
       .softmaxOut = softmaxOutOut, .attention = attentionOutOut, .prefix = prefixOptional,
       .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode,
       .softmaxLayout = softmaxOutLayout},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionVarLenScoreV4(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                             const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionVarLenScoreV4", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionVarLenScoreV5GetWorkspaceSize(
    const aclTensor* query, const aclTensor* queryRope, const aclTensor* key, const aclTensor* keyRope,
    const aclTensor* value, const aclTensor* realShiftOptional, const aclTensor* dropMaskOptional,
    const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional, const aclTensor* sinkOptional,
    const aclIntArray* prefixOptional, const aclIntArray* actualSeqQLenOptional,
    const aclIntArray* actualSeqKvLenOptional, const aclIntArray* qStartIdxOptional,
    const aclIntArray* kvStartIdxOptional, double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens,
    int64_t headNum, char* inputLayout, int64_t innerPrecise, int64_t sparseMode, int64_t pseType,
    char* softmaxOutLayout, const aclTensor* softmaxMaxOut, const aclTensor* softmaxSumOut,
    const aclTensor* softmaxOutOut, const aclTensor* attentionOutOut, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionVarLenScoreV5", .layouts = Layouts::Packed, .rope = Rope::Beside, .hasSink = true,
       .query = query, .key = key, .value = value, .queryRope = queryRope, .keyRope = keyRope,
       .pse = realShiftOptional, .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional,
       .attenMask = attenMaskOptional, .sink = sinkOptional, .softmaxMax = softmaxMaxOut, .softmaxSum = softmaxSumOut,
       .softmaxOut = softmaxOutOut, .attention = attentionOutOut, .prefix = prefixOptional,
       .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional,
       .qStartIdx = qStartIdxOptional, .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode, .pseType = pseType,
       .softmaxLayout = softmaxOutLayout},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionVarLenScoreV5(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                             const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionVarLenScoreV5", workspace, workspaceSize, executor, stream);
}

}  // extern "C"
