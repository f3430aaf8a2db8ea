// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_ring_attention_update.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "arguments.hpp"
#include "element.hpp"
#include "ranges.hpp"
#include "runtime/thread_pool.hpp"

using namespace cann4j;

namespace {

constexpr int64_t kCopies = 8;  // of each softmax statistic
constexpr int64_t kLongestHead = 768;
constexpr int64_t kMostHeads = 256;
constexpr int64_t kChunk = 256;

// A tensor of three or four dimensions without the object behind it.
struct Strided {
  Strided(const char* name, const aclTensor& tensor)
      : argument(name), origin(tensor.originAddress()), itemSize(aclDataTypeSize(tensor.dataType)) {
    std::copy(tensor.strides.begin(), tensor.strides.end(), strides);
  }

  template <class... Index>
  void* at(Index... index) const {
    int64_t offset = 0;
    int dim = 0;
    ((offset += index * strides[dim++]), ...);
    return reinterpret_cast<void*>(origin + static_cast<uintptr_t>(offset) * itemSize);
  }

  void bind(const Binding& memory) {
    origin = reinterpret_cast<uintptr_t>(
        memory.host(argument, reinterpret_cast<void*>(origin)));
  }

  const char* argument;
  uintptr_t origin;  // device address, host address once bound
  size_t itemSize;
  int64_t strides[4] = {};
};

// Where the statistics of row t and head n are.
enum class Order {
  kSbh,     // [batch][head][row]
  kBlocks,  // TND: [head][row] for each sequence
  kTokens,  // TND: [row][head]
};

struct Arguments {
  const char* op;
  Strided prevOut, prevMax, prevSum, curOut, curMax, curSum, out, max, sum;
  const int64_t* prefix;  // device address of the sequence prefix sums, host address once bound
  int64_t prefixStride;
  int64_t sequences;
  int64_t rows;           // S, or T
  int64_t batch;          // 1 for TND
  int64_t heads;
  int64_t headSize;
  Order order;
  bool isPlain;  // rows of floats, one after the other
  Loader<float> load;
  Storer<float> store;

