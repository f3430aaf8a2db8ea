// SPDX-License-Identifier: Apache-2.0
// ReduceSum, LogSumExp, Softmax.
#include <cmath>
#include <utility>
#include <vector>

#include "aclnnop/aclnn_logsumexp.h"
#include "aclnnop/aclnn_reduce_sum.h"
#include "aclnnop/aclnn_softmax.h"
#include "arguments.hpp"
#include "move.hpp"
#include "reduce.hpp"

using namespace cann4j;

namespace {

// The type whose elements are values of class C as they are.
template <class C>
constexpr aclDataType kNative = std::is_same_v<C, float>     ? ACL_FLOAT
                                : std::is_same_v<C, double>  ? ACL_DOUBLE
                                : std::is_same_v<C, int64_t> ? ACL_INT64
                                                             : ACL_UINT64;

// A reduction of self with its results stored in out.
struct Stored {
  Reduction reduction;
  const void* self;
  Walk walk;  // out, results
};

template <class C>
aclError store(const Stored& s, const Binding& memory, std::vector<C> results) {
  Walk walk = s.walk.bound(memory);
  walk.views[1].origin = reinterpret_cast<uintptr_t>(results.data());
  return moveElements(walk);
}

template <class C>
aclError sum(const Stored& s, const Binding& memory) {
  return store(s, memory,
               reduce<C>(s.reduction, memory.host("self", s.self), SumFold<C>()));
}

template <class C>
aclError logSumExp(const Stored& s, const Binding& memory) {
  const void* self = memory.host("self", s.self);
  std::vector<C> shifts = reduce<C>(s.reduction, self, MaxFold<C>());
  for (C& shift : shifts) {
    shift = std::isinf(shift) ? C{0} : shift;
  }
  std::vector<C> results = reduce<C>(s.reduction, self, ExponentialSumFold<C>{shifts.data()});
  for (size_t i = 0; i < results.size(); ++i) {
    results[i] = std::log(results[i]) + shifts[i];
  }
  return store(s, memory, std::move(results));
}

// The walk has out, self, maxima and sums.
template <class C>
aclError softmax(const Stored& s, const Binding& memory) {
  const void* self = memory.host("self", s.self);
  const std::vector<C> maxima = reduce<C>(s.reduction, self, MaxFold<C>());
  const std::vector<C> sums = reduce<C>(s.reduction, self, ExponentialSumFold<C>{maxima.data()});
  Walk walk = s.walk.bound(memory);
  walk.views[2].origin = reinterpret_cast<uintptr_t>(maxima.data());
  walk.views[3].origin = reinterpret_cast<uintptr_t>(sums.data());
  return transform<C>(walk, [](const Inputs<C>& in, C* out, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      out[i] = std::exp(in[0][i] - in[1][i]) / in[2][i];
    }
  });
}

// Dimensions by their numbers; none means all.
aclnnStatus readDims(const char* op, const aclTensor& self, const aclIntArray& dims,
                     std::vector<bool>* isReduced) {
  const size_t rank = self.viewDims.size();
  isReduced->assign(rank, dims.values.empty());
  for (const int64_t dim : dims.values) {
    size_t number = 0;
    RETURN_IF_FAILED(checkDim(op, dim, rank, &number));
    if (rank == 0) {
      continue;
    }
    if ((*isReduced)[number]) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: dims %s names the dimension %zu twice", op,
                  shapeText(dims.values).c_str(), number);
    }
    (*isReduced)[number] = true;
  }
  return ACLNN_SUCCESS;
}

template <class C>
aclnnStatus prepare(const Call& call, aclError (*run)(const Stored&, const Binding&),
                    const aclTensor* self, const std::vector<bool>& isReduced, bool keepDims,
                    const aclTensor* out) {
  aclTensor results;
  Stored stored{planReduction(*self, isReduced, keepDims, &results),
                reinterpret_cast<const void*>(self->originAddress()),
                {}};
  results.dataType = kNative<C>;
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, results.viewDims));
  stored.walk = makeWalk({{"out", out}, {nullptr, &results}});
  return call.make({inputSpan("self", self), outputSpan("out", out)},
                   [run, stored = std::move(stored)](const Binding& memory) {
                     return run(stored, memory);
                   });
}

