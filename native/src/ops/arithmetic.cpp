// SPDX-License-Identifier: Apache-2.0
// Add, Sub, Mul, Div, Maximum and their scalar and in-place forms, Exp.
#include <cmath>
#include <functional>

#include "aclnn/executor.hpp"
#include "aclnn/tensor.hpp"
#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_div.h"
#include "aclnnop/aclnn_exp.h"
#include "aclnnop/aclnn_maximum.h"
#include "aclnnop/aclnn_mul.h"
#include "aclnnop/aclnn_sub.h"
#include "arguments.hpp"
#include "elementwise.hpp"
#include "runtime/error.hpp"

using namespace cann4j;

namespace {

// Integers wrap, as on the device: computed on unsigned values.
template <class C>
C wrapping(C a, C b, auto operation) {
  if constexpr (std::is_integral_v<C>) {
    return static_cast<C>(operation(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  } else {
    return operation(a, b);
  }
}

template <class C>
C scalarAs(const aclScalar& scalar) {
  if constexpr (std::is_integral_v<C>) {
    return static_cast<C>(scalar.integer);
  } else {
    return static_cast<C>(scalar.real);
  }
}

struct AddScaled {
  static constexpr bool kFloatingOnly = false;
  template <class C>
  void operator()(const C* a, const C* b, C* out, int64_t n, C alpha) const {
    if (alpha == C{1}) {
      for (int64_t i = 0; i < n; ++i) {
        out[i] = wrapping(a[i], b[i], std::plus<>());
      }
      return;
    }
    for (int64_t i = 0; i < n; ++i) {
      out[i] = wrapping(a[i], wrapping(alpha, b[i], std::multiplies<>()), std::plus<>());
    }
  }
};

struct SubScaled {
  static constexpr bool kFloatingOnly = false;
  template <class C>
  void operator()(const C* a, const C* b, C* out, int64_t n, C alpha) const {
    for (int64_t i = 0; i < n; ++i) {
      out[i] = wrapping(a[i], wrapping(alpha, b[i], std::multiplies<>()), std::minus<>());
    }
  }
};

struct Multiply {
  static constexpr bool kFloatingOnly = false;
  template <class C>
  void operator()(const C* a, const C* b, C* out, int64_t n, C) const {
    for (int64_t i = 0; i < n; ++i) {
      out[i] = wrapping(a[i], b[i], std::multiplies<>());
    }
  }
};

struct MultiplyByScalar {
  static constexpr bool kFloatingOnly = false;
  template <class C>
  void operator()(const C* a, const C*, C* out, int64_t n, C factor) const {
    for (int64_t i = 0; i < n; ++i) {
      out[i] = wrapping(a[i], factor, std::multiplies<>());
    }
  }
};

struct Divide {
  static constexpr bool kFloatingOnly = true;
  template <class C>
  void operator()(const C* a, const C* b, C* out, int64_t n, C) const {
    for (int64_t i = 0; i < n; ++i) {
      out[i] = a[i] / b[i];
    }
  }
};

struct Larger {
  static constexpr bool kFloatingOnly = false;
  template <class C>
  void operator()(const C* a, const C* b, C* out, int64_t n, C) const {
    for (int64_t i = 0; i < n; ++i) {
      // A NaN on either side is the result.
      out[i] = a[i] > b[i] || a[i] != a[i] ? a[i] : b[i];
    }
  }
};

struct Exponential {
  static constexpr bool kFloatingOnly = true;
  template <class C>
  void operator()(const C* a, const C*, C* out, int64_t n, C) const {
    for (int64_t i = 0; i < n; ++i) {
      out[i] = std::exp(a[i]);
    }
  }
};

template <class C, class Operation>
Kernel kernelOf(Walk walk, Operation operation, C factor) {
  return [walk = std::move(walk), operation, factor](const Binding& memory) {
    return transform<C>(walk.bound(memory), [&](const C* a, const C* b, C* out, int64_t n) {
      operation(a, b, out, n, factor);
    });
  };
}

// `computed` is the type of the operation; the kernel works in its class.
template <class Operation>
Kernel kernelFor(aclDataType computed, Walk walk, Operation operation,
                                         const aclScalar& factor) {
  switch (numberClass(computed)) {
    case NumberClass::kDouble:
      return kernelOf<double>(std::move(walk), operation, scalarAs<double>(factor));
    case NumberClass::kFloat:
      return kernelOf<float>(std::move(walk), operation, scalarAs<float>(factor));
    default:
      break;
  }
  if constexpr (Operation::kFloatingOnly) {
    return kernelOf<float>(std::move(walk), operation, scalarAs<float>(factor));
  } else if (numberClass(computed) == NumberClass::kUnsigned) {
    return kernelOf<uint64_t>(std::move(walk), operation, scalarAs<uint64_t>(factor));
  } else {
    return kernelOf<int64_t>(std::move(walk), operation, scalarAs<int64_t>(factor));
  }
}

// The scalar takes part in promotion only by its kind: a floating one makes integers floating.
aclDataType promoteScalar(aclDataType type, const aclScalar& scalar) {
  return isFloating(scalar.dataType) && !isFloating(type) ? ACL_FLOAT : type;
}

// Without `out` the result goes to self.
template <class Operation>
aclnnStatus prepareBinary(const char* op, Operation operation, const aclTensor* self,
                          const aclTensor* other, const aclScalar* alpha, const aclTensor* out,
                          uint64_t* workspaceSize, aclOpExecutor** executor) {
  const char* selfName = out == nullptr ? "selfRef" : "self";
  RETURN_IF_FAILED(checkNumeric(op, selfName, self));
  RETURN_IF_FAILED(checkNumeric(op, "other", other));
  const aclTensor* result = out == nullptr ? self : out;
  RETURN_IF_FAILED(checkNumeric(op, "out", result));
  RETURN_IF_FAILED(checkBroadcast(op, self, other, result));
  aclDataType computed = promote(self->dataType, other->dataType);
  if (Operation::kFloatingOnly && !isFloating(computed)) {
    computed = ACL_FLOAT;
  }
  RETURN_IF_FAILED(checkResultType(op, computed, result));
  aclScalar factor{ACL_INT64, 1, 1};
  if (alpha != nullptr) {
    factor = *alpha;
    if (isFloating(factor.dataType) && !isFloating(computed)) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: alpha is floating, the tensors are %s and %s", op,
                  dataTypeName(self->dataType), dataTypeName(other->dataType));
    }
  }
  std::vector<DeviceSpan> spans{out == nullptr ? inPlaceSpan(selfName, self)
                                               : inputSpan(selfName, self),
                                inputSpan("other", other)};
  if (out != nullptr) {
    spans.push_back(outputSpan("out", out));
  }
  return makeExecutor(op, 0, std::move(spans),
                      kernelFor(computed,
                                makeWalk({{out == nullptr ? selfName : "out", result},
                                          {selfName, self},
                                          {"other", other}}),
                                operation, factor),
                      workspaceSize, executor);
}

template <class Operation>
aclnnStatus prepareUnary(const char* op, Operation operation, const aclTensor* self,
                         const aclScalar& factor, const aclTensor* out, uint64_t* workspaceSize,
                         aclOpExecutor** executor) {
  const char* selfName = out == nullptr ? "selfRef" : "self";
  RETURN_IF_FAILED(checkNumeric(op, selfName, self));
  const aclTensor* result = out == nullptr ? self : out;
  RETURN_IF_FAILED(checkNumeric(op, "out", result));
  RETURN_IF_FAILED(checkSameShape(op, "out", result, self->viewDims));
  aclDataType computed = promoteScalar(self->dataType, factor);
  if (Operation::kFloatingOnly && !isFloating(computed)) {
    computed = ACL_FLOAT;
  }
  RETURN_IF_FAILED(checkResultType(op, computed, result));
  std::vector<DeviceSpan> spans{out == nullptr ? inPlaceSpan(selfName, self)
                                               : inputSpan(selfName, self)};
  if (out != nullptr) {
    spans.push_back(outputSpan("out", out));
  }
  return makeExecutor(
      op, 0, std::move(spans),
      kernelFor(computed,
                makeWalk({{out == nullptr ? selfName : "out", result}, {selfName, self}}),
                operation, factor),
      workspaceSize, executor);
}

}  // namespace