  Arguments bound(const Binding& memory) const {
    Arguments a = *this;
    for (Strided* t : {&a.prevOut, &a.prevMax, &a.prevSum, &a.curOut, &a.curMax, &a.curSum, &a.out,
                       &a.max, &a.sum}) {
      t->bind(memory);
    }
    a.prefix = memory.host("actualSeqQlen", prefix);
    return a;
  }
};

// Of any type and stride.
void mergeColumns(const Arguments& a, const char* prev, float prevWeight, const char* cur,
                  float curWeight, char* out, const int64_t columnStride[3]) {
  const auto itemSize = static_cast<int64_t>(a.out.itemSize);
  for (int64_t begin = 0; begin < a.headSize; begin += kChunk) {
    const int64_t n = std::min(kChunk, a.headSize - begin);
    float x[kChunk];
    float y[kChunk];
    a.load(prev + begin * columnStride[0] * itemSize, columnStride[0], n, x);
    a.load(cur + begin * columnStride[1] * itemSize, columnStride[1], n, y);
    for (int64_t i = 0; i < n; ++i) {
      x[i] = x[i] * prevWeight + y[i] * curWeight;
    }
    a.store(x, out + begin * columnStride[2] * itemSize, columnStride[2], n);
  }
}

// Merges one row of one head. statistic(x): where that row is in a softmax tensor.
template <class Statistic>
void mergeRow(const Arguments& a, const Statistic& statistic, const char* prev, const char* cur,
              char* out, const int64_t statisticStride[3], const int64_t columnStride[3]) {
  const float prevMax = *static_cast<const float*>(statistic(a.prevMax));
  const float prevSum = *static_cast<const float*>(statistic(a.prevSum));
  const float curMax = *static_cast<const float*>(statistic(a.curMax));
  const float curSum = *static_cast<const float*>(statistic(a.curSum));
  const float max = std::max(prevMax, curMax);
  const float prevPart = prevSum * std::exp(prevMax - max);
  const float curPart = curSum * std::exp(curMax - max);
  const float sum = prevPart + curPart;
  const float prevWeight = prevPart / sum;
  const float curWeight = curPart / sum;
  if (a.isPlain) {
    const auto* x = reinterpret_cast<const float*>(prev);
    const auto* y = reinterpret_cast<const float*>(cur);
    auto* sums = reinterpret_cast<float*>(out);
    for (int64_t i = 0; i < a.headSize; ++i) {
      sums[i] = x[i] * prevWeight + y[i] * curWeight;
    }
  } else {
    mergeColumns(a, prev, prevWeight, cur, curWeight, out, columnStride);
  }
  float* maxOut = static_cast<float*>(statistic(a.max));
  float* sumOut = static_cast<float*>(statistic(a.sum));
  for (int64_t k = 0; k < kCopies; ++k) {
    maxOut[k * statisticStride[0]] = max;
    sumOut[k * statisticStride[1]] = sum;
  }
}

void mergeSbh(const Arguments& a) {
  int64_t statisticStride[] = {a.max.strides[3], a.sum.strides[3], 0};
  int64_t columnStride[] = {a.prevOut.strides[2], a.curOut.strides[2], a.out.strides[2]};
  forEachRange(a.rows * a.batch, a.heads * a.headSize, [&](int64_t first, int64_t last) {
    for (int64_t index = first; index < last; ++index) {
      const int64_t s = index / a.batch;
      const int64_t b = index % a.batch;
      for (int64_t n = 0; n < a.heads; ++n) {
        const int64_t column = n * a.headSize;
        mergeRow(
            a, [&](const Strided& t) { return t.at(b, n, s, int64_t{0}); },
            static_cast<const char*>(a.prevOut.at(s, b, column)),
            static_cast<const char*>(a.curOut.at(s, b, column)),
            static_cast<char*>(a.out.at(s, b, column)), statisticStride, columnStride);
      }
    }
  });
}

aclError mergeTnd(const Arguments& a) {
  std::vector<int64_t> begins{0, a.rows};
  // With one head both orders are the same, and the sums are not looked at.
  if (a.order == Order::kBlocks && a.heads > 1) {
    begins.clear();
    for (int64_t i = 0; i <= a.sequences; ++i) {
      begins.push_back(a.prefix[i * a.prefixStride]);
    }
    if (begins.front() != 0 || begins.back() != a.rows ||
        !std::is_sorted(begins.begin(), begins.end())) {
      return fail(ACL_ERROR_RT_AICORE_EXCEPTION,
                  "%s: actualSeqQlen holds %s, not rising sums from 0 to T = %lld", a.op,
                  shapeText(begins).c_str(), static_cast<long long>(a.rows));
    }
  }
  int64_t statisticStride[] = {a.max.strides[2], a.sum.strides[2], 0};
  int64_t columnStride[] = {a.prevOut.strides[2], a.curOut.strides[2], a.out.strides[2]};
  ThreadPool::instance().parallelFor(a.rows, [&](int64_t t) {
    const auto next = std::upper_bound(begins.begin(), begins.end(), t);
    const int64_t begin = *(next - 1);
    const int64_t length = *next - begin;
    for (int64_t n = 0; n < a.heads; ++n) {
      const int64_t place = a.order == Order::kTokens
                                ? t * a.heads + n
                                : begin * a.heads + n * length + (t - begin);
      mergeRow(
          a,
          [&](const Strided& s) { return s.at(place / a.heads, place % a.heads, int64_t{0}); },
          static_cast<const char*>(a.prevOut.at(t, n, int64_t{0})),
          static_cast<const char*>(a.curOut.at(t, n, int64_t{0})),
          static_cast<char*>(a.out.at(t, n, int64_t{0})), statisticStride, columnStride);
    }
  });
  return ACL_SUCCESS;
}

aclnnStatus checkAttention(const char* op, const char* name, const aclTensor* tensor,
                           const aclTensor* first) {
  RETURN_IF_FAILED(checkTensor(op, name, tensor));
  if (tensor->format != ACL_FORMAT_ND) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the format %d, not ACL_FORMAT_ND", op, name,
                tensor->format);
  }
  if (numberClass(tensor->dataType) != NumberClass::kFloat ||
      tensor->dataType != first->dataType) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: %s is %s; all attention tensors must have one type of FLOAT16, BF16, FLOAT",
                op, name, dataTypeName(tensor->dataType));
  }
  if (tensor->viewDims.size() != 3 || tensor->elements() == 0) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the shape %s; three dimensions, none 0", op,
                name, shapeText(tensor->viewDims).c_str());
  }
  return checkSameShape(op, name, tensor, first->viewDims);
}

