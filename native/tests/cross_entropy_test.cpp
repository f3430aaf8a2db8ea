// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_cross_entropy_loss.h"
#include "aclnnop/aclnn_cross_entropy_loss_grad.h"
#include "random_views.hpp"

using namespace elements;

namespace {

using Values = std::vector<double>;

char* word(const char* text) { return const_cast<char*>(text); }

struct Options {
  std::string reduction = "mean";
  int64_t ignoreIndex = -100;
  double smoothing = 0;
  size_t classes = 0;
  Values weight;  // of each class

  bool isMean() const { return reduction == "mean"; }
  bool isNone() const { return reduction == "none"; }

  double divisor(const Values& target) const {
    double sum = 0;
    for (const double t : target) {
      sum += t == static_cast<double>(ignoreIndex) ? 0 : weight[static_cast<size_t>(t)];
    }
    return isMean() ? sum : 1;
  }

  // How much the loss of a row changes with the logarithm of each probability.
  double slope(size_t target, size_t c) const {
    return -(1 - smoothing) * (c == target ? weight[c] : 0) -
           smoothing / static_cast<double>(classes) * weight[c];
  }
};

Values logSoftmax(const Values& x, size_t classes) {
  Values result;
  for (size_t row = 0; row < x.size(); row += classes) {
    double sum = 0;
    for (size_t c = 0; c < classes; ++c) {
      sum += std::exp(x[row + c]);
    }
    for (size_t c = 0; c < classes; ++c) {
      result.push_back(x[row + c] - std::log(sum));
    }
  }
  return result;
}

// Of each row, or of all in one.
Values losses(const Values& logProb, const Values& target, const Options& o) {
  Values rows;
  for (size_t r = 0; r < target.size(); ++r) {
    double loss = 0;
    for (size_t c = 0; c < o.classes && target[r] != static_cast<double>(o.ignoreIndex); ++c) {
      loss += o.slope(static_cast<size_t>(target[r]), c) * logProb[r * o.classes + c];
    }
    rows.push_back(loss);
  }
  return o.isNone() ? rows
                    : Values{std::accumulate(rows.begin(), rows.end(), 0.0) / o.divisor(target)};
}

}  // namespace

