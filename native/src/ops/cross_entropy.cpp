// SPDX-License-Identifier: Apache-2.0
// CrossEntropyLoss and its gradient.
#include <cmath>
#include <optional>
#include <string>

#include "aclnnop/aclnn_cross_entropy_loss.h"
#include "aclnnop/aclnn_cross_entropy_loss_grad.h"
#include "arguments.hpp"
#include "index.hpp"

using namespace cann4j;

namespace {

enum class Mean { kMean, kSum, kNone };

// What both directions take.
struct Terms {
  const char* op;
  Mean mean;
  int64_t ignoreIndex;
  double smoothing;
  int64_t rows, classes;
  FlatView target;
  std::optional<FlatView> weight;
};

// The targets and weights of one run.
struct Classes {
  std::vector<int64_t> target;
  std::vector<float> weight;  // of each class
  double weightSum = 0;       // of all classes
  double divisor = 1;         // of the loss

  bool isIgnored(size_t row, const Terms& t) const { return target[row] == t.ignoreIndex; }
};

aclError readClasses(const Terms& t, const Binding& memory, Classes* c) {
  if (const aclError error = readIndices(t.op, "target", t.target.bound(memory), t.classes,
                                         t.ignoreIndex, &c->target);
      error != ACL_SUCCESS) {
    return error;
  }
  c->weight.assign(static_cast<size_t>(t.classes), 1.0f);
  if (t.weight) {
    t.weight->bound(memory).load(0, t.classes, c->weight.data());
  }
  for (const float weight : c->weight) {
    c->weightSum += weight;
  }
  if (t.mean == Mean::kMean) {
    c->divisor = 0;
    for (size_t row = 0; row < c->target.size(); ++row) {
      c->divisor += c->isIgnored(row, t) ? 0 : c->weight[static_cast<size_t>(c->target[row])];
    }
  }
  return ACL_SUCCESS;
}

// x becomes x - log(sum of e^x).
void logSoftmax(std::vector<float>& x) {
  const float highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const float value : x) {
    sum += std::exp(value - highest);
  }
  const auto logSum = static_cast<float>(std::log(sum));
  for (float& value : x) {
    value = value - highest - logSum;  // in this order, which is the more exact one
  }
}

// The loss of a row, before the mean over rows.
double lossOf(const std::vector<float>& logProb, size_t target, const Classes& c, const Terms& t) {
  const double likelihood = static_cast<double>(c.weight[target]) * logProb[target];
  if (t.smoothing == 0) {
    return -likelihood;
  }
  double all = 0;
  for (size_t i = 0; i < logProb.size(); ++i) {
    all += static_cast<double>(c.weight[i]) * logProb[i];
  }
  return -(1 - t.smoothing) * likelihood - t.smoothing / static_cast<double>(t.classes) * all;
}

aclError computeLoss(const Terms& t, const FlatView& input, const FlatView& loss,
                     const FlatView& logProb, const Binding& memory) {
  Classes c;
  if (const aclError error = readClasses(t, memory, &c); error != ACL_SUCCESS) {
    return error;
  }
  const FlatView from = input.bound(memory), to = logProb.bound(memory),
                 result = loss.bound(memory);
  std::vector<float> losses(static_cast<size_t>(t.rows));
  forEachRange(t.rows, t.classes, [&](int64_t first, int64_t last) {
    std::vector<float> x(static_cast<size_t>(t.classes));
    for (int64_t row = first; row < last; ++row) {
      from.load(row * t.classes, t.classes, x.data());
      logSoftmax(x);
      to.store(row * t.classes, t.classes, x.data());
      const auto r = static_cast<size_t>(row);
      losses[r] = c.isIgnored(r, t) ? 0
                                    : static_cast<float>(lossOf(
                                          x, static_cast<size_t>(c.target[r]), c, t));
    }
  });
  if (t.mean == Mean::kNone) {
    result.store(0, t.rows, losses.data());
    return ACL_SUCCESS;
  }
  double sum = 0;
  for (const float value : losses) {
    sum += value;
  }
  const auto total = static_cast<float>(sum / c.divisor);
  result.store(0, 1, &total);
  return ACL_SUCCESS;
}

