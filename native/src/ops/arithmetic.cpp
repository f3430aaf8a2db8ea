// SPDX-License-Identifier: Apache-2.0
// Add, Sub, Mul, Div, Maximum, Neg, Exp, Log and their scalar and in-place forms.
#include <cmath>

#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_div.h"
#include "aclnnop/aclnn_exp.h"
#include "aclnnop/aclnn_log.h"
#include "aclnnop/aclnn_maximum.h"
#include "aclnnop/aclnn_mul.h"
#include "aclnnop/aclnn_neg.h"
#include "aclnnop/aclnn_sub.h"
#include "arguments.hpp"
#include "elementwise.hpp"

using namespace cann4j;

namespace {

// function(a) or function(a, b, scalar) of each element.
template <bool floatingOnly, size_t inputs, auto function>
struct Elementwise {
  static constexpr bool kFloatingOnly = floatingOnly;
  template <class C>
  void operator()(const Inputs<C>& in, C* out, int64_t n, C scalar) const {
    for (int64_t i = 0; i < n; ++i) {
      if constexpr (inputs == 1) {
        out[i] = function(in[0][i], scalar);
      } else {
        out[i] = function(in[0][i], in[1][i], scalar);
      }
    }
  }
};

using Add = Elementwise<false, 2, [](auto a, auto b, auto alpha) {
  return plus(a, alpha == 1 ? b : times(alpha, b));
}>;
using Subtract = Elementwise<false, 2, [](auto a, auto b, auto alpha) {
  return minus(a, alpha == 1 ? b : times(alpha, b));
}>;
using Multiply = Elementwise<false, 2, [](auto a, auto b, auto) { return times(a, b); }>;
using Divide = Elementwise<true, 2, [](auto a, auto b, auto) { return a / b; }>;
// A NaN on either side is the result.
using Larger = Elementwise<false, 2, [](auto a, auto b, auto) {
  return (a > b) || a != a ? a : b;
}>;
using AddScalar = Elementwise<false, 1, [](auto a, auto scalar) { return plus(a, scalar); }>;
using MultiplyByScalar = Elementwise<false, 1, [](auto a, auto scalar) {
  return times(a, scalar);
}>;
using Negate = Elementwise<false, 1, [](auto a, auto) {
  if constexpr (std::is_integral_v<decltype(a)>) {
    return minus(decltype(a){0}, a);
  } else {
    return -a;
  }
}>;
using Exponential = Elementwise<true, 1, [](auto a, auto) { return std::exp(a); }>;
using Logarithm = Elementwise<true, 1, [](auto a, auto) { return std::log(a); }>;

const aclScalar kOne{ACL_INT64, 1, 1};

// The tensor arguments of an operator. Without `out` the result goes to self, without `other` there
// is one input.
struct Tensors {
  const aclTensor* self;
  const aclTensor* other;
  const aclTensor* out;