TEST(randomLossesAndGradients) {
  device::use();
  Random random("randomLossesAndGradients");
  for (int i = 0; i < 100; ++i) {
    const aclDataType type = random.floatType();
    const int64_t rows = random.between(1, 30);
    const int64_t classes = random.between(2, random.oneIn(4) ? 3000 : 20);
    Options o;
    o.classes = static_cast<size_t>(classes);
    constexpr const char* kReductions[] = {"mean", "sum", "none"};
    o.reduction = kReductions[random.between(0, 2)];
    o.smoothing = random.oneIn(2) ? random.real(0, 0.9) : 0;
    o.ignoreIndex = random.oneIn(2) ? -100 : random.between(0, classes - 1);
    Input input(random, type, {rows, classes}, -6, 6);
    Input target(random, random.oneIn(2) ? ACL_INT32 : ACL_INT64, {rows});
    target.fillStorage([&](int64_t k) -> double {
      // Row 0 counts, so that there is something to take a mean of.
      if (k == target.place(0)) {
        return o.ignoreIndex == 0 ? 1 : 0;
      }
      const int64_t any = random.between(0, classes - 1);
      return static_cast<double>(random.oneIn(4) ? o.ignoreIndex : any);
    });
    const bool weighted = random.oneIn(2);
    Input weight(random, ACL_FLOAT, {classes}, 0.1, 2);
    o.weight = weighted ? weight.values() : Values(o.classes, 1);
    const aclTensor* weights = weighted ? static_cast<aclTensor*>(weight) : nullptr;
    const std::vector<int64_t> lossShape{o.isNone() ? rows : 1};
    Output loss(random, type, lossShape);
    Output logProb(random, type, {rows, classes});
    View z(ACL_FLOAT, {1});
    View lse(ACL_FLOAT, {rows});
    z.fillStorage([](int64_t) { return 5; });
    lse.fillStorage([](int64_t) { return 6; });
    // NULL means mean.
    char* reduction = o.isMean() && random.oneIn(2) ? nullptr : word(o.reduction.c_str());
    call(aclnnCrossEntropyLossGetWorkspaceSize, aclnnCrossEntropyLoss, input, target, weights,
         reduction, o.ignoreIndex, o.smoothing, 0.0, false, loss, logProb, z, lse);
    const Values exact = logSoftmax(input.values(), o.classes);
    const Values stored = logProb.checkedValues();
    for (size_t k = 0; k < exact.size(); ++k) {
      CHECK_NEAR(stored[k], exact[k], tolerance(exact[k], type, 3e-6));
    }
    const Values targets = target.values();
    const Values expected = losses(exact, targets, o);
    const Values actual = loss.checkedValues();
    for (size_t k = 0; k < expected.size(); ++k) {
      CHECK_NEAR(actual[k], expected[k], tolerance(expected[k], type, 3e-6));
    }
    CHECK_EQ(z.values()[0], 5.0);
    CHECK_EQ(lse.values()[0], 6.0);

    Input gradLoss(random, type, lossShape, -2, 2);
    Output grad(random, type, {rows, classes});
    aclTensor* none = nullptr;
    call(aclnnCrossEntropyLossGradGetWorkspaceSize, aclnnCrossEntropyLossGrad, gradLoss, logProb,
         target, weights, none, none, reduction, o.ignoreIndex, o.smoothing, 0.0, grad);
    const Values g = gradLoss.values(), result = grad.checkedValues();
    const double weightSum = std::accumulate(o.weight.begin(), o.weight.end(), 0.0);
    for (size_t k = 0; k < result.size(); ++k) {
      const size_t r = k / o.classes;
      double value = 0;
      if (targets[r] != static_cast<double>(o.ignoreIndex)) {
        // d loss / d x_c = slope_c - p_c * sum of slopes
        const auto t = static_cast<size_t>(targets[r]);
        const double slopes = -(1 - o.smoothing) * o.weight[t] -
                              o.smoothing / static_cast<double>(classes) * weightSum;
        value = g[o.isNone() ? r : 0] / o.divisor(targets) *
                (o.slope(t, k % o.classes) - std::exp(stored[k]) * slopes);
      }
      CHECK_NEAR(result[k], value, tolerance(value, type, 5e-6));
    }
  }
}

TEST(gradientIsThatOfTheLoss) {
  device::use();
  View input(ACL_FLOAT, {3, 5});
  View target(ACL_INT32, {3});
  View loss(ACL_FLOAT, {1});
  View logProb(ACL_FLOAT, {3, 5});
  View one(ACL_FLOAT, {});
  View grad(ACL_FLOAT, {3, 5});
  one.fillStorage([](int64_t) { return 1; });
  fillRandom(input, 9);
  target.fillStorage([](int64_t i) { return i == 1 ? -1.0 : static_cast<double>(i); });
  const auto lossNow = [&] {
    call(aclnnCrossEntropyLossGetWorkspaceSize, aclnnCrossEntropyLoss, input, target,
         static_cast<aclTensor*>(nullptr), word("mean"), int64_t{-1}, 0.2, 0.0, false, loss,
         logProb, loss, loss);
    return loss.values()[0];
  };
  lossNow();
  aclTensor* none = nullptr;
  call(aclnnCrossEntropyLossGradGetWorkspaceSize, aclnnCrossEntropyLossGrad, one, logProb, target,
       none, none, none, word("mean"), int64_t{-1}, 0.2, 0.0, grad);
  const Values g = grad.values(), x = input.values();
  for (size_t k = 0; k < x.size(); ++k) {
    constexpr double kStep = 0x1p-5;
    const auto shifted = [&](double step) {
      input.fillStorage([&](int64_t i) {
        const auto at = static_cast<size_t>(i);
        return static_cast<float>(x[at] + (at == k ? step : 0));
      });
      return lossNow();
    };
    CHECK_NEAR((shifted(kStep) - shifted(-kStep)) / (2 * kStep), g[k], 1e-3);
  }
}

