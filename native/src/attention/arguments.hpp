// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "aclnn/aclnn_base.h"
#include "aclnn/executor.hpp"
#include "attention/problem.hpp"

namespace cann4j::attention {

enum class Layouts { Dense, Packed, All };  // BSH, SBH, BSND, BNSD; TND; all five

// Where a version has the rotary parts among its parameters: nowhere, each beside the tensor that it belongs to, or
// behind attenMask, in gradients behind the sink, together with the scales of quantized tensors.
enum class Rope { None, Beside, Behind };

// What the flash attention operators take, by CANN's names. What a version lacks keeps the value that it stands for.
struct Arguments {
  const char* op;
  Layouts layouts = Layouts::Dense;
  bool backward = false;
  Rope rope = Rope::None;
  bool needsRope = false;  // V3: query and key come in two parts each
  bool hasSink = false;
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
  const aclTensor* dScaleQ = nullptr;
  const aclTensor* dScaleK = nullptr;
  const aclTensor* dScaleV = nullptr;
  const aclTensor* dScaleDy = nullptr;
  const aclTensor* dScaleO = nullptr;
  const aclTensor* sink = nullptr;
  const aclTensor* softmaxMax = nullptr;
  const aclTensor* softmaxSum = nullptr;
  const aclTensor* softmaxOut = nullptr;  // never written; in the backward softmaxIn, never read
  const aclTensor* attention = nullptr;   // attentionOut, in the backward attentionIn
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
  std::optional<int64_t> outDtype = std::nullopt;
  int64_t pseType = 1;
  const char* softmaxLayout = "";
  const aclTensor* dq = nullptr;
  const aclTensor* dqRope = nullptr;
  const aclTensor* dk = nullptr;
  const aclTensor* dkRope = nullptr;
  const aclTensor* dv = nullptr;
  const aclTensor* dpse = nullptr;  // not computed
  const aclTensor* dSink = nullptr;
};

// Extents of all rows of a tensor, for filling it.
struct Extent {
  int64_t batches;
  int64_t rows;
  int64_t heads;
  int64_t dim;
};

// The bytes of a tensor in logical order, which kernels want without gaps.
struct Gathered {
  int64_t bytes = 0;
  std::vector<int64_t> dims = {};
  std::vector<int64_t> strides = {};
};

// The compressed form of attenMask, which kernels do not read: who sees whom follows from the mode.
struct CompressedMask {
  const uint8_t* data = nullptr;
  int64_t rows = 0;  // 2048, or 3072 with prefixes; 0: none
  int64_t rowStride = 0;
  int64_t columnStride = 0;
};

// A checked call. Addresses in `problem` are device addresses until bind() translates them.
struct Request {
  const char* op = nullptr;
  Problem problem{};
  std::vector<Sequence> sequences;
  bool packed = false;
  Extent query{};
  Extent key{};
  Extent value{};
  bool nothingToDo = false;
  std::vector<DeviceSpan> spans;
  bool backward = false;
  // Which optional tensors the kernels look at: their addresses may be NULL until they are bound.
  bool usesMask = false;
  bool usesSink = false;
  bool usesSinkGradient = false;
  bool needsQuerySum = false;  // dq cannot accumulate in the output
  Gathered dropMask;           // where dropMask has gaps
  CompressedMask compressedMask;

  uint64_t workspaceBytes() const;
};

// Checks everything that phase 1 must refuse and translates the rest.
aclnnStatus readArguments(const Arguments& a, Request* request);

// A device would compute nonsense with a compressed mask that does not hold the pattern of its mode: an error of the
// stream. Looks at a few elements, in strict mode at all.
aclError checkCompressedMask(const Request& request, const Binding& memory);

// The problem with host addresses.
Problem bind(const Request& request, const Binding& memory);

}  // namespace cann4j::attention