aclnnStatus checkStatistic(const char* op, const char* name, const aclTensor* tensor,
                           const aclTensor* first, bool isTnd) {
  RETURN_IF_FAILED(checkTensor(op, name, tensor));
  if (tensor->format != ACL_FORMAT_ND) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the format %d, not ACL_FORMAT_ND", op, name,
                tensor->format);
  }
  if (tensor->dataType != ACL_FLOAT) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s is %s, not FLOAT", op, name,
                dataTypeName(tensor->dataType));
  }
  const size_t rank = isTnd ? 3 : 4;
  if (tensor->viewDims.size() != rank || tensor->viewDims.back() != kCopies ||
      tensor->elements() == 0) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the shape %s, not %s", op, name,
                shapeText(tensor->viewDims).c_str(), isTnd ? "[T, N, 8]" : "[B, N, S, 8]");
  }
  return checkSameShape(op, name, tensor, first->viewDims);
}

// Sizes of attention and statistics against each other and the limits of the layout.
aclnnStatus checkSizes(const char* op, const aclTensor& attention, const aclTensor& statistic,
                       bool isTnd) {
  const auto& attn = attention.viewDims;
  const auto& soft = statistic.viewDims;
  const bool fits = isTnd ? soft[0] == attn[0] && soft[1] == attn[1]
                          : soft[0] == attn[1] && soft[2] == attn[0] && attn[2] % soft[1] == 0;
  if (!fits) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: attention %s and softmax %s do not fit in %s", op,
                shapeText(attn).c_str(), shapeText(soft).c_str(), isTnd ? "TND" : "SBH");
  }
  if (isTnd && (attn[2] % 64 != 0 || attn[2] > kLongestHead || attn[1] > kMostHeads)) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR,
                "%s: N = %lld, D = %lld; TND needs N <= 256, D <= 768 and D a multiple of 64", op,
                static_cast<long long>(attn[1]), static_cast<long long>(attn[2]));
  }
  return ACLNN_SUCCESS;
}

aclnnStatus checkPrefix(const char* op, const aclTensor* prefix) {
  RETURN_IF_FAILED(checkTensor(op, "actualSeqQlen", prefix));
  const bool valid = prefix->dataType == ACL_INT64 && prefix->viewDims.size() == 1 &&
                     prefix->viewDims[0] >= 1 && prefix->format == ACL_FORMAT_ND;
  return valid ? ACLNN_SUCCESS
               : fail(ACLNN_ERR_PARAM_INVALID,
                      "%s: actualSeqQlen is %s; INT64 prefix sums with a leading 0 are needed", op,
                      prefix->describe().c_str());
}

