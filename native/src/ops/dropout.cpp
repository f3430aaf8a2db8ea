// SPDX-License-Identifier: Apache-2.0
// DropoutGenMask, DropoutGenMaskV2, DropoutDoMask.
#include <cmath>

#include "aclnnop/aclnn_dropout_do_mask.h"
#include "aclnnop/aclnn_dropout_gen_mask.h"
#include "arguments.hpp"
#include "flat_view.hpp"
#include "philox.hpp"

using namespace cann4j;

namespace {

aclnnStatus checkProbability(const char* op, double prob) {
  return prob >= 0 && prob <= 1 ? ACLNN_SUCCESS
                                : fail(ACLNN_ERR_PARAM_INVALID,
                                       "%s: prob is %g, which is not in [0, 1]", op, prob);
}

// Keeps the element of each bit with the probability 1 - prob. A word of the stream decides on a
// bit; seed and offset choose the stream.
uint8_t randomBits(int64_t byte, uint64_t seed, uint64_t offset, uint64_t threshold) {
  const std::array<uint32_t, 2> key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  uint8_t bits = 0;
  for (uint64_t half = 0; half < 2; ++half) {
    const uint64_t block = static_cast<uint64_t>(byte) * 2 + half;
    const auto words = philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                               static_cast<uint32_t>(offset), static_cast<uint32_t>(offset >> 32)},
                              key);
    for (size_t i = 0; i < words.size(); ++i) {
      bits |= static_cast<uint8_t>(words[i] >= threshold) << (half * 4 + i);
    }
  }
  return bits;
}

aclnnStatus prepareGenMask(const Call& call, const aclIntArray* shape, double prob, int64_t seed,
                           int64_t offset, const aclTensor* out) {
  constexpr int64_t kAlignment = 128;
  RETURN_IF_FAILED(checkIntArray(call.op, "shape", shape));
  RETURN_IF_FAILED(checkProbability(call.op, prob));
  RETURN_IF_FAILED(checkSameType(call.op, "out", out, ACL_UINT8));
  int64_t elements = 1;
  bool fits = true;
  for (const int64_t dim : shape->values) {
    fits = fits && dim >= 0 && !__builtin_mul_overflow(elements, dim, &elements);
  }
  if (!fits || elements > INT64_MAX - kAlignment) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: the shape %s is impossible", call.op,
                shapeText(shape->values).c_str());
  }
  const int64_t bytes = (elements + kAlignment - 1) / kAlignment * kAlignment / 8;
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, {bytes}));
  const auto threshold = static_cast<uint64_t>(std::llround(std::ldexp(prob, 32)));
  return call.make(
      {outputSpan("out", out)},
      [=, mask = FlatView("out", *out)](const Binding& memory) -> aclError {
        const FlatView to = mask.bound(memory);
        forEachRange(bytes, 64, [&](int64_t first, int64_t last) {
          to.forEachRun(first, last - first, [&](void* address, int64_t stride, int64_t n) {
            auto* target = static_cast<uint8_t*>(address);
            for (int64_t i = 0; i < n; ++i) {
              target[i * stride] = randomBits(first++, static_cast<uint64_t>(seed),
                                              static_cast<uint64_t>(offset), threshold);
            }
          });
        });
        return ACL_SUCCESS;
      });
}

// The probability as the device has it.
double roundTo(aclDataType type, double prob) {
  const auto single = static_cast<float>(prob);
  switch (type) {
    case ACL_FLOAT16: return halfToFloat(floatToHalf(single));
    case ACL_BF16: return bf16ToFloat(floatToBf16(single));
    default: return single;
  }
}

