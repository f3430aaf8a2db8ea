// SPDX-License-Identifier: Apache-2.0
// The arguments of flash attention by name, passed to whichever version of the operators takes them.
#pragma once

#include <tuple>
#include <type_traits>
#include <vector>

#include "aclnnop/aclnn_flash_attention_score.h"
#include "aclnnop/aclnn_flash_attention_score_grad.h"
#include "check.hpp"

namespace attention {

using Launch = aclnnStatus (*)(void*, uint64_t, aclOpExecutor*, aclrtStream);

constexpr int kScoreV4 = 9;  // takes all layouts, and so does its gradient

struct Api {
  bool packed = false;  // VarLenScore and UnpaddingScoreGrad instead of Score and ScoreGrad
  int version = 1;      // or kScoreV4
  const aclTensor *query = nullptr, *queryRope = nullptr, *key = nullptr, *keyRope = nullptr, *value = nullptr;
  const aclTensor *pse = nullptr, *dropMask = nullptr, *paddingMask = nullptr, *attenMask = nullptr;
  const aclTensor *dScaleQ = nullptr, *dScaleK = nullptr, *dScaleV = nullptr, *sink = nullptr, *dSink = nullptr;
  const aclTensor *dScaleDy = nullptr, *dScaleO = nullptr;
  const aclTensor *softmaxMax = nullptr, *softmaxSum = nullptr, *softmaxOut = nullptr, *attention = nullptr;
  const aclTensor *dy = nullptr, *dq = nullptr, *dqRope = nullptr, *dk = nullptr, *dkRope = nullptr, *dv = nullptr;
  const aclTensor* dpse = nullptr;
  const aclIntArray *prefix = nullptr, *qEnds = nullptr, *kvEnds = nullptr, *qStart = nullptr, *kvStart = nullptr;
  double scale = 1, keepProb = 1;
  int64_t pre = 65536, next = 65536, headNum = 1;
  const char* inputLayout = "BSND";
  int64_t innerPrecise = 0, sparseMode = 0, pseType = 1, outDtype = 0, seed = 0, offset = 0;
  const char* softmaxLayout = "";

  aclnnStatus prepareForward(uint64_t* size, aclOpExecutor** executor) const {
    return withForward(size, executor, [](auto function, const auto& arguments) {
      return std::apply(function, arguments);
    });
  }
  aclnnStatus prepareBackward(uint64_t* size, aclOpExecutor** executor) const {
    return withBackward(size, executor, [](auto function, const auto& arguments) {
      return std::apply(function, arguments);
    });
  }

  // All tensor arguments in the order of the C function.
  std::vector<const aclTensor*> tensors(bool ofBackward) const {
    std::vector<const aclTensor*> all;
    const auto collect = [&all](auto argument) {
      if constexpr (std::is_same_v<decltype(argument), const aclTensor*>) all.push_back(argument);
    };
    const auto use = [&collect](auto, const auto& arguments) {
      std::apply([&collect](auto... argument) { (collect(argument), ...); }, arguments);
      return aclnnStatus{0};
    };
    ofBackward ? withBackward(nullptr, nullptr, use) : withForward(nullptr, nullptr, use);
    return all;
  }

  Launch forward() const {
    static constexpr Launch kDense[] = {aclnnFlashAttentionScore, aclnnFlashAttentionScoreV2,
                                        aclnnFlashAttentionScoreV3};
    static constexpr Launch kPacked[] = {aclnnFlashAttentionVarLenScore, aclnnFlashAttentionVarLenScoreV2,
                                         aclnnFlashAttentionVarLenScoreV3, aclnnFlashAttentionVarLenScoreV4,
                                         aclnnFlashAttentionVarLenScoreV5};
    return version == kScoreV4 ? aclnnFlashAttentionScoreV4 : (packed ? kPacked : kDense)[version - 1];
  }

  Launch backward() const {
    static constexpr Launch kDense[] = {aclnnFlashAttentionScoreGrad, aclnnFlashAttentionScoreGradV2,
                                        aclnnFlashAttentionScoreGradV3};
    static constexpr Launch kPacked[] = {
        aclnnFlashAttentionUnpaddingScoreGrad, aclnnFlashAttentionUnpaddingScoreGradV2,
        aclnnFlashAttentionUnpaddingScoreGradV3, aclnnFlashAttentionUnpaddingScoreGradV4,
        aclnnFlashAttentionUnpaddingScoreGradV5};
    return version == kScoreV4 ? aclnnFlashAttentionScoreGradV4 : (packed ? kPacked : kDense)[version - 1];
  }