// Which order the layouts name; false with words if none.
bool readOrder(const char* op, const char* layout, const char* softmaxLayout, Order* order) {
  const std::string attention = layout == nullptr ? "SBH" : layout;
  const std::string softmax = softmaxLayout == nullptr ? "" : softmaxLayout;
  if (attention != "SBH" && attention != "TND") {
    fail(ACLNN_ERR_PARAM_INVALID, "%s: the layout %s is neither SBH nor TND", op,
         attention.c_str());
    return false;
  }
  if (!softmax.empty() && softmax != "SBH" && softmax != "TND") {
    fail(ACLNN_ERR_PARAM_INVALID, "%s: the softmax layout %s is neither empty nor SBH nor TND", op,
         softmax.c_str());
    return false;
  }
  *order = attention == "SBH" ? Order::kSbh : softmax == "TND" ? Order::kTokens : Order::kBlocks;
  return true;
}

aclnnStatus prepare(const Call& call, const aclTensor* prevAttnOut, const aclTensor* prevSoftmaxMax,
                    const aclTensor* prevSoftmaxSum, const aclTensor* curAttnOut,
                    const aclTensor* curSoftmaxMax, const aclTensor* curSoftmaxSum,
                    const aclTensor* prefix, const char* layout, const char* softmaxLayout,
                    const aclTensor* attnOutOut, const aclTensor* softmaxMaxOut,
                    const aclTensor* softmaxSumOut) {
  Order order{};
  if (!readOrder(call.op, layout, softmaxLayout, &order)) {
    return ACLNN_ERR_PARAM_INVALID;
  }
  const bool isTnd = order != Order::kSbh;
  RETURN_IF_FAILED(checkTensor(call.op, "prevAttnOut", prevAttnOut));
  RETURN_IF_FAILED(checkTensor(call.op, "prevSoftmaxMax", prevSoftmaxMax));
  RETURN_IF_FAILED(checkAttention(call.op, "prevAttnOut", prevAttnOut, prevAttnOut));
  RETURN_IF_FAILED(checkAttention(call.op, "curAttnOut", curAttnOut, prevAttnOut));
  RETURN_IF_FAILED(checkAttention(call.op, "attnOut", attnOutOut, prevAttnOut));
  RETURN_IF_FAILED(
      checkStatistic(call.op, "prevSoftmaxMax", prevSoftmaxMax, prevSoftmaxMax, isTnd));
  RETURN_IF_FAILED(
      checkStatistic(call.op, "prevSoftmaxSum", prevSoftmaxSum, prevSoftmaxMax, isTnd));
  RETURN_IF_FAILED(checkStatistic(call.op, "curSoftmaxMax", curSoftmaxMax, prevSoftmaxMax, isTnd));
  RETURN_IF_FAILED(checkStatistic(call.op, "curSoftmaxSum", curSoftmaxSum, prevSoftmaxMax, isTnd));
  RETURN_IF_FAILED(checkStatistic(call.op, "softmaxMaxOut", softmaxMaxOut, prevSoftmaxMax, isTnd));
  RETURN_IF_FAILED(checkStatistic(call.op, "softmaxSumOut", softmaxSumOut, prevSoftmaxMax, isTnd));
  RETURN_IF_FAILED(isTnd ? checkPrefix(call.op, prefix)
                         : checkOptionalTensor(call.op, "actualSeqQlen", prefix));
  RETURN_IF_FAILED(checkSizes(call.op, *prevAttnOut, *prevSoftmaxMax, isTnd));

  const auto& attn = prevAttnOut->viewDims;
  const int64_t heads = prevSoftmaxMax->viewDims[1];
  const bool readsPrefix = order == Order::kBlocks;
  const Arguments arguments{
      call.op,
      Strided("prevAttnOut", *prevAttnOut),
      Strided("prevSoftmaxMax", *prevSoftmaxMax),
      Strided("prevSoftmaxSum", *prevSoftmaxSum),
      Strided("curAttnOut", *curAttnOut),
      Strided("curSoftmaxMax", *curSoftmaxMax),
      Strided("curSoftmaxSum", *curSoftmaxSum),
      Strided("attnOut", *attnOutOut),
      Strided("softmaxMaxOut", *softmaxMaxOut),
      Strided("softmaxSumOut", *softmaxSumOut),
      readsPrefix ? reinterpret_cast<const int64_t*>(prefix->originAddress()) : nullptr,
      readsPrefix ? prefix->strides[0] : 0,
      readsPrefix ? prefix->viewDims[0] - 1 : 0,
      attn[0],
      isTnd ? 1 : attn[1],
      heads,
      isTnd ? attn[2] : attn[2] / heads,
      order,
      prevAttnOut->dataType == ACL_FLOAT && prevAttnOut->strides[2] == 1 &&
          curAttnOut->strides[2] == 1 && attnOutOut->strides[2] == 1,
      loaderOf<float>(prevAttnOut->dataType),
      storerOf<float>(prevAttnOut->dataType)};
  const DeviceSpan prefixSpan = inputSpan("actualSeqQlen", prefix);
  return call.make(
      {inputSpan("prevAttnOut", prevAttnOut), inputSpan("prevSoftmaxMax", prevSoftmaxMax),
       inputSpan("prevSoftmaxSum", prevSoftmaxSum), inputSpan("curAttnOut", curAttnOut),
       inputSpan("curSoftmaxMax", curSoftmaxMax), inputSpan("curSoftmaxSum", curSoftmaxSum),
       readsPrefix ? prefixSpan : untouched(prefixSpan), outputSpan("attnOut", attnOutOut),
       outputSpan("softmaxMaxOut", softmaxMaxOut), outputSpan("softmaxSumOut", softmaxSumOut)},
      [arguments](const Binding& memory) {
        const Arguments bound = arguments.bound(memory);
        if (bound.order != Order::kSbh) {
          return mergeTnd(bound);
        }
        mergeSbh(bound);
        return static_cast<aclError>(ACL_SUCCESS);
      });
}

}  // namespace

