// SPDX-License-Identifier: Apache-2.0
// ApplyRotaryPosEmb, ApplyRotaryPosEmbV2, RotaryPositionEmbedding.
#include <cstring>
#include <utility>

#include "aclnnop/aclnn_apply_rotary_pos_emb.h"
#include "aclnnop/aclnn_rotary_position_embedding.h"
#include "arguments.hpp"
#include "flat_view.hpp"

using namespace cann4j;

namespace {

enum class Mode { kHalf, kInterleave, kQuarter, kInterleaveHalf };

// rotated = (-second half, first half) of x.
void rotateHalf(const float* x, int64_t n, float* rotated) {
  const int64_t half = n / 2;
  for (int64_t i = 0; i < half; ++i) {
    rotated[i] = -x[half + i];
    rotated[half + i] = x[i];
  }
}

// Reorders x where the mode does.
void rotate(Mode mode, std::vector<float>& x, std::vector<float>& rotated) {
  const auto n = static_cast<int64_t>(x.size());
  switch (mode) {
    case Mode::kHalf:
      rotateHalf(x.data(), n, rotated.data());
      break;
    case Mode::kInterleave:
      for (size_t i = 0; i < x.size(); i += 2) {
        rotated[i] = -x[i + 1];
        rotated[i + 1] = x[i];
      }
      break;
    case Mode::kQuarter:
      rotateHalf(x.data(), n / 2, rotated.data());
      rotateHalf(x.data() + n / 2, n / 2, rotated.data() + n / 2);
      break;
    case Mode::kInterleaveHalf:
      for (size_t i = 0; i < x.size() / 2; ++i) {
        rotated[i] = x[2 * i];
        rotated[x.size() / 2 + i] = x[2 * i + 1];
      }
      x.swap(rotated);
      rotateHalf(x.data(), n, rotated.data());
      break;
  }
}

// cos and sin are views that are broadcast to the shape of x.
struct Rotation {
  FlatView x, cos, sin, out;
  int64_t columns;
  Mode mode;
};

void run(const Rotation& r, const Binding& memory) {
  const FlatView in = r.x.bound(memory), cosines = r.cos.bound(memory),
                 sines = r.sin.bound(memory), to = r.out.bound(memory);
  const int64_t columns = r.columns;
  forEachRange(in.size() / columns, columns, [&](int64_t first, int64_t last) {
    const auto n = static_cast<size_t>(columns);
    std::vector<float> x(n), rotated(n), cos(n), sin(n);
    for (int64_t row = first; row < last; ++row) {
      in.load(row * columns, columns, x.data());
      cosines.load(row * columns, columns, cos.data());
      sines.load(row * columns, columns, sin.data());
      rotate(r.mode, x, rotated);
      for (size_t i = 0; i < n; ++i) {
        x[i] = x[i] * cos[i] + rotated[i] * sin[i];
      }
      to.store(row * columns, columns, x.data());
    }
  });
}

// The view with dimensions of size 1 stretched.
FlatView broadcastView(const char* name, const aclTensor& tensor,
                       const std::vector<int64_t>& shape) {
  aclTensor view = tensor;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (view.viewDims[d] != shape[d]) {
      view.viewDims[d] = shape[d];
      view.strides[d] = 0;
    }
  }
  return FlatView(name, view);
}

aclnnStatus checkFourDims(const char* op, const char* name, const aclTensor* tensor) {
  return tensor->viewDims.size() == 4
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the shape %s, not four dimensions", op,
                    name, shapeText(tensor->viewDims).c_str());
}

