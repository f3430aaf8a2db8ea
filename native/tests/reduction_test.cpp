// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_logsumexp.h"
#include "aclnnop/aclnn_reduce_sum.h"
#include "aclnnop/aclnn_softmax.h"
#include "random_views.hpp"

using elements::Input;
using elements::Output;
using elements::Random;

namespace {

constexpr aclDataType kReal[] = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_DOUBLE};
constexpr aclDataType kIntegers[] = {ACL_INT8,  ACL_UINT8,  ACL_INT16, ACL_INT32,
                                     ACL_INT64, ACL_UINT64, ACL_BOOL};

class Dims {
 public:
  explicit Dims(const std::vector<int64_t>& dims)
      : handle_(aclCreateIntArray(dims.data(), dims.size())) {}
  Dims(const Dims&) = delete;
  ~Dims() { aclDestroyIntArray(handle_); }
  operator aclIntArray*() const { return handle_; }

 private:
  aclIntArray* handle_;
};

std::vector<int64_t> randomShape(Random& random) {
  std::vector<int64_t> shape;
  const int64_t rank = random.between(0, 5);
  for (int64_t d = 0; d < rank; ++d) {
    shape.push_back(random.oneIn(12)  ? 0
                    : random.oneIn(4) ? random.between(20, 60)
                                      : random.between(1, 7));
  }
  return shape;
}

// Which dimensions go, and how a caller might name them.
struct Choice {
  Choice(Random& random, size_t rank) : reduced(rank) {
    for (size_t d = 0; d < rank; ++d) {
      if (random.oneIn(2)) {
        reduced[d] = true;
        names.push_back(static_cast<int64_t>(d) -
                        (random.oneIn(2) ? static_cast<int64_t>(rank) : 0));
      }
    }
    std::shuffle(names.begin(), names.end(), random.engine());
    if (names.empty()) {
      reduced.assign(rank, true);
    }
  }

  std::vector<int64_t> resultShape(const std::vector<int64_t>& shape, bool keepDims) const {
    std::vector<int64_t> result;
    for (size_t d = 0; d < shape.size(); ++d) {
      if (!reduced[d]) {
        result.push_back(shape[d]);
      } else if (keepDims) {
        result.push_back(1);
      }
    }
    return result;
  }

  // Number of the result that the i-th element of the shape goes into.
  int64_t resultOf(const std::vector<int64_t>& shape, int64_t i) const {
    int64_t result = 0;
    int64_t step = 1;
    for (size_t d = shape.size(); d-- > 0;) {
      if (!reduced[d]) {
        result += i % shape[d] * step;
        step *= shape[d];
      }
      i /= shape[d];
    }
    return result;
  }

  std::vector<bool> reduced;
  std::vector<int64_t> names;
};

template <class T>
const T& oneOf(Random& random, const std::vector<T>& all) {
  return all[static_cast<size_t>(random.between(0, static_cast<int64_t>(all.size()) - 1))];
}

}  // namespace

TEST(sumsOfRandomViews) {
  device::use();
  Random random("sumsOfRandomViews");
  for (int round = 0; round < 150; ++round) {
    const auto shape = randomShape(random);
    std::vector<aclDataType> types(std::begin(kReal), std::end(kReal));
    aclDataType resultType = oneOf(random, types);
    types.insert(types.end(), std::begin(kIntegers), std::end(kIntegers));
    const aclDataType type = oneOf(random, types);
    if (!elements::isFloating(type) && random.oneIn(2)) {
      resultType = random.oneIn(2) ? ACL_INT64 : ACL_INT32;
    }
    Input self(random, type, shape, 0, 4);
    const Choice choice(random, shape.size());
    const bool keepDims = random.oneIn(2);
    Output out(random, resultType, choice.resultShape(shape, keepDims));
    const Dims dims(choice.names);
    elements::call(aclnnReduceSumGetWorkspaceSize, aclnnReduceSum, self, dims, keepDims, resultType,
                   out);
    std::vector<double> expected(static_cast<size_t>(out.size()), 0.0);
    const auto x = self.values();
    for (size_t i = 0; i < x.size(); ++i) {
      expected[static_cast<size_t>(choice.resultOf(shape, static_cast<int64_t>(i)))] += x[i];
    }
    const auto y = out.checkedValues();
    for (size_t i = 0; i < y.size(); ++i) {
      const bool overflows = resultType == ACL_FLOAT16 && expected[i] > 65000;
      CHECK_NEAR(
          y[i], overflows ? y[i] : expected[i],
          elements::isFloating(resultType) ? elements::tolerance(expected[i], resultType) : 0.0);
    }
  }
}