aclError computeGradient(const Terms& t, const FlatView& gradLoss, const FlatView& logProb,
                         const FlatView& out, const Binding& memory) {
  Classes c;
  if (const aclError error = readClasses(t, memory, &c); error != ACL_SUCCESS) {
    return error;
  }
  const FlatView from = logProb.bound(memory), to = out.bound(memory);
  std::vector<float> grads(static_cast<size_t>(gradLoss.size()));
  gradLoss.bound(memory).load(0, gradLoss.size(), grads.data());
  forEachRange(t.rows, t.classes, [&](int64_t first, int64_t last) {
    std::vector<float> x(static_cast<size_t>(t.classes));
    for (int64_t row = first; row < last; ++row) {
      const auto r = static_cast<size_t>(row);
      if (c.isIgnored(r, t)) {
        std::fill(x.begin(), x.end(), 0.0f);
      } else {
        from.load(row * t.classes, t.classes, x.data());
        const auto target = static_cast<size_t>(c.target[r]);
        const double grad = grads[t.mean == Mean::kNone ? r : 0] / c.divisor;
        const auto hit = static_cast<float>(grad * (1 - t.smoothing) * c.weight[target]);
        const auto each = static_cast<float>(grad * t.smoothing / static_cast<double>(t.classes));
        const float slope = hit + each * static_cast<float>(c.weightSum);
        for (size_t i = 0; i < x.size(); ++i) {
          x[i] = slope * std::exp(x[i]) - each * c.weight[i];
        }
        x[target] -= hit;
      }
      to.store(row * t.classes, t.classes, x.data());
    }
  });
  return ACL_SUCCESS;
}

// Checks what both take besides the matrix of rows and classes, whose name and shape are given.
aclnnStatus readTerms(const char* op, const char* name, const std::vector<int64_t>& shape,
                      const aclTensor* target, const aclTensor* weight, const char* reduction,
                      int64_t ignoreIndex, double smoothing, std::optional<Terms>* terms) {
  if (shape.size() != 2 || shape[1] == 0) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s has the shape %s, not [N, C]", op, name,
                shapeText(shape).c_str());
  }
  RETURN_IF_FAILED(checkType(op, "target", target, kIndices));
  RETURN_IF_FAILED(checkSameShape(op, "target", target, {shape[0]}));
  if (weight != nullptr) {
    RETURN_IF_FAILED(checkType(op, "weight", weight, kFloats));
    RETURN_IF_FAILED(checkSameShape(op, "weight", weight, {shape[1]}));
  }
  const std::string word = reduction == nullptr ? "mean" : reduction;
  if (word != "mean" && word != "sum" && word != "none") {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: the reduction %s is none of mean, sum, none", op,
                word.c_str());
  }
  if (!(smoothing >= 0 && smoothing < 1)) {
    return fail(ACLNN_ERR_INNER_TILING_ERROR, "%s: labelSmoothing is %g, which is not in [0, 1)",
                op, smoothing);
  }
  *terms = Terms{op,
                 word == "mean"  ? Mean::kMean
                 : word == "sum" ? Mean::kSum
                                 : Mean::kNone,
                 ignoreIndex,
                 smoothing,
                 shape[0],
                 shape[1],
                 FlatView("target", *target),
                 {}};
  if (weight != nullptr) {
    (*terms)->weight = FlatView("weight", *weight);
  }
  return ACLNN_SUCCESS;
}

std::vector<int64_t> lossShape(const Terms& t) {
  return {t.mean == Mean::kNone ? t.rows : 1};
}

aclnnStatus prepareLoss(const Call& call, const aclTensor* input, const aclTensor* target,
                        const aclTensor* weight, const char* reduction, int64_t ignoreIndex,
                        double labelSmoothing, const aclTensor* lossOut,
                        const aclTensor* logProbOut, const aclTensor* zlossOut,
                        const aclTensor* lseForZlossOut) {
  RETURN_IF_FAILED(checkType(call.op, "input", input, kFloats));
  RETURN_IF_FAILED(checkType(call.op, "lossOut", lossOut, kFloats));
  RETURN_IF_FAILED(checkType(call.op, "logProbOut", logProbOut, kFloats));
  RETURN_IF_FAILED(checkTensor(call.op, "zlossOut", zlossOut));
  RETURN_IF_FAILED(checkTensor(call.op, "lseForZlossOut", lseForZlossOut));
  std::optional<Terms> terms;
  RETURN_IF_FAILED(readTerms(call.op, "input", input->viewDims, target, weight, reduction,
                             ignoreIndex, labelSmoothing, &terms));
  RETURN_IF_FAILED(checkSameShape(call.op, "lossOut", lossOut, lossShape(*terms)));
  RETURN_IF_FAILED(checkSameShape(call.op, "logProbOut", logProbOut, input->viewDims));
  return call.make(
      {inputSpan("input", input), inputSpan("target", target), inputSpan("weight", weight),
       outputSpan("lossOut", lossOut), outputSpan("logProbOut", logProbOut),
       untouched(outputSpan("zlossOut", zlossOut)),
       untouched(outputSpan("lseForZlossOut", lseForZlossOut))},
      [t = *terms, x = FlatView("input", *input), loss = FlatView("lossOut", *lossOut),
       logProb = FlatView("logProbOut", *logProbOut)](const Binding& memory) {
        return computeLoss(t, x, loss, logProb, memory);
      });
}