aclnnStatus prepareSum(const Call& call, const aclTensor* self, const aclIntArray* dims,
                       bool keepDims, aclDataType dtype, const aclTensor* out) {
  RETURN_IF_FAILED(checkNumeric(call.op, "self", self));
  RETURN_IF_FAILED(checkIntArray(call.op, "dims", dims));
  RETURN_IF_FAILED(checkNumeric(call.op, "out", out));
  if (out->dataType != dtype) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: out is %s, dtype says %s", call.op,
                dataTypeName(out->dataType), dataTypeName(dtype));
  }
  RETURN_IF_FAILED(checkResultType(call.op, self->dataType, out));
  std::vector<bool> isReduced;
  RETURN_IF_FAILED(readDims(call.op, *self, *dims, &isReduced));
  switch (numberClass(promote(self->dataType, dtype))) {
    case NumberClass::kDouble:
      return prepare<double>(call, &sum<double>, self, isReduced, keepDims, out);
    case NumberClass::kFloat:
      return prepare<float>(call, &sum<float>, self, isReduced, keepDims, out);
    case NumberClass::kUnsigned:
      return prepare<uint64_t>(call, &sum<uint64_t>, self, isReduced, keepDims, out);
    default:
      return prepare<int64_t>(call, &sum<int64_t>, self, isReduced, keepDims, out);
  }
}

aclnnStatus prepareLogSumExp(const Call& call, const aclTensor* self, const aclIntArray* dim,
                             bool keepDim, const aclTensor* out) {
  RETURN_IF_FAILED(checkNumeric(call.op, "self", self));
  RETURN_IF_FAILED(checkIntArray(call.op, "dim", dim));
  RETURN_IF_FAILED(checkNumeric(call.op, "out", out));
  RETURN_IF_FAILED(checkResultType(call.op, promote(self->dataType, ACL_FLOAT), out));
  std::vector<bool> isReduced;
  RETURN_IF_FAILED(readDims(call.op, *self, *dim, &isReduced));
  return self->dataType == ACL_DOUBLE
             ? prepare<double>(call, &logSumExp<double>, self, isReduced, keepDim, out)
             : prepare<float>(call, &logSumExp<float>, self, isReduced, keepDim, out);
}

aclnnStatus prepareSoftmax(const Call& call, const aclTensor* self, int64_t dim,
                           const aclTensor* out) {
  RETURN_IF_FAILED(checkNumeric(call.op, "self", self));
  RETURN_IF_FAILED(checkNumeric(call.op, "out", out));
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, self->viewDims));
  for (const aclTensor* tensor : {self, out}) {
    if (!isFloating(tensor->dataType)) {
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s is %s, which is not floating", call.op,
                  tensor == self ? "self" : "out", dataTypeName(tensor->dataType));
    }
  }
  size_t number = 0;
  RETURN_IF_FAILED(checkDim(call.op, dim, self->viewDims.size(), &number));
  std::vector<bool> isReduced(self->viewDims.size(), false);
  if (!isReduced.empty()) {
    isReduced[number] = true;
  }
  const bool isDouble = self->dataType == ACL_DOUBLE;
  aclTensor results;
  Stored stored{planReduction(*self, isReduced, true, &results),
                reinterpret_cast<const void*>(self->originAddress()),
                {}};
  results.dataType = isDouble ? ACL_DOUBLE : ACL_FLOAT;
  stored.walk =
      makeWalk({{"out", out}, {"self", self}, {nullptr, &results}, {nullptr, &results}});
  return call.make({inputSpan("self", self), outputSpan("out", out)},
                   [isDouble, stored = std::move(stored)](const Binding& memory) {
                     return isDouble ? softmax<double>(stored, memory)
                                     : softmax<float>(stored, memory);
                   });
}

}  // namespace

extern "C" {

aclnnStatus aclnnReduceSumGetWorkspaceSize(const aclTensor* self, const aclIntArray* dims,
                                           bool keepDims, aclDataType dtype, aclTensor* out,
                                           uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnReduceSum", workspaceSize, executor, [&](const Call& call) {
    return prepareSum(call, self, dims, keepDims, dtype, out);
  });
}
PHASE_TWO(aclnnReduceSum)

aclnnStatus aclnnLogSumExpGetWorkspaceSize(const aclTensor* self, const aclIntArray* dim,
                                           bool keepDim, aclTensor* out, uint64_t* workspaceSize,
                                           aclOpExecutor** executor) {
  return phaseOne("aclnnLogSumExp", workspaceSize, executor, [&](const Call& call) {
    return prepareLogSumExp(call, self, dim, keepDim, out);
  });
}
PHASE_TWO(aclnnLogSumExp)

aclnnStatus aclnnSoftmaxGetWorkspaceSize(const aclTensor* self, int64_t dim, aclTensor* out,
                                         uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnSoftmax", workspaceSize, executor, [&](const Call& call) {
    return prepareSoftmax(call, self, dim, out);
  });
}
PHASE_TWO(aclnnSoftmax)

}  // extern "C"