TEST(everythingIgnored) {
  device::use();
  View input(ACL_FLOAT, {2, 3});
  View target(ACL_INT64, {2});
  View loss(ACL_FLOAT, {1});
  View logProb(ACL_FLOAT, {2, 3});
  fillRandom(input, 1);
  target.fillStorage([](int64_t) { return -100; });
  aclTensor* none = nullptr;
  for (const char* reduction : {"mean", "sum"}) {
    call(aclnnCrossEntropyLossGetWorkspaceSize, aclnnCrossEntropyLoss, input, target, none,
         word(reduction), int64_t{-100}, 0.0, 0.0, false, loss, logProb, loss, loss);
    CHECK(std::string(reduction) == "sum" ? loss.values()[0] == 0 : std::isnan(loss.values()[0]));
  }
}

TEST(targetsOutOfRangeFailAtSynchronisation) {
  device::use();
  View input(ACL_FLOAT, {2, 3});
  View target(ACL_INT64, {2});
  View loss(ACL_FLOAT, {1});
  View logProb(ACL_FLOAT, {2, 3});
  aclTensor* none = nullptr;
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  for (const double bad : {3.0, -1.0}) {
    target.fillStorage([&](int64_t i) { return i == 1 ? bad : 0; });
    const std::string words = "element 1 of target is " + std::to_string(static_cast<int>(bad)) +
                              ", which is not in [0, 3)";
    CHECK_OK(aclnnCrossEntropyLossGetWorkspaceSize(input, target, none, nullptr, -100, 0, 0, false,
                                                   loss, logProb, loss, loss, &size, &executor));
    CHECK_OK(aclnnCrossEntropyLoss(nullptr, 0, executor, nullptr));
    CHECK_FAILS(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION, words.c_str());
    CHECK_OK(aclnnCrossEntropyLossGradGetWorkspaceSize(loss, input, target, none, none, none,
                                                       nullptr, -100, 0, 0, logProb, &size,
                                                       &executor));
    CHECK_OK(aclnnCrossEntropyLossGrad(nullptr, 0, executor, nullptr));
    CHECK_FAILS(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION, words.c_str());
  }
}