aclnnStatus prepareGradient(const Call& call, const aclTensor* gradLoss, const aclTensor* logProb,
                            const aclTensor* target, const aclTensor* weight,
                            const aclTensor* gradZloss, const aclTensor* lseForZloss,
                            const char* reduction, int64_t ignoreIndex, double labelSmoothing,
                            const aclTensor* out) {
  RETURN_IF_FAILED(checkType(call.op, "gradLoss", gradLoss, kFloats));
  RETURN_IF_FAILED(checkType(call.op, "logProb", logProb, kFloats));
  RETURN_IF_FAILED(checkOptionalTensor(call.op, "gradZloss", gradZloss));
  RETURN_IF_FAILED(checkOptionalTensor(call.op, "lseForZloss", lseForZloss));
  RETURN_IF_FAILED(checkType(call.op, "out", out, kFloats));
  std::optional<Terms> terms;
  RETURN_IF_FAILED(readTerms(call.op, "logProb", logProb->viewDims, target, weight, reduction,
                             ignoreIndex, labelSmoothing, &terms));
  // The gradient of a scalar may be one without dimensions.
  if (terms->mean == Mean::kNone || !gradLoss->viewDims.empty()) {
    RETURN_IF_FAILED(checkSameShape(call.op, "gradLoss", gradLoss, lossShape(*terms)));
  }
  RETURN_IF_FAILED(checkSameShape(call.op, "out", out, logProb->viewDims));
  return call.make(
      {inputSpan("gradLoss", gradLoss), inputSpan("logProb", logProb),
       inputSpan("target", target), inputSpan("weight", weight),
       untouched(inputSpan("gradZloss", gradZloss)),
       untouched(inputSpan("lseForZloss", lseForZloss)), outputSpan("out", out)},
      [t = *terms, grad = FlatView("gradLoss", *gradLoss), x = FlatView("logProb", *logProb),
       result = FlatView("out", *out)](const Binding& memory) {
        return computeGradient(t, grad, x, result, memory);
      });
}

}  // namespace

extern "C" {

aclnnStatus aclnnCrossEntropyLossGetWorkspaceSize(
    const aclTensor* input, const aclTensor* target, const aclTensor* weightOptional,
    char* reductionOptional, int64_t ignoreIndex, double labelSmoothing, double, bool,
    const aclTensor* lossOut, const aclTensor* logProbOut, const aclTensor* zlossOut,
    const aclTensor* lseForZlossOut, uint64_t* workspaceSize, aclOpExecutor** executor) {
  return phaseOne("aclnnCrossEntropyLoss", workspaceSize, executor, [&](const Call& call) {
    return prepareLoss(call, input, target, weightOptional, reductionOptional, ignoreIndex,
                       labelSmoothing, lossOut, logProbOut, zlossOut, lseForZlossOut);
  });
}
PHASE_TWO(aclnnCrossEntropyLoss)

aclnnStatus aclnnCrossEntropyLossGradGetWorkspaceSize(
    const aclTensor* gradLoss, const aclTensor* logProb, const aclTensor* target,
    const aclTensor* weightOptional, const aclTensor* gradZlossOptional,
    const aclTensor* lseForZlossOptional, char* reductionOptional, int64_t ignoreIndex,
    double labelSmoothing, double, const aclTensor* out, uint64_t* workspaceSize,
    aclOpExecutor** executor) {
  return phaseOne("aclnnCrossEntropyLossGrad", workspaceSize, executor, [&](const Call& call) {
    return prepareGradient(call, gradLoss, logProb, target, weightOptional, gradZlossOptional,
                           lseForZlossOptional, reductionOptional, ignoreIndex, labelSmoothing,
                           out);
  });
}
PHASE_TWO(aclnnCrossEntropyLossGrad)

}  // extern "C"
