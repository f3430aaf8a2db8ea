// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_rms_norm.h"

#include <cmath>

#include "arguments.hpp"
#include "flat_view.hpp"

using namespace cann4j;

namespace {

// In many short sums: each stays small beside its terms' exactness, and they vectorise.
float sumOfSquares(const float* x, int64_t n) {
  constexpr int64_t kSums = 16;
  constexpr int64_t kBlock = 256;
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock);
    float sums[kSums] = {};
    int64_t i = begin;
    for (; i + kSums <= end; i += kSums) {
      for (int64_t k = 0; k < kSums; ++k) {
        sums[k] += x[i + k] * x[i + k];
      }
    }
    for (; i < end; ++i) {
      sums[i % kSums] += x[i] * x[i];
    }
    for (const float sum : sums) {
      total += sum;
    }
  }
  return static_cast<float>(total);
}

struct Arguments {
  FlatView x, gamma, y, rstd;
  int64_t rows, columns;
  float epsilon;
};

aclError normalise(const Arguments& a, const Binding& memory) {
  const FlatView x = a.x.bound(memory), y = a.y.bound(memory), rstd = a.rstd.bound(memory);
  std::vector<float> gamma(static_cast<size_t>(a.columns));
  a.gamma.bound(memory).load(0, a.columns, gamma.data());
  forEachRange(a.rows, a.columns, [&](int64_t first, int64_t last) {
    std::vector<float> row(static_cast<size_t>(a.columns));
    for (int64_t r = first; r < last; ++r) {
      x.load(r * a.columns, a.columns, row.data());
      const float mean = sumOfSquares(row.data(), a.columns) / static_cast<float>(a.columns);
      const float factor = 1 / std::sqrt(mean + a.epsilon);
      for (size_t i = 0; i < row.size(); ++i) {
        row[i] *= factor * gamma[i];
      }
      y.store(r * a.columns, a.columns, row.data());
      rstd.store(r, 1, &factor);
    }
  });
  return ACL_SUCCESS;
}

aclnnStatus prepare(const Call& call, const aclTensor* x, const aclTensor* gamma, double epsilon,
                    const aclTensor* yOut, const aclTensor* rstdOut) {
  RETURN_IF_FAILED(checkType(call.op, "x", x, kFloats));
  RETURN_IF_FAILED(checkType(call.op, "gamma", gamma, kFloats));
  if (gamma->dataType != ACL_FLOAT) {
    RETURN_IF_FAILED(checkSameType(call.op, "gamma", gamma, x->dataType));
  }
  RETURN_IF_FAILED(checkSameType(call.op, "yOut", yOut, x->dataType));
  RETURN_IF_FAILED(checkSameType(call.op, "rstdOut", rstdOut, ACL_FLOAT));
  const auto& shape = x->viewDims;
  const auto& last = gamma->viewDims;
  if (last.empty() || last.size() > shape.size() ||
      !std::equal(last.rbegin(), last.rend(), shape.rbegin())) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: gamma %s is not the last dimensions of x %s", call.op,
                shapeText(last).c_str(), shapeText(shape).c_str());
  }
  RETURN_IF_FAILED(checkSameShape(call.op, "yOut", yOut, shape));
  std::vector<int64_t> rows(shape.begin(), shape.end() - static_cast<ptrdiff_t>(last.size()));
  int64_t rowCount = 1;
  for (const int64_t dim : rows) {
    rowCount *= dim;
  }
  // The dimensions that are gone may be left out.
  if (rstdOut->viewDims != rows) {
    rows.resize(shape.size(), 1);
    RETURN_IF_FAILED(checkSameShape(call.op, "rstdOut", rstdOut, rows));
  }
  if (gamma->elements() == 0) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: gamma %s is empty", call.op, shapeText(last).c_str());
  }
  const Arguments arguments{FlatView("x", *x),         FlatView("gamma", *gamma),
                            FlatView("yOut", *yOut),   FlatView("rstdOut", *rstdOut),
                            rowCount,                  gamma->elements(),
                            static_cast<float>(epsilon)};
  return call.make(
      {inputSpan("x", x), inputSpan("gamma", gamma), outputSpan("yOut", yOut),
       outputSpan("rstdOut", rstdOut)},
      [arguments](const Binding& memory) { return normalise(arguments, memory); });
}

}  // namespace

extern "C" {

aclnnStatus aclnnRmsNormGetWorkspaceSize(const aclTensor* x, const aclTensor* gamma,
                                         double epsilon, const aclTensor* yOut,
                                         const aclTensor* rstdOut, uint64_t* workspaceSize,
                                         aclOpExecutor** executor) {
  return phaseOne("aclnnRmsNorm", workspaceSize, executor, [&](const Call& call) {
    return prepare(call, x, gamma, epsilon, yOut, rstdOut);
  });
}
PHASE_TWO(aclnnRmsNorm)

}  // extern "C"