TEST(refusals) {
  device::use();
  View input(ACL_FLOAT, {4, 3});
  View target(ACL_INT64, {4});
  View one(ACL_FLOAT, {1});
  View four(ACL_FLOAT, {4});
  View three(ACL_FLOAT, {3});
  View noClasses(ACL_FLOAT, {4, 0});
  aclTensor* none = nullptr;
  const auto loss = [&](const aclTensor* x, const aclTensor* t, const aclTensor* w,
                        const char* reduction, double smoothing, const aclTensor* out,
                        const aclTensor* logProb, const aclTensor* z, const aclTensor* lse) {
    return status(aclnnCrossEntropyLossGetWorkspaceSize, x, t, w, word(reduction), -100, smoothing,
                  0.0, false, out, logProb, z, lse);
  };
  CHECK_FAILS(loss(none, target, none, "mean", 0, one, input, one, four), ACLNN_ERR_PARAM_NULLPTR,
              "input is NULL");
  CHECK_FAILS(loss(input, none, none, "mean", 0, one, input, one, four), ACLNN_ERR_PARAM_NULLPTR,
              "target is NULL");
  CHECK_FAILS(loss(input, target, none, "mean", 0, none, input, one, four),
              ACLNN_ERR_PARAM_NULLPTR, "lossOut is NULL");
  CHECK_FAILS(loss(input, target, none, "mean", 0, one, none, one, four), ACLNN_ERR_PARAM_NULLPTR,
              "logProbOut is NULL");
  CHECK_FAILS(loss(input, target, none, "mean", 0, one, input, none, four),
              ACLNN_ERR_PARAM_NULLPTR, "zlossOut is NULL");
  CHECK_FAILS(loss(input, target, none, "mean", 0, one, input, one, none),
              ACLNN_ERR_PARAM_NULLPTR, "lseForZlossOut is NULL");
  CHECK_FAILS(loss(input, target, none, "average", 0, one, input, one, four),
              ACLNN_ERR_INNER_TILING_ERROR, "the reduction average is none of mean, sum, none");
  CHECK_FAILS(loss(input, target, none, "mean", 1, one, input, one, four),
              ACLNN_ERR_INNER_TILING_ERROR, "labelSmoothing is 1, which is not in [0, 1)");
  CHECK_FAILS(loss(input, target, none, "mean", NAN, one, input, one, four),
              ACLNN_ERR_INNER_TILING_ERROR, "labelSmoothing is nan");
  CHECK_FAILS(loss(four, target, none, "mean", 0, one, input, one, four), ACLNN_ERR_PARAM_INVALID,
              "input has the shape [4], not [N, C]");
  CHECK_FAILS(loss(noClasses, target, none, "mean", 0, one, noClasses, one, four),
              ACLNN_ERR_PARAM_INVALID, "input has the shape [4, 0], not [N, C]");
  CHECK_FAILS(loss(input, four, none, "mean", 0, one, input, one, four), ACLNN_ERR_PARAM_INVALID,
              "target is FLOAT, not one of INT32, INT64");
  CHECK_FAILS(loss(input, target, four, "mean", 0, one, input, one, four), ACLNN_ERR_PARAM_INVALID,
              "weight has the shape [4], not [3]");
  CHECK_FAILS(loss(input, target, none, "none", 0, one, input, one, four), ACLNN_ERR_PARAM_INVALID,
              "lossOut has the shape [1], not [4]");
  CHECK_FAILS(loss(input, target, none, "sum", 0, four, input, one, four), ACLNN_ERR_PARAM_INVALID,
              "lossOut has the shape [4], not [1]");
  CHECK_FAILS(loss(input, target, none, "mean", 0, one, four, one, four), ACLNN_ERR_PARAM_INVALID,
              "logProbOut has the shape [4], not [4, 3]");
  const auto grad = [&](const aclTensor* g, const aclTensor* x, const aclTensor* t,
                        const char* reduction, const aclTensor* out) {
    return status(aclnnCrossEntropyLossGradGetWorkspaceSize, g, x, t, none, none, none,
                  word(reduction), -100, 0.0, 0.0, out);
  };
  CHECK_FAILS(grad(none, input, target, "mean", input), ACLNN_ERR_PARAM_NULLPTR,
              "gradLoss is NULL");
  CHECK_FAILS(grad(one, none, target, "mean", input), ACLNN_ERR_PARAM_NULLPTR, "logProb is NULL");
  CHECK_FAILS(grad(one, input, none, "mean", input), ACLNN_ERR_PARAM_NULLPTR, "target is NULL");
  CHECK_FAILS(grad(one, input, target, "mean", none), ACLNN_ERR_PARAM_NULLPTR, "out is NULL");
  CHECK_FAILS(grad(one, input, target, "max", input), ACLNN_ERR_INNER_TILING_ERROR, "max");
  CHECK_FAILS(grad(three, input, target, "none", input), ACLNN_ERR_PARAM_INVALID,
              "gradLoss has the shape [3], not [4]");
  CHECK_FAILS(grad(one, input, target, "mean", four), ACLNN_ERR_PARAM_INVALID,
              "out has the shape [4], not [4, 3]");
  CHECK_FAILS(grad(target, input, target, "mean", input), ACLNN_ERR_PARAM_INVALID,
              "gradLoss is INT64, not one of");
}