TEST(logSumExpOfRandomViews) {
  device::use();
  Random random("logSumExpOfRandomViews");
  for (int round = 0; round < 100; ++round) {
    const auto shape = randomShape(random);
    const aclDataType type = kReal[random.between(0, 3)];
    Input self(random, type, shape, -30, 30);
    const Choice choice(random, shape.size());
    const bool keepDims = random.oneIn(2);
    Output out(random, kReal[random.between(0, 3)], choice.resultShape(shape, keepDims));
    const Dims dims(choice.names);
    elements::call(aclnnLogSumExpGetWorkspaceSize, aclnnLogSumExp, self, dims, keepDims, out);
    std::vector<double> sums(static_cast<size_t>(out.size()), 0.0);
    const auto x = self.values();
    for (size_t i = 0; i < x.size(); ++i) {
      sums[static_cast<size_t>(choice.resultOf(shape, static_cast<int64_t>(i)))] += std::exp(x[i]);
    }
    const auto y = out.checkedValues();
    for (size_t i = 0; i < y.size(); ++i) {
      CHECK_NEAR(y[i], std::log(sums[i]), elements::tolerance(std::log(sums[i]), out.type()));
    }
  }
}

TEST(softmaxOfRandomViews) {
  device::use();
  Random random("softmaxOfRandomViews");
  for (int round = 0; round < 100; ++round) {
    const auto shape = randomShape(random);
    const auto rank = static_cast<int64_t>(shape.size());
    const int64_t dim = rank == 0 ? -1 : random.between(-rank, rank - 1);
    Input self(random, kReal[random.between(0, 3)], shape, -8, 8);
    Output out(random, kReal[random.between(0, 3)], shape);
    elements::call(aclnnSoftmaxGetWorkspaceSize, aclnnSoftmax, self, dim, out);
    const auto x = self.values();
    const auto y = out.checkedValues();
    int64_t inner = 1;
    const int64_t along = dim < 0 ? dim + rank : dim;
    for (int64_t d = along + 1; d < rank; ++d) {
      inner *= shape[static_cast<size_t>(d)];
    }
    const int64_t size = rank == 0 ? 1 : shape[static_cast<size_t>(along)];
    for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
      const int64_t first = i / (inner * size) * inner * size + i % inner;
      double sum = 0;
      for (int64_t k = 0; k < size; ++k) {
        sum += std::exp(x[static_cast<size_t>(first + k * inner)]);
      }
      const double expected = std::exp(x[static_cast<size_t>(i)]) / sum;
      CHECK_NEAR(y[static_cast<size_t>(i)], expected, elements::tolerance(expected, out.type()));
    }
  }
}

// Long ones are cut into parts: down columns, along rows, and all of it.
TEST(longSums) {
  device::use();
  for (const std::vector<int64_t>& shape :
       std::vector<std::vector<int64_t>>{{700000, 3}, {90000, 17}, {3, 700000}}) {
    elements::View self(ACL_FLOAT, shape);
    // Sums of these are exact in double, and large beside what is added to them.
    self.fillStorage([](int64_t i) { return 1 + static_cast<double>(i % 13) / 16; });
    const auto x = self.values();
    for (const std::vector<int64_t>& names : std::vector<std::vector<int64_t>>{{0}, {1}, {}}) {
      std::vector<int64_t> kept;
      for (int64_t d = 0; d < 2; ++d) {
        if (!names.empty() && names[0] != d) {
          kept.push_back(shape[static_cast<size_t>(d)]);
        }
      }
      elements::View out(ACL_FLOAT, kept);
      const Dims dims(names);
      elements::call(aclnnReduceSumGetWorkspaceSize, aclnnReduceSum, self, dims, false, ACL_FLOAT,
                     out);
      std::vector<double> expected(static_cast<size_t>(out.size()), 0.0);
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t row = i / static_cast<size_t>(shape[1]);
        const size_t column = i % static_cast<size_t>(shape[1]);
        expected[names.empty() ? 0 : names[0] == 0 ? column : row] += x[i];
      }
      const auto y = out.values();
      for (size_t i = 0; i < y.size(); ++i) {
        CHECK_NEAR(y[i], expected[i], 4e-6 * expected[i]);
      }
    }
  }
}

