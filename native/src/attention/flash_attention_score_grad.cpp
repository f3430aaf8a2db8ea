// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_flash_attention_score_grad.h"

#include "attention/arguments.hpp"
#include "attention/launch.hpp"

using cann4j::attention::Layouts;
using cann4j::attention::prepare;
using cann4j::attention::Rope;

extern "C" {

aclnnStatus aclnnFlashAttentionScoreGradGetWorkspaceSize(
    const aclTensor* query, const aclTensor* keyIn, const aclTensor* value, const aclTensor* dy,
    const aclTensor* pseShiftOptional, const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional,
    const aclTensor* attenMaskOptional, const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional,
    const aclTensor* softmaxInOptional, const aclTensor* attentionInOptional, const aclIntArray* prefixOptional,
    double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout,
    int64_t innerPrecise, int64_t sparseMode, const aclTensor* dqOut, const aclTensor* dkOut, const aclTensor* dvOut,
    const aclTensor* dpseOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionScoreGrad", .backward = true, .query = query, .key = keyIn, .value = value, .dy = dy,
       .pse = pseShiftOptional, .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional,
       .attenMask = attenMaskOptional, .softmaxMax = softmaxMaxOptional, .softmaxSum = softmaxSumOptional,
       .softmaxOut = softmaxInOptional, .attention = attentionInOptional, .prefix = prefixOptional,
       .scaleValue = scaleValue, .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens,
       .headNum = headNum, .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode,
       .dq = dqOut, .dk = dkOut, .dv = dvOut, .dpse = dpseOut},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionScoreGrad(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                         const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionScoreGrad", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionScoreGradV2GetWorkspaceSize(
    const aclTensor* query, const aclTensor* keyIn, const aclTensor* value, const aclTensor* dy,
    const aclTensor* pseShiftOptional, const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional,
    const aclTensor* attenMaskOptional, const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional,
    const aclTensor* softmaxInOptional, const aclTensor* attentionInOptional, const aclIntArray* prefixOptional,
    const aclIntArray* qStartIdxOptional, const aclIntArray* kvStartIdxOptional, double scaleValue, double keepProb,
    int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise,
    int64_t sparseMode, int64_t pseType, const aclTensor* dqOut, const aclTensor* dkOut, const aclTensor* dvOut,
    const aclTensor* dpseOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionScoreGradV2", .backward = true, .query = query, .key = keyIn, .value = value,
       .dy = dy, .pse = pseShiftOptional, .dropMask = dropMaskOptional, .paddingMask = paddingMaskOptional,
       .attenMask = attenMaskOptional, .softmaxMax = softmaxMaxOptional, .softmaxSum = softmaxSumOptional,
       .softmaxOut = softmaxInOptional, .attention = attentionInOptional, .prefix = prefixOptional,
       .qStartIdx = qStartIdxOptional, .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode, .pseType = pseType,
       .dq = dqOut, .dk = dkOut, .dv = dvOut, .dpse = dpseOut},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionScoreGradV2(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                           const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionScoreGradV2", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionScoreGradV3GetWorkspaceSize(
    const aclTensor* query, const aclTensor* keyIn, const aclTensor* value, const aclTensor* dy,
    const aclTensor* pseShiftOptional, const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional,
    const aclTensor* attenMaskOptional, const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional,
    const aclTensor* softmaxInOptional, const aclTensor* attentionInOptional, const aclTensor* sinkInOptional,
    const aclIntArray* prefixOptional, const aclIntArray* qStartIdxOptional, const aclIntArray* kvStartIdxOptional,
    double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout,
    int64_t innerPrecise, int64_t sparseMode, int64_t pseType, const aclTensor* dqOut, const aclTensor* dkOut,
    const aclTensor* dvOut, const aclTensor* dpseOut, const aclTensor* dsinkOut, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionScoreGradV3", .backward = true, .hasSink = true, .query = query, .key = keyIn,
       .value = value, .dy = dy, .pse = pseShiftOptional, .dropMask = dropMaskOptional,
       .paddingMask = paddingMaskOptional, .attenMask = attenMaskOptional, .sink = sinkInOptional,
       .softmaxMax = softmaxMaxOptional, .softmaxSum = softmaxSumOptional, .softmaxOut = softmaxInOptional,
       .attention = attentionInOptional, .prefix = prefixOptional, .qStartIdx = qStartIdxOptional,
       .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue, .keepProb = keepProb, .preTokens = preTokens,
       .nextTokens = nextTokens, .headNum = headNum, .inputLayout = inputLayout, .innerPrecise = innerPrecise,
       .sparseMode = sparseMode, .pseType = pseType, .dq = dqOut, .dk = dkOut, .dv = dvOut, .dpse = dpseOut,
       .dSink = dsinkOut},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionScoreGradV3(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                           const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionScoreGradV3", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionScoreGradV4GetWorkspaceSize(
    const aclTensor* query, const aclTensor* keyIn, const aclTensor* value, const aclTensor* dy,
    const aclTensor* pseShiftOptional, const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional,
    const aclTensor* attenMaskOptional, const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional,
    const aclTensor* softmaxInOptional, const aclTensor* attentionInOptional, const aclTensor* sinkInOptional,
    const aclTensor* queryRopeOptional, const aclTensor* keyRopeOptional, const aclTensor* dScaleQOptional,
    const aclTensor* dScaleKOptional, const aclTensor* dScaleVOptional, const aclTensor* dScaleDyOptional,
    const aclTensor* dScaleOOptional, const aclIntArray* prefixOptional, const aclIntArray* actualSeqQLenOptional,
    const aclIntArray* actualSeqKvLenOptional, const aclIntArray* qStartIdxOptional,
    const aclIntArray* kvStartIdxOptional, double scaleValue, double keepProb, int64_t preTokens, int64_t nextTokens,
    int64_t headNum, char* inputLayout, char* softmaxInLayout, int64_t innerPrecise, int64_t sparseMode,
    int64_t pseType, int64_t /*seed: the mask is given*/, int64_t /*offset: the same*/, int64_t outDtype,
    const aclTensor* dqOut, const aclTensor* dkOut, const aclTensor* dvOut, const aclTensor* dqRopeOut,
    const aclTensor* dkRopeOut, const aclTensor* dpseOut, const aclTensor* dsinkOut, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionScoreGradV4", .layouts = Layouts::All, .backward = true, .rope = Rope::Behind,
       .hasSink = true, .query = query, .key = keyIn, .value = value, .queryRope = queryRopeOptional,
       .keyRope = keyRopeOptional, .dy = dy, .pse = pseShiftOptional, .dropMask = dropMaskOptional,
       .paddingMask = paddingMaskOptional, .attenMask = attenMaskOptional, .dScaleQ = dScaleQOptional,
       .dScaleK = dScaleKOptional, .dScaleV = dScaleVOptional, .dScaleDy = dScaleDyOptional,
       .dScaleO = dScaleOOptional, .sink = sinkInOptional, .softmaxMax = softmaxMaxOptional,
       .softmaxSum = softmaxSumOptional, .softmaxOut = softmaxInOptional, .attention = attentionInOptional,
       .prefix = prefixOptional, .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional,
       .qStartIdx = qStartIdxOptional, .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode, .outDtype = outDtype,
       .pseType = pseType, .softmaxLayout = softmaxInLayout, .dq = dqOut, .dqRope = dqRopeOut, .dk = dkOut,
       .dkRope = dkRopeOut, .dv = dvOut, .dpse = dpseOut, .dSink = dsinkOut},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionScoreGradV4(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                           const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionScoreGradV4", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGradGetWorkspaceSize(
    const aclTensor* query, const aclTensor* keyIn, const aclTensor* value, const aclTensor* dy,
    const aclTensor* pseShiftOptional, const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional,
    const aclTensor* attenMaskOptional, const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional,
    const aclTensor* softmaxInOptional, const aclTensor* attentionInOptional, const aclIntArray* prefixOptional,
    const aclIntArray* actualSeqQLenOptional, const aclIntArray* actualSeqKvLenOptional, double scaleValue,
    double keepProb, int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise,
    int64_t sparseMode, const aclTensor* dqOut, const aclTensor* dkOut, const aclTensor* dvOut,
    const aclTensor* dpseOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionUnpaddingScoreGrad", .layouts = Layouts::Packed, .backward = true, .query = query,
       .key = keyIn, .value = value, .dy = dy, .pse = pseShiftOptional, .dropMask = dropMaskOptional,
       .paddingMask = paddingMaskOptional, .attenMask = attenMaskOptional, .softmaxMax = softmaxMaxOptional,
       .softmaxSum = softmaxSumOptional, .softmaxOut = softmaxInOptional, .attention = attentionInOptional,
       .prefix = prefixOptional, .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional,
       .scaleValue = scaleValue, .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens,
       .headNum = headNum, .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode,
       .dq = dqOut, .dk = dkOut, .dv = dvOut, .dpse = dpseOut},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGrad(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                                  const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionUnpaddingScoreGrad", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGradV2GetWorkspaceSize(
    const aclTensor* query, const aclTensor* keyIn, const aclTensor* value, const aclTensor* dy,
    const aclTensor* pseShiftOptional, const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional,
    const aclTensor* attenMaskOptional, const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional,
    const aclTensor* softmaxInOptional, const aclTensor* attentionInOptional, const aclIntArray* prefixOptional,
    const aclIntArray* actualSeqQLenOptional, const aclIntArray* actualSeqKvLenOptional,
    const aclIntArray* qStartIdxOptional, const aclIntArray* kvStartIdxOptional, double scaleValue, double keepProb,
    int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise,
    int64_t sparseMode, int64_t pseType, const aclTensor* dqOut, const aclTensor* dkOut, const aclTensor* dvOut,
    const aclTensor* dpseOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionUnpaddingScoreGradV2", .layouts = Layouts::Packed, .backward = true, .query = query,
       .key = keyIn, .value = value, .dy = dy, .pse = pseShiftOptional, .dropMask = dropMaskOptional,
       .paddingMask = paddingMaskOptional, .attenMask = attenMaskOptional, .softmaxMax = softmaxMaxOptional,
       .softmaxSum = softmaxSumOptional, .softmaxOut = softmaxInOptional, .attention = attentionInOptional,
       .prefix = prefixOptional, .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional,
       .qStartIdx = qStartIdxOptional, .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode, .pseType = pseType,
       .dq = dqOut, .dk = dkOut, .dv = dvOut, .dpse = dpseOut},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGradV2(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                                    const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionUnpaddingScoreGradV2", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGradV3GetWorkspaceSize(
    const aclTensor* query, const aclTensor* queryRope, const aclTensor* keyIn, const aclTensor* keyInRope,
    const aclTensor* value, const aclTensor* dy, const aclTensor* pseShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional, const aclTensor* softmaxInOptional,
    const aclTensor* attentionInOptional, const aclIntArray* prefixOptional,
    const aclIntArray* actualSeqQLenOptional, const aclIntArray* actualSeqKvLenOptional,
    const aclIntArray* qStartIdxOptional, const aclIntArray* kvStartIdxOptional, double scaleValue, double keepProb,
    int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise,
    int64_t sparseMode, int64_t pseType, const aclTensor* dqOut, const aclTensor* dqRopeOut, const aclTensor* dkOut,
    const aclTensor* dkRopeOut, const aclTensor* dvOut, const aclTensor* dpseOut, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionUnpaddingScoreGradV3", .layouts = Layouts::Packed, .backward = true,
       .rope = Rope::Beside, .needsRope = true, .query = query, .key = keyIn, .value = value, .queryRope = queryRope,
       .keyRope = keyInRope, .dy = dy, .pse = pseShiftOptional, .dropMask = dropMaskOptional,
       .paddingMask = paddingMaskOptional, .attenMask = attenMaskOptional, .softmaxMax = softmaxMaxOptional,
       .softmaxSum = softmaxSumOptional, .softmaxOut = softmaxInOptional, .attention = attentionInOptional,
       .prefix = prefixOptional, .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional,
       .qStartIdx = qStartIdxOptional, .kvStartIdx = kvStartIdxOptional, .scaleValue = scaleValue,
       .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens, .headNum = headNum,
       .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode, .pseType = pseType,
       .dq = dqOut, .dqRope = dqRopeOut, .dk = dkOut, .dkRope = dkRopeOut, .dv = dvOut, .dpse = dpseOut},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGradV3(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                                    const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionUnpaddingScoreGradV3", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGradV4GetWorkspaceSize(
    const aclTensor* query, const aclTensor* keyIn, const aclTensor* value, const aclTensor* dy,
    const aclTensor* pseShiftOptional, const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional,
    const aclTensor* attenMaskOptional, const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional,
    const aclTensor* softmaxInOptional, const aclTensor* attentionInOptional, const aclIntArray* prefixOptional,
    const aclIntArray* actualSeqQLenOptional, const aclIntArray* actualSeqKvLenOptional, double scaleValue,
    double keepProb, int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise,
    int64_t sparseMode, const aclTensor* dqOut, const aclTensor* dkOut, const aclTensor* dvOut,
    const aclTensor* dpseOut, char* softmaxInLayout, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionUnpaddingScoreGradV4", .layouts = Layouts::Packed, .backward = true, .query = query,
       .key = keyIn, .value = value, .dy = dy, .pse = pseShiftOptional, .dropMask = dropMaskOptional,
       .paddingMask = paddingMaskOptional, .attenMask = attenMaskOptional, .softmaxMax = softmaxMaxOptional,
       .softmaxSum = softmaxSumOptional, .softmaxOut = softmaxInOptional, .attention = attentionInOptional,
       .prefix = prefixOptional, .actualSeqQLen = actualSeqQLenOptional, .actualSeqKvLen = actualSeqKvLenOptional,
       .scaleValue = scaleValue, .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens,
       .headNum = headNum, .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode,
       .softmaxLayout = softmaxInLayout, .dq = dqOut, .dk = dkOut, .dv = dvOut, .dpse = dpseOut},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGradV4(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                                    const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionUnpaddingScoreGradV4", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGradV5GetWorkspaceSize(
    const aclTensor* query, const aclTensor* queryRope, const aclTensor* keyIn, const aclTensor* keyInRope,
    const aclTensor* value, const aclTensor* dy, const aclTensor* pseShiftOptional,
    const aclTensor* dropMaskOptional, const aclTensor* paddingMaskOptional, const aclTensor* attenMaskOptional,
    const aclTensor* softmaxMaxOptional, const aclTensor* softmaxSumOptional, const aclTensor* softmaxInOptional,
    const aclTensor* attentionInOptional, const aclTensor* sinkInOptional, const aclIntArray* prefixOptional,
    const aclIntArray* actualSeqQLenOptional, const aclIntArray* actualSeqKvLenOptional,
    const aclIntArray* qStartIdxOptional, const aclIntArray* kvStartIdxOptional, double scaleValue, double keepProb,
    int64_t preTokens, int64_t nextTokens, int64_t headNum, char* inputLayout, int64_t innerPrecise,
    int64_t sparseMode, int64_t pseType, char* softmaxInLayout, const aclTensor* dqOut, const aclTensor* dqRopeOut,
    const aclTensor* dkOut, const aclTensor* dkRopeOut, const aclTensor* dvOut, const aclTensor* dpseOut,
    const aclTensor* dsinkOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepare(
      {.op = "aclnnFlashAttentionUnpaddingScoreGradV5", .layouts = Layouts::Packed, .backward = true,
       .rope = Rope::Beside, .hasSink = true, .query = query, .key = keyIn, .value = value, .queryRope = queryRope,
       .keyRope = keyInRope, .dy = dy, .pse = pseShiftOptional, .dropMask = dropMaskOptional,
       .paddingMask = paddingMaskOptional, .attenMask = attenMaskOptional, .sink = sinkInOptional,
       .softmaxMax = softmaxMaxOptional, .softmaxSum = softmaxSumOptional, .softmaxOut = softmaxInOptional,
       .attention = attentionInOptional, .prefix = prefixOptional, .actualSeqQLen = actualSeqQLenOptional,
       .actualSeqKvLen = actualSeqKvLenOptional, .qStartIdx = qStartIdxOptional, .kvStartIdx = kvStartIdxOptional,
       .scaleValue = scaleValue, .keepProb = keepProb, .preTokens = preTokens, .nextTokens = nextTokens,
       .headNum = headNum, .inputLayout = inputLayout, .innerPrecise = innerPrecise, .sparseMode = sparseMode,
       .pseType = pseType, .softmaxLayout = softmaxInLayout, .dq = dqOut, .dqRope = dqRopeOut, .dk = dkOut,
       .dkRope = dkRopeOut, .dv = dvOut, .dpse = dpseOut, .dSink = dsinkOut},
      workspaceSize, executor);
}

aclnnStatus aclnnFlashAttentionUnpaddingScoreGradV5(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                                                    const aclrtStream stream) {
  return cann4j::launch("aclnnFlashAttentionUnpaddingScoreGradV5", workspace, workspaceSize, executor, stream);
}

}  // extern "C"