// Of x's type, with its dimensions; the first three may be 1.
aclnnStatus checkAngles(const char* op, const char* name, const aclTensor* angles,
                        const aclTensor* x) {
  RETURN_IF_FAILED(checkSameType(op, name, angles, x->dataType));
  RETURN_IF_FAILED(checkFourDims(op, name, angles));
  bool fits = angles->viewDims[3] == x->viewDims[3];
  for (size_t d = 0; d < 3; ++d) {
    fits = fits && (angles->viewDims[d] == 1 || angles->viewDims[d] == x->viewDims[d]);
  }
  return fits ? ACLNN_SUCCESS
              : fail(ACLNN_ERR_PARAM_INVALID, "%s: %s %s does not broadcast to %s", op, name,
                     shapeText(angles->viewDims).c_str(), shapeText(x->viewDims).c_str());
}

aclnnStatus checkColumns(const char* op, const char* name, const aclTensor* x, Mode mode) {
  const int64_t parts = mode == Mode::kQuarter ? 4 : 2;
  return x->viewDims[3] > 0 && x->viewDims[3] % parts == 0
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_PARAM_INVALID,
                    "%s: the last dimension of %s %s is no multiple of %lld", op, name,
                    shapeText(x->viewDims).c_str(), static_cast<long long>(parts));
}

aclnnStatus prepareRotation(const Call& call, const aclTensor* x, const aclTensor* cos,
                            const aclTensor* sin, int64_t number, const aclTensor* out) {
  RETURN_IF_FAILED(checkType(call.op, "x", x, kFloats));
  RETURN_IF_FAILED(checkFourDims(call.op, "x", x));
  RETURN_IF_FAILED(checkAngles(call.op, "cos", cos, x));
  RETURN_IF_FAILED(checkAngles(call.op, "sin", sin, x));
  RETURN_IF_FAILED(checkSameShape(call.op, "sin", sin, cos->viewDims));
  RETURN_IF_FAILED(checkSameType(call.op, "out", out, x->dataType));
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, x->viewDims));
  if (number < 0 || number > 3) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: mode is %lld, which is not in [0, 3]", call.op,
                static_cast<long long>(number));
  }
  const auto mode = static_cast<Mode>(number);
  RETURN_IF_FAILED(checkColumns(call.op, "x", x, mode));
  const Rotation rotation{FlatView("x", *x),
                          broadcastView("cos", *cos, x->viewDims),
                          broadcastView("sin", *sin, x->viewDims),
                          FlatView("out", *out),
                          x->viewDims[3],
                          mode};
  return call.make({inputSpan("x", x), inputSpan("cos", cos), inputSpan("sin", sin),
                    outputSpan("out", out)},
                   [rotation](const Binding& memory) -> aclError {
                     run(rotation, memory);
                     return ACL_SUCCESS;
                   });
}

// Only BSND with heads of 128 elements works on the device.
aclnnStatus checkLayout(const char* op, int64_t layout, const aclTensor* query) {
  constexpr int64_t kBsnd = 1, kBnsd = 3, kHeadSize = 128;
  if (layout < kBsnd || layout > kBnsd) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: layout is %lld, which is not in [1, 3]", op,
                static_cast<long long>(layout));
  }
  if (layout != kBsnd) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: layout is %lld; only 1, BSND, is supported", op,
                static_cast<long long>(layout));
  }
  return query->viewDims[3] == kHeadSize
             ? ACLNN_SUCCESS
             : fail(ACLNN_ERR_INNER_TILING_ERROR,
                    "%s: the last dimension of queryRef %s is not 128", op,
                    shapeText(query->viewDims).c_str());
}