TEST(specialValues) {
  device::use();
  const double inf = INFINITY;
  elements::View self(ACL_FLOAT, {4, 2});
  const double values[] = {-inf, -inf, inf, 1, NAN, 1, 3e38, 3e38};
  self.fillStorage([&](int64_t i) { return values[i]; });
  elements::View out(ACL_FLOAT, {4});
  const Dims dims({1});
  elements::call(aclnnLogSumExpGetWorkspaceSize, aclnnLogSumExp, self, dims, false, out);
  auto y = out.values();
  CHECK_EQ(y[0], -inf);
  CHECK_EQ(y[1], inf);
  CHECK(std::isnan(y[2]));
  CHECK_NEAR(y[3], 3e38, 1e33);
  elements::View same(ACL_FLOAT, {4, 2});
  elements::call(aclnnSoftmaxGetWorkspaceSize, aclnnSoftmax, self, int64_t{1}, same);
  y = same.values();
  CHECK(std::isnan(y[0]) && std::isnan(y[3]) && std::isnan(y[4]));
  CHECK_EQ(y[6], 0.5);
  elements::View nothing(ACL_FLOAT, {4, 0});
  elements::call(aclnnReduceSumGetWorkspaceSize, aclnnReduceSum, nothing, dims, false, ACL_FLOAT,
                 out);
  CHECK_EQ(out.values()[3], 0.0);
  elements::call(aclnnLogSumExpGetWorkspaceSize, aclnnLogSumExp, nothing, dims, false, out);
  CHECK_EQ(out.values()[3], -inf);
}

TEST(softmaxInPlace) {
  device::use();
  elements::View self(ACL_FLOAT, {3, 1000});
  elements::fillRandom(self, 5);
  const auto x = self.values();
  elements::call(aclnnSoftmaxGetWorkspaceSize, aclnnSoftmax, self, int64_t{1}, self);
  double sum = 0;
  const auto y = self.values();
  for (size_t i = 0; i < 1000; ++i) {
    sum += std::exp(x[i]);
  }
  for (size_t i = 0; i < 1000; ++i) {
    CHECK_NEAR(y[i], std::exp(x[i]) / sum, 1e-7);
  }
}

TEST(reductionsCheckTheirArguments) {
  device::use();
  elements::View self(ACL_FLOAT, {4, 5});
  elements::View integers(ACL_INT32, {4});
  elements::View out(ACL_FLOAT, {4});
  const Dims dims({1});
  CHECK_FAILS(
      elements::status(aclnnReduceSumGetWorkspaceSize, self, Dims({0, -2}), false, ACL_FLOAT, out),
      ACLNN_ERR_PARAM_INVALID, "dims [0, -2] names the dimension 0 twice");
  CHECK_FAILS(
      elements::status(aclnnReduceSumGetWorkspaceSize, self, Dims({2}), false, ACL_FLOAT, out),
      ACLNN_ERR_PARAM_INVALID, "dim 2 is not in [-2, 2)");
  CHECK_FAILS(elements::status(aclnnReduceSumGetWorkspaceSize, self, dims, true, ACL_FLOAT, out),
              ACLNN_ERR_PARAM_INVALID, "[4], not [4, 1]");
  CHECK_FAILS(elements::status(aclnnReduceSumGetWorkspaceSize, self, dims, false, ACL_BF16, out),
              ACLNN_ERR_PARAM_INVALID, "out is FLOAT, dtype says BF16");
  CHECK_FAILS(
      elements::status(aclnnReduceSumGetWorkspaceSize, self, dims, false, ACL_INT32, integers),
      ACLNN_ERR_PARAM_INVALID, "FLOAT cannot be stored as INT32");
  CHECK_FAILS(
      elements::status(aclnnReduceSumGetWorkspaceSize, self, nullptr, false, ACL_FLOAT, out),
      ACLNN_ERR_PARAM_NULLPTR, "dims is NULL");
  CHECK_FAILS(elements::status(aclnnLogSumExpGetWorkspaceSize, self, dims, false, integers),
              ACLNN_ERR_PARAM_INVALID, "INT32");
  CHECK_FAILS(elements::status(aclnnSoftmaxGetWorkspaceSize, self, int64_t{-3}, self),
              ACLNN_ERR_PARAM_INVALID, "dim -3");
  CHECK_FAILS(elements::status(aclnnSoftmaxGetWorkspaceSize, integers, int64_t{0}, integers),
              ACLNN_ERR_PARAM_INVALID, "self is INT32, which is not floating");
}