 private:
  template <class Use>
  aclnnStatus withForward(uint64_t* size, aclOpExecutor** executor, const Use& use) const {
    const std::tuple inputs(query, key, value, pse, dropMask, paddingMask, attenMask);
    const std::tuple twoParts(query, queryRope, key, keyRope, value, pse, dropMask, paddingMask, attenMask);
    const std::tuple outputs(softmaxMax, softmaxSum, softmaxOut, attention, size, executor);
    const auto call = [&use](auto function, auto... parts) { return use(function, std::tuple_cat(parts...)); };
    if (version == kScoreV4) {
      return call(aclnnFlashAttentionScoreV4GetWorkspaceSize, inputs,
                  std::tuple(queryRope, keyRope, dScaleQ, dScaleK, dScaleV, sink), arrays(), ends(), starts(),
                  numbers(), std::tuple(outDtype, pseType), order(), std::tuple(seed, offset), outputs);
    }
    if (!packed) {
      switch (version) {
        case 1: return call(aclnnFlashAttentionScoreGetWorkspaceSize, inputs, arrays(), numbers(), outputs);
        case 2:
          return call(aclnnFlashAttentionScoreV2GetWorkspaceSize, inputs, arrays(), starts(), numbers(), type(),
                      outputs);
        case 3:
          return call(aclnnFlashAttentionScoreV3GetWorkspaceSize, inputs, std::tuple(sink), arrays(), starts(),
                      numbers(), type(), outputs);
      }
      throw check::Failure("no such version");
    }
    switch (version) {
      case 1:
        return call(aclnnFlashAttentionVarLenScoreGetWorkspaceSize, inputs, arrays(), ends(), numbers(), outputs);
      case 2:
        return call(aclnnFlashAttentionVarLenScoreV2GetWorkspaceSize, inputs, arrays(), ends(), starts(), numbers(),
                    type(), outputs);
      case 3:
        return call(aclnnFlashAttentionVarLenScoreV3GetWorkspaceSize, twoParts, arrays(), ends(), starts(), numbers(),
                    type(), outputs);
      case 4:
        return call(aclnnFlashAttentionVarLenScoreV4GetWorkspaceSize, inputs, arrays(), ends(), numbers(), order(),
                    outputs);
      case 5:
        return call(aclnnFlashAttentionVarLenScoreV5GetWorkspaceSize, twoParts, std::tuple(sink), arrays(), ends(),
                    starts(), numbers(), type(), order(), outputs);
    }
    throw check::Failure("no such version");
  }

  template <class Use>
  aclnnStatus withBackward(uint64_t* size, aclOpExecutor** executor, const Use& use) const {
    const std::tuple inputs(query, key, value);
    const std::tuple twoParts(query, queryRope, key, keyRope, value);
    const std::tuple rest(dy, pse, dropMask, paddingMask, attenMask, softmaxMax, softmaxSum, softmaxOut, attention);
    const std::tuple outputs(dq, dk, dv, dpse);
    const std::tuple outputsOfParts(dq, dqRope, dk, dkRope, dv, dpse);
    const std::tuple end(size, executor);
    const auto call = [&use](auto function, auto... parts) { return use(function, std::tuple_cat(parts...)); };
    if (version == kScoreV4) {
      return call(aclnnFlashAttentionScoreGradV4GetWorkspaceSize, inputs, rest,
                  std::tuple(sink, queryRope, keyRope, dScaleQ, dScaleK, dScaleV, dScaleDy, dScaleO), arrays(), ends(),
                  starts(), std::tuple(scale, keepProb, pre, next, headNum, const_cast<char*>(inputLayout)), order(),
                  std::tuple(innerPrecise, sparseMode, pseType, seed, offset, outDtype),
                  std::tuple(dq, dk, dv, dqRope, dkRope, dpse, dSink), end);
    }
    if (!packed) {
      switch (version) {
        case 1:
          return call(aclnnFlashAttentionScoreGradGetWorkspaceSize, inputs, rest, arrays(), numbers(), outputs, end);
        case 2:
          return call(aclnnFlashAttentionScoreGradV2GetWorkspaceSize, inputs, rest, arrays(), starts(), numbers(),
                      type(), outputs, end);
        case 3:
          return call(aclnnFlashAttentionScoreGradV3GetWorkspaceSize, inputs, rest, std::tuple(sink), arrays(),
                      starts(), numbers(), type(), outputs, std::tuple(dSink), end);
      }
      throw check::Failure("no such version");
    }
    switch (version) {
      case 1:
        return call(aclnnFlashAttentionUnpaddingScoreGradGetWorkspaceSize, inputs, rest, arrays(), ends(), numbers(),
                    outputs, end);
      case 2:
        return call(aclnnFlashAttentionUnpaddingScoreGradV2GetWorkspaceSize, inputs, rest, arrays(), ends(), starts(),
                    numbers(), type(), outputs, end);
      case 3:
        return call(aclnnFlashAttentionUnpaddingScoreGradV3GetWorkspaceSize, twoParts, rest, arrays(), ends(), starts(),
                    numbers(), type(), outputsOfParts, end);
      case 4:
        return call(aclnnFlashAttentionUnpaddingScoreGradV4GetWorkspaceSize, inputs, rest, arrays(), ends(), numbers(),
                    outputs, order(), end);
      case 5:
        return call(aclnnFlashAttentionUnpaddingScoreGradV5GetWorkspaceSize, twoParts, rest, std::tuple(sink), arrays(),
                    ends(), starts(), numbers(), type(), order(), outputsOfParts, std::tuple(dSink), end);
    }
    throw check::Failure("no such version");
  }

  std::tuple<const aclIntArray*> arrays() const { return {prefix}; }
  std::tuple<const aclIntArray*, const aclIntArray*> ends() const { return {qEnds, kvEnds}; }
  std::tuple<const aclIntArray*, const aclIntArray*> starts() const { return {qStart, kvStart}; }
  std::tuple<double, double, int64_t, int64_t, int64_t, char*, int64_t, int64_t> numbers() const {
    return {scale, keepProb, pre, next, headNum, const_cast<char*>(inputLayout), innerPrecise, sparseMode};
  }
  std::tuple<int64_t> type() const { return {pseType}; }
  std::tuple<char*> order() const { return {const_cast<char*>(softmaxLayout)}; }
};

}  // namespace attention