  bool inPlace() const { return out == nullptr; }
  const char* selfName() const { return inPlace() ? "selfRef" : "self"; }
  const char* resultName() const { return inPlace() ? "selfRef" : "out"; }
  const aclTensor* result() const { return inPlace() ? self : out; }
};

aclnnStatus checkTensors(const char* op, const Tensors& t) {
  RETURN_IF_FAILED(checkNumeric(op, t.selfName(), t.self));
  if (t.other != nullptr) {
    RETURN_IF_FAILED(checkNumeric(op, "other", t.other));
  }
  if (!t.inPlace()) {
    RETURN_IF_FAILED(checkNumeric(op, "out", t.out));
  }
  return checkBroadcast(op, t.self, t.other == nullptr ? t.self : t.other, t.result());
}

// `computed` is the type of the operation.
template <class Operation>
aclnnStatus finish(const Call& call, const Operation& operation, aclDataType computed,
                   const aclScalar& scalar, const Tensors& t) {
  if (Operation::kFloatingOnly && !isFloating(computed)) {
    computed = ACL_FLOAT;
  }
  RETURN_IF_FAILED(checkResultType(call.op, computed, t.result()));
  std::vector<DeviceSpan> spans{t.inPlace() ? inPlaceSpan("selfRef", t.self)
                                            : inputSpan("self", t.self)};
  if (t.other != nullptr) {
    spans.push_back(inputSpan("other", t.other));
  }
  if (!t.inPlace()) {
    spans.push_back(outputSpan("out", t.out));
  }
  const Operand result{t.resultName(), t.result()};
  const Operand self{t.selfName(), t.self};
  Walk walk = t.other == nullptr ? makeWalk({result, self})
                                 : makeWalk({result, self, {"other", t.other}});
  return call.make(std::move(spans),
                   elementwiseKernel(computed, std::move(walk), operation, scalar));
}

template <class Operation>
aclnnStatus prepareUnary(const char* op, const Operation& operation, const aclTensor* self,
                         const aclTensor* out, uint64_t* workspaceSize,
                         aclOpExecutor** executor) {
  return phaseOne(op, workspaceSize, executor, [&](const Call& call) {
    const Tensors tensors{self, nullptr, out};
    RETURN_IF_FAILED(checkTensors(op, tensors));
    return finish(call, operation, self->dataType, kOne, tensors);
  });
}

template <class Operation>
aclnnStatus prepareBinary(const char* op, const Operation& operation, const aclTensor* self,
                          const aclTensor* other, const aclTensor* out, uint64_t* workspaceSize,
                          aclOpExecutor** executor) {
  return phaseOne(op, workspaceSize, executor, [&](const Call& call) {
    const Tensors tensors{self, other, out};
    RETURN_IF_FAILED(checkTensor(op, "other", other));
    RETURN_IF_FAILED(checkTensors(op, tensors));
    return finish(call, operation, promote(self->dataType, other->dataType), kOne, tensors);
  });
}

template <class Operation>
aclnnStatus prepareScaled(const char* op, const Operation& operation, const aclTensor* self,
                          const aclTensor* other, const aclScalar* alpha, const aclTensor* out,
                          uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne(op, workspaceSize, executor, [&](const Call& call) {
    const Tensors tensors{self, other, out};
    RETURN_IF_FAILED(checkTensor(op, "other", other));
    RETURN_IF_FAILED(checkScalar(op, "alpha", alpha));
    RETURN_IF_FAILED(checkTensors(op, tensors));
    const aclDataType computed = promote(self->dataType, other->dataType);
    RETURN_IF_FAILED(checkAlpha(op, alpha, computed));
    return finish(call, operation, computed, *alpha, tensors);
  });
}

aclnnStatus prepareAddScalar(const char* op, const aclTensor* self, const aclScalar* other,
                             const aclScalar* alpha, const aclTensor* out, uint64_t* workspaceSize,
                             aclOpExecutor** executor) {
  return phaseOne(op, workspaceSize, executor, [&](const Call& call) {
    const Tensors tensors{self, nullptr, out};
    RETURN_IF_FAILED(checkTensors(op, tensors));
    RETURN_IF_FAILED(checkScalar(op, "other", other));
    RETURN_IF_FAILED(checkScalar(op, "alpha", alpha));
    const aclDataType computed = promoteScalar(self->dataType, *other);
    RETURN_IF_FAILED(checkAlpha(op, alpha, computed));
    const aclScalar added{other->dataType, times(alpha->real, other->real),
                          times(alpha->integer, other->integer)};
    return finish(call, AddScalar(), computed, added, tensors);
  });
}

aclnnStatus prepareMultiplyByScalar(const char* op, const aclTensor* self, const aclScalar* other,
                                    const aclTensor* out, uint64_t* workspaceSize,
                                    aclOpExecutor** executor) {
  return phaseOne(op, workspaceSize, executor, [&](const Call& call) {
    const Tensors tensors{self, nullptr, out};
    RETURN_IF_FAILED(checkTensors(op, tensors));
    RETURN_IF_FAILED(checkScalar(op, "other", other));
    return finish(call, MultiplyByScalar(), promoteScalar(self->dataType, *other), *other, tensors);
  });
}

}  // namespace