extern "C" {

aclnnStatus aclnnAddGetWorkspaceSize(const aclTensor* self, const aclTensor* other,
                                     const aclScalar* alpha, aclTensor* out,
                                     uint64_t* workspaceSize, aclOpExecutor** executor) {
  RETURN_IF_FAILED(checkScalar("aclnnAdd", "alpha", alpha));
  return prepareBinary("aclnnAdd", AddScaled(), self, other, alpha, out, workspaceSize, executor);
}

aclnnStatus aclnnAdd(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                     aclrtStream stream) {
  return launch("aclnnAdd", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnInplaceAddGetWorkspaceSize(const aclTensor* selfRef, const aclTensor* other,
                                            const aclScalar* alpha, uint64_t* workspaceSize,
                                            aclOpExecutor** executor) {
  RETURN_IF_FAILED(checkScalar("aclnnInplaceAdd", "alpha", alpha));
  return prepareBinary("aclnnInplaceAdd", AddScaled(), selfRef, other, alpha, nullptr,
                       workspaceSize, executor);
}

aclnnStatus aclnnInplaceAdd(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                            aclrtStream stream) {
  return launch("aclnnInplaceAdd", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnSubGetWorkspaceSize(const aclTensor* self, const aclTensor* other,
                                     const aclScalar* alpha, aclTensor* out,
                                     uint64_t* workspaceSize, aclOpExecutor** executor) {
  RETURN_IF_FAILED(checkScalar("aclnnSub", "alpha", alpha));
  return prepareBinary("aclnnSub", SubScaled(), self, other, alpha, out, workspaceSize, executor);
}

aclnnStatus aclnnSub(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                     aclrtStream stream) {
  return launch("aclnnSub", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnMulGetWorkspaceSize(const aclTensor* self, const aclTensor* other, aclTensor* out,
                                     uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareBinary("aclnnMul", Multiply(), self, other, nullptr, out, workspaceSize, executor);
}

aclnnStatus aclnnMul(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                     aclrtStream stream) {
  return launch("aclnnMul", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnMulsGetWorkspaceSize(const aclTensor* self, const aclScalar* other,
                                      aclTensor* out, uint64_t* workspaceSize,
                                      aclOpExecutor** executor) {
  RETURN_IF_FAILED(checkScalar("aclnnMuls", "other", other));
  return prepareUnary("aclnnMuls", MultiplyByScalar(), self, *other, out, workspaceSize, executor);
}

aclnnStatus aclnnMuls(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                      aclrtStream stream) {
  return launch("aclnnMuls", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnInplaceMulsGetWorkspaceSize(aclTensor* selfRef, const aclScalar* other,
                                             uint64_t* workspaceSize, aclOpExecutor** executor) {
  RETURN_IF_FAILED(checkScalar("aclnnInplaceMuls", "other", other));
  return prepareUnary("aclnnInplaceMuls", MultiplyByScalar(), selfRef, *other, nullptr,
                      workspaceSize, executor);
}

aclnnStatus aclnnInplaceMuls(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                             aclrtStream stream) {
  return launch("aclnnInplaceMuls", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnDivGetWorkspaceSize(const aclTensor* self, const aclTensor* other, aclTensor* out,
                                     uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareBinary("aclnnDiv", Divide(), self, other, nullptr, out, workspaceSize, executor);
}

aclnnStatus aclnnDiv(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                     aclrtStream stream) {
  return launch("aclnnDiv", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnMaximumGetWorkspaceSize(const aclTensor* self, const aclTensor* other,
                                         aclTensor* out, uint64_t* workspaceSize,
                                         aclOpExecutor** executor) {
  return prepareBinary("aclnnMaximum", Larger(), self, other, nullptr, out, workspaceSize,
                       executor);
}

aclnnStatus aclnnMaximum(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                         aclrtStream stream) {
  return launch("aclnnMaximum", workspace, workspaceSize, executor, stream);
}

aclnnStatus aclnnExpGetWorkspaceSize(const aclTensor* self, aclTensor* out,
                                     uint64_t* workspaceSize, aclOpExecutor** executor) {
  return prepareUnary("aclnnExp", Exponential(), self, aclScalar{ACL_INT64, 1, 1}, out,
                      workspaceSize, executor);
}

aclnnStatus aclnnExp(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                     aclrtStream stream) {
  return launch("aclnnExp", workspace, workspaceSize, executor, stream);
}

}  // extern "C"