extern "C" {

aclnnStatus aclnnRingAttentionUpdateGetWorkspaceSize(
    const aclTensor* prevAttnOut, const aclTensor* prevSoftmaxMax, const aclTensor* prevSoftmaxSum,
    const aclTensor* curAttnOut, const aclTensor* curSoftmaxMax, const aclTensor* curSoftmaxSum,
    const aclTensor* actualSeqQlenOptional, char* inputLayoutOptional, const aclTensor* attnOutOut,
    const aclTensor* softmaxMaxOut, const aclTensor* softmaxSumOut, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  return phaseOne("aclnnRingAttentionUpdate", workspaceSize, executor, [&](const Call& call) {
    return prepare(call, prevAttnOut, prevSoftmaxMax, prevSoftmaxSum, curAttnOut, curSoftmaxMax,
                   curSoftmaxSum, actualSeqQlenOptional, inputLayoutOptional, nullptr, attnOutOut,
                   softmaxMaxOut, softmaxSumOut);
  });
}
PHASE_TWO(aclnnRingAttentionUpdate)

aclnnStatus aclnnRingAttentionUpdateV2GetWorkspaceSize(
    const aclTensor* prevAttnOut, const aclTensor* prevSoftmaxMax, const aclTensor* prevSoftmaxSum,
    const aclTensor* curAttnOut, const aclTensor* curSoftmaxMax, const aclTensor* curSoftmaxSum,
    const aclTensor* actualSeqQlenOptional, char* inputLayoutOptional,
    char* inputSoftmaxLayoutOptional, const aclTensor* attnOutOut, const aclTensor* softmaxMaxOut,
    const aclTensor* softmaxSumOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnRingAttentionUpdateV2", workspaceSize, executor, [&](const Call& call) {
    return prepare(call, prevAttnOut, prevSoftmaxMax, prevSoftmaxSum, curAttnOut, curSoftmaxMax,
                   curSoftmaxSum, actualSeqQlenOptional, inputLayoutOptional,
                   inputSoftmaxLayoutOptional, attnOutOut, softmaxMaxOut, softmaxSumOut);
  });
}
PHASE_TWO(aclnnRingAttentionUpdateV2)

}  // extern "C"
