// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "aclnn/aclnn_base.h"
#include "aclnn/executor.hpp"
#include "attention/problem.hpp"

namespace cann4j::attention {

enum class Layouts { Dense, Packed };  // BSH, SBH, BSND, BNSD; TND

// What the flash attention operators take, by CANN's names. What a version lacks keeps the value that it stands for.
struct Arguments {
  const char* op;
  Layouts layouts = Layouts::Dense;
  bool backward = false;
  bool needsRope = false;  // V3: query and key come in two parts each
  const aclTensor* query = nullptr;
  const aclTensor* key = nullptr;
  const aclTensor* value = nullptr;
  const aclTensor* queryRope = nullptr;
  const aclTensor* keyRope = nullptr;
  const aclTensor* dy = nullptr;
  const aclTensor* pse = nullptr;
  const aclTensor* dropMask = nullptr;
  const aclTensor* paddingMask = nullptr;
  const aclTensor* attenMask = nullptr;
  const aclTensor* softmaxMax = nullptr;
  const aclTensor* softmaxSum = nullptr;
  const aclTensor* softmaxOut = nullptr;  // never written; in the backward softmaxIn, never read
  const aclTensor* attention = nullptr;  // attentionOut, in the backward attentionIn
  const aclIntArray* prefix = nullptr;
  const aclIntArray* actualSeqQLen = nullptr;
  const aclIntArray* actualSeqKvLen = nullptr;
  const aclIntArray* qStartIdx = nullptr;
  const aclIntArray* kvStartIdx = nullptr;
  double scaleValue = 1;
  double keepProb = 1;
  int64_t preTokens = 0;
  int64_t nextTokens = 0;
  int64_t headNum = 0;
  const char* inputLayout = nullptr;
  int64_t innerPrecise = 0;
  int64_t sparseMode = 0;
  int64_t pseType = 1;
  const char* softmaxLayout = "";
  const aclTensor* dq = nullptr;
  const aclTensor* dqRope = nullptr;
  const aclTensor* dk = nullptr;
  const aclTensor* dkRope = nullptr;
  const aclTensor* dv = nullptr;
  const aclTensor* dpse = nullptr;  // not computed
};

// Extents of all rows of a tensor, for filling it.
struct Extent {
  int64_t batches;
  int64_t rows;
  int64_t heads;
  int64_t dim;
};

// A checked call. Addresses in `problem` are device addresses until bind() translates them.
struct Request {
  Problem problem{};
  std::vector<Sequence> sequences;
  Extent query{};
  Extent key{};
  Extent value{};
  bool nothingToDo = false;
  std::vector<DeviceSpan> spans;
  bool backward = false;
  bool needsQuerySum = false;  // dq cannot accumulate in the output

  uint64_t workspaceBytes() const;
};

// Checks everything that phase 1 must refuse and translates the rest.
aclnnStatus readArguments(const Arguments& a, Request* request);

// The problem with host addresses.
Problem bind(const Request& request, const Binding& memory);

}  // namespace cann4j::attention