aclnnStatus prepareDoMask(const Call& call, const aclTensor* self, const aclTensor* mask,
                          double prob, const aclTensor* out) {
  RETURN_IF_FAILED(checkType(call.op, "self", self, kFloats));
  RETURN_IF_FAILED(checkSameType(call.op, "mask", mask, ACL_UINT8));
  RETURN_IF_FAILED(checkProbability(call.op, prob));
  RETURN_IF_FAILED(checkSameType(call.op, "out", out, self->dataType));
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, self->viewDims));
  const int64_t elements = self->elements();
  if (mask->viewDims.size() != 1 || mask->viewDims[0] < elements / 8 + (elements % 8 != 0)) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: mask has the shape %s, not one dimension with a bit for each of %lld elements",
                call.op, shapeText(mask->viewDims).c_str(), static_cast<long long>(elements));
  }
  // With everything dropped the mask has no bit that is scaled.
  const float scale = prob < 1 ? static_cast<float>(1 / (1 - prob)) : 0;
  return call.make(
      {inputSpan("self", self), inputSpan("mask", mask), outputSpan("out", out)},
      [=, source = FlatView("self", *self), bits = FlatView("mask", *mask),
       result = FlatView("out", *out)](const Binding& memory) -> aclError {
        constexpr int64_t kChunk = 1024;
        const FlatView in = source.bound(memory), keep = bits.bound(memory),
                       to = result.bound(memory);
        forEachRange((elements + kChunk - 1) / kChunk, kChunk, [&](int64_t first, int64_t last) {
          float values[kChunk];
          for (int64_t chunk = first; chunk < last; ++chunk) {
            const int64_t begin = chunk * kChunk;
            const int64_t n = std::min(kChunk, elements - begin);
            in.load(begin, n, values);
            int64_t i = 0;
            keep.forEachRun(begin / 8, (n + 7) / 8, [&](void* address, int64_t stride, int64_t m) {
              const auto* byte = static_cast<const uint8_t*>(address);
              for (int64_t k = 0; k < m; ++k, byte += stride) {
                for (int bit = 0; bit < 8 && i < n; ++bit, ++i) {
                  values[i] = (*byte >> bit & 1) != 0 ? values[i] * scale : 0;
                }
              }
            });
            to.store(begin, n, values);
          }
        });
        return ACL_SUCCESS;
      });
}

}  // namespace

extern "C" {

aclnnStatus aclnnDropoutGenMaskGetWorkspaceSize(const aclIntArray* shape, double prob, int64_t seed,
                                                int64_t offset, aclTensor* out,
                                                uint64_t* workspaceSize,
                                                aclOpExecutor** executor) {
  return phaseOne("aclnnDropoutGenMask", workspaceSize, executor, [&](const Call& call) {
    return prepareGenMask(call, shape, prob, seed, offset, out);
  });
}
PHASE_TWO(aclnnDropoutGenMask)

aclnnStatus aclnnDropoutGenMaskV2GetWorkspaceSize(const aclIntArray* shape, double prob,
                                                  int64_t seed, int64_t offset,
                                                  aclDataType probDataType, aclTensor* out,
                                                  uint64_t* workspaceSize,
                                                  aclOpExecutor** executor) {
  return phaseOne("aclnnDropoutGenMaskV2", workspaceSize, executor, [&](const Call& call) {
    if (std::find(kFloats.begin(), kFloats.end(), probDataType) == kFloats.end()) {
      return fail(ACLNN_ERR_PARAM_INVALID,
                  "%s: probDataType is %s (%d), not FLOAT, FLOAT16 or BF16", call.op,
                  dataTypeName(probDataType), probDataType);
    }
    return prepareGenMask(call, shape, roundTo(probDataType, prob), seed, offset, out);
  });
}
PHASE_TWO(aclnnDropoutGenMaskV2)

aclnnStatus aclnnDropoutDoMaskGetWorkspaceSize(const aclTensor* self, const aclTensor* mask,
                                               double prob, aclTensor* out,
                                               uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnDropoutDoMask", workspaceSize, executor, [&](const Call& call) {
    return prepareDoMask(call, self, mask, prob, out);
  });
}
PHASE_TWO(aclnnDropoutDoMask)

}  // extern "C"