aclnnStatus prepareInPlace(const Call& call, const aclTensor* query, const aclTensor* key,
                           const aclTensor* cos, const aclTensor* sin, int64_t layout, Mode mode) {
  RETURN_IF_FAILED(checkType(call.op, "queryRef", query, kFloats));
  RETURN_IF_FAILED(checkSameType(call.op, "keyRef", key, query->dataType));
  RETURN_IF_FAILED(checkFourDims(call.op, "queryRef", query));
  RETURN_IF_FAILED(checkFourDims(call.op, "keyRef", key));
  std::vector<int64_t> expected = query->viewDims;
  expected[2] = key->viewDims[2];
  RETURN_IF_FAILED(checkSameShape(call.op, "keyRef", key, expected));
  RETURN_IF_FAILED(checkAngles(call.op, "cos", cos, query));
  RETURN_IF_FAILED(checkAngles(call.op, "sin", sin, query));
  RETURN_IF_FAILED(checkSameShape(call.op, "sin", sin, cos->viewDims));
  RETURN_IF_FAILED(checkLayout(call.op, layout, query));
  if (cos->viewDims[2] != 1) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: cos has the shape %s, whose dimension 2 is not 1",
                call.op, shapeText(cos->viewDims).c_str());
  }
  const auto rotationOf = [&](const char* name, const aclTensor* x) {
    return Rotation{FlatView(name, *x),
                    broadcastView("cos", *cos, x->viewDims),
                    broadcastView("sin", *sin, x->viewDims),
                    FlatView(name, *x),
                    x->viewDims[3],
                    mode};
  };
  return call.make({inPlaceSpan("queryRef", query), inPlaceSpan("keyRef", key),
                    inputSpan("cos", cos), inputSpan("sin", sin)},
                   [first = rotationOf("queryRef", query),
                    second = rotationOf("keyRef", key)](const Binding& memory) -> aclError {
                     run(first, memory);
                     run(second, memory);
                     return ACL_SUCCESS;
                   });
}

aclnnStatus readMode(const char* op, const char* word, Mode* mode) {
  if (word == nullptr) {
    return fail(ACLNN_ERR_PARAM_NULLPTR, "%s: rotaryMode is NULL", op);
  }
  for (const auto& [name, value] : {std::pair("half", Mode::kHalf),
                                    std::pair("interleave", Mode::kInterleave),
                                    std::pair("quarter", Mode::kQuarter)}) {
    if (std::strcmp(word, name) == 0) {
      *mode = value;
      return ACLNN_SUCCESS;
    }
  }
  return fail(ACLNN_ERR_PARAM_INVALID, "%s: rotaryMode %s is none of half, interleave, quarter", op,
              word);
}

}  // namespace

extern "C" {

aclnnStatus aclnnApplyRotaryPosEmbGetWorkspaceSize(aclTensor* queryRef, aclTensor* keyRef,
                                                   const aclTensor* cos, const aclTensor* sin,
                                                   int64_t layout, uint64_t* workspaceSize,
                                                   aclOpExecutor** executor) {
  return phaseOne("aclnnApplyRotaryPosEmb", workspaceSize, executor, [&](const Call& call) {
    return prepareInPlace(call, queryRef, keyRef, cos, sin, layout, Mode::kHalf);
  });
}
PHASE_TWO(aclnnApplyRotaryPosEmb)

aclnnStatus aclnnApplyRotaryPosEmbV2GetWorkspaceSize(aclTensor* queryRef, aclTensor* keyRef,
                                                     const aclTensor* cos, const aclTensor* sin,
                                                     int64_t layout, char* rotaryMode,
                                                     uint64_t* workspaceSize,
                                                     aclOpExecutor** executor) {
  return phaseOne("aclnnApplyRotaryPosEmbV2", workspaceSize, executor, [&](const Call& call) {
    Mode mode{};
    RETURN_IF_FAILED(readMode(call.op, rotaryMode, &mode));
    return prepareInPlace(call, queryRef, keyRef, cos, sin, layout, mode);
  });
}
PHASE_TWO(aclnnApplyRotaryPosEmbV2)

aclnnStatus aclnnRotaryPositionEmbeddingGetWorkspaceSize(const aclTensor* x, const aclTensor* cos,
                                                         const aclTensor* sin, int64_t mode,
                                                         aclTensor* out, uint64_t* workspaceSize,
                                                         aclOpExecutor** executor) {
  return phaseOne("aclnnRotaryPositionEmbedding", workspaceSize, executor, [&](const Call& call) {
    return prepareRotation(call, x, cos, sin, mode, out);
  });
}
PHASE_TWO(aclnnRotaryPositionEmbedding)

}  // extern "C"
