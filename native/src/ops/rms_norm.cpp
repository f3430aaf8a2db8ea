// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_rms_norm.h"

#include <cmath>

#include "aclnn/executor.hpp"
#include "aclnn/tensor.hpp"
#include "arguments.hpp"
#include "flat_view.hpp"
#include "runtime/error.hpp"

using namespace cann4j;

namespace {

constexpr const char* kOp = "aclnnRmsNorm";

// In several sums: each stays small beside its terms' exactness, and they vectorise.
float sumOfSquares(const float* x, int64_t n) {
  constexpr int64_t kSums = 16;
  float sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int64_t k = 0; k < kSums; ++k) {
      sums[k] += x[i + k] * x[i + k];
    }
  }
  for (; i < n; ++i) {
    sums[i % kSums] += x[i] * x[i];
  }
  double sum = 0;
  for (const float part : sums) {
    sum += part;
  }
  return static_cast<float>(sum);
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

aclnnStatus prepare(const aclTensor* x, const aclTensor* gamma, double epsilon,
                    const aclTensor* yOut, const aclTensor* rstdOut, uint64_t* workspaceSize,
                    aclOpExecutor** executor) {
  RETURN_IF_FAILED(checkType(kOp, "x", x, kFloats));
  RETURN_IF_FAILED(checkType(kOp, "gamma", gamma, kFloats));
  if (gamma->dataType != ACL_FLOAT) {
    RETURN_IF_FAILED(checkSameType(kOp, "gamma", gamma, x->dataType));
  }
  RETURN_IF_FAILED(checkSameType(kOp, "yOut", yOut, x->dataType));
  RETURN_IF_FAILED(checkSameType(kOp, "rstdOut", rstdOut, ACL_FLOAT));
  const auto& shape = x->viewDims;
  const auto& last = gamma->viewDims;
  if (last.empty() || last.size() > shape.size() ||
      !std::equal(last.rbegin(), last.rend(), shape.rbegin())) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: gamma %s is not the last dimensions of x %s", kOp,
                shapeText(last).c_str(), shapeText(shape).c_str());
  }
  RETURN_IF_FAILED(checkSameShape(kOp, "yOut", yOut, shape));
  std::vector<int64_t> rows(shape.begin(), shape.end() - static_cast<ptrdiff_t>(last.size()));
  int64_t rowCount = 1;
  for (const int64_t dim : rows) {
    rowCount *= dim;
  }
  // The dimensions that are gone may be left out.
  if (rstdOut->viewDims != rows) {
    rows.resize(shape.size(), 1);
    RETURN_IF_FAILED(checkSameShape(kOp, "rstdOut", rstdOut, rows));
  }
  if (gamma->elements() == 0) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: gamma %s is empty", kOp, shapeText(last).c_str());
  }
  const Arguments arguments{FlatView("x", *x),         FlatView("gamma", *gamma),
                            FlatView("yOut", *yOut),   FlatView("rstdOut", *rstdOut),
                            rowCount,                  gamma->elements(),
                            static_cast<float>(epsilon)};
  return makeExecutor(
      kOp, 0,
      {inputSpan("x", x), inputSpan("gamma", gamma), outputSpan("yOut", yOut),
       outputSpan("rstdOut", rstdOut)},
      [arguments](const Binding& memory) { return normalise(arguments, memory); }, workspaceSize,
      executor);
}

}  // namespace

extern "C" {

aclnnStatus aclnnRmsNormGetWorkspaceSize(const aclTensor* x, const aclTensor* gamma,
                                         double epsilon, const aclTensor* yOut,
                                         const aclTensor* rstdOut, uint64_t* workspaceSize,
                                         aclOpExecutor** executor) {
  return guarded<aclnnStatus>(ACLNN_ERR_INNER, kOp, [&] {
    return prepare(x, gamma, epsilon, yOut, rstdOut, workspaceSize, executor);
  });
}

aclnnStatus aclnnRmsNorm(void* workspace, uint64_t workspaceSize, aclOpExecutor* executor,
                         aclrtStream stream) {
  return launch(kOp, workspace, workspaceSize, executor, stream);
}

}  // extern "C"