extern "C" {

aclnnStatus aclnnAddGetWorkspaceSize(const aclTensor* self, const aclTensor* other,
                                     const aclScalar* alpha, aclTensor* out,
                                     uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareScaled("aclnnAdd", Add(), self, other, alpha, out, workspaceSize, executor);
}
PHASE_TWO(aclnnAdd)

aclnnStatus aclnnInplaceAddGetWorkspaceSize(const aclTensor* selfRef, const aclTensor* other,
                                            const aclScalar* alpha, uint64_t* workspaceSize,
                                            aclOpExecutor** executor) {
  return prepareScaled("aclnnInplaceAdd", Add(), selfRef, other, alpha, nullptr, workspaceSize,
                       executor);
}
PHASE_TWO(aclnnInplaceAdd)

aclnnStatus aclnnAddsGetWorkspaceSize(const aclTensor* self, const aclScalar* other,
                                      const aclScalar* alpha, aclTensor* out,
                                      uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareAddScalar("aclnnAdds", self, other, alpha, out, workspaceSize, executor);
}
PHASE_TWO(aclnnAdds)

aclnnStatus aclnnInplaceAddsGetWorkspaceSize(const aclTensor* selfRef, const aclScalar* other,
                                             const aclScalar* alpha, uint64_t* workspaceSize,
                                             aclOpExecutor** executor) {
  return prepareAddScalar("aclnnInplaceAdds", selfRef, other, alpha, nullptr, workspaceSize,
                          executor);
}
PHASE_TWO(aclnnInplaceAdds)

aclnnStatus aclnnSubGetWorkspaceSize(const aclTensor* self, const aclTensor* other,
                                     const aclScalar* alpha, aclTensor* out,
                                     uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareScaled("aclnnSub", Subtract(), self, other, alpha, out, workspaceSize, executor);
}
PHASE_TWO(aclnnSub)

aclnnStatus aclnnInplaceSubGetWorkspaceSize(aclTensor* selfRef, const aclTensor* other,
                                            const aclScalar* alpha, uint64_t* workspaceSize,
                                            aclOpExecutor** executor) {
  return prepareScaled("aclnnInplaceSub", Subtract(), selfRef, other, alpha, nullptr, workspaceSize,
                       executor);
}
PHASE_TWO(aclnnInplaceSub)

aclnnStatus aclnnMulGetWorkspaceSize(const aclTensor* self, const aclTensor* other, aclTensor* out,
                                     uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareBinary("aclnnMul", Multiply(), self, other, out, workspaceSize, executor);
}
PHASE_TWO(aclnnMul)

aclnnStatus aclnnInplaceMulGetWorkspaceSize(aclTensor* selfRef, const aclTensor* other,
                                            uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareBinary("aclnnInplaceMul", Multiply(), selfRef, other, nullptr, workspaceSize,
                       executor);
}
PHASE_TWO(aclnnInplaceMul)

aclnnStatus aclnnMulsGetWorkspaceSize(const aclTensor* self, const aclScalar* other, aclTensor* out,
                                      uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareMultiplyByScalar("aclnnMuls", self, other, out, workspaceSize, executor);
}
PHASE_TWO(aclnnMuls)

aclnnStatus aclnnInplaceMulsGetWorkspaceSize(aclTensor* selfRef, const aclScalar* other,
                                             uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareMultiplyByScalar("aclnnInplaceMuls", selfRef, other, nullptr, workspaceSize,
                                 executor);
}
PHASE_TWO(aclnnInplaceMuls)

aclnnStatus aclnnDivGetWorkspaceSize(const aclTensor* self, const aclTensor* other, aclTensor* out,
                                     uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareBinary("aclnnDiv", Divide(), self, other, out, workspaceSize, executor);
}
PHASE_TWO(aclnnDiv)

aclnnStatus aclnnInplaceDivGetWorkspaceSize(aclTensor* selfRef, const aclTensor* other,
                                            uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareBinary("aclnnInplaceDiv", Divide(), selfRef, other, nullptr, workspaceSize,
                       executor);
}
PHASE_TWO(aclnnInplaceDiv)

aclnnStatus aclnnMaximumGetWorkspaceSize(const aclTensor* self, const aclTensor* other,
                                         aclTensor* out, uint64_t* workspaceSize,
                                         aclOpExecutor** executor) {
  return prepareBinary("aclnnMaximum", Larger(), self, other, out, workspaceSize, executor);
}
PHASE_TWO(aclnnMaximum)

aclnnStatus aclnnNegGetWorkspaceSize(const aclTensor* self, aclTensor* out, uint64_t* workspaceSize,
                                     aclOpExecutor** executor) {
  return prepareUnary("aclnnNeg", Negate(), self, out, workspaceSize, executor);
}
PHASE_TWO(aclnnNeg)

aclnnStatus aclnnExpGetWorkspaceSize(const aclTensor* self, aclTensor* out, uint64_t* workspaceSize,
                                     aclOpExecutor** executor) {
  return prepareUnary("aclnnExp", Exponential(), self, out, workspaceSize, executor);
}
PHASE_TWO(aclnnExp)

aclnnStatus aclnnInplaceExpGetWorkspaceSize(aclTensor* selfRef, uint64_t* workspaceSize,
                                            aclOpExecutor** executor) {
  return prepareUnary("aclnnInplaceExp", Exponential(), selfRef, nullptr, workspaceSize, executor);
}
PHASE_TWO(aclnnInplaceExp)

aclnnStatus aclnnLogGetWorkspaceSize(const aclTensor* self, aclTensor* out, uint64_t* workspaceSize,
                                     aclOpExecutor** executor) {
  return prepareUnary("aclnnLog", Logarithm(), self, out, workspaceSize, executor);
}
PHASE_TWO(aclnnLog)

}  // extern "C"
