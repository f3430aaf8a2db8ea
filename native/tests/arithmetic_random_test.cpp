// SPDX-License-Identifier: Apache-2.0
// All forms of the arithmetic on random shapes, strides and types.
#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_div.h"
#include "aclnnop/aclnn_exp.h"
#include "aclnnop/aclnn_log.h"
#include "aclnnop/aclnn_maximum.h"
#include "aclnnop/aclnn_mul.h"
#include "aclnnop/aclnn_neg.h"
#include "aclnnop/aclnn_sub.h"
#include "random_views.hpp"

using elements::Input;
using elements::Output;
using elements::Random;
using elements::View;

namespace {

using Prepare = std::function<aclnnStatus(const aclTensor* self, const aclTensor* other,
                                          const aclScalar* scalar, const aclScalar* alpha,
                                          aclTensor* out, uint64_t*, aclOpExecutor**)>;

struct Operation {
  const char* name;
  Prepare prepare;
  device::Launch launch;
  std::function<double(double x, double y, double scalar, double alpha)> exact;
  bool hasOther;
  bool inPlace;
  bool realOnly = false;
  double lowest = -4;
};

#define PREPARE(op, ...)                                                                           \
  [](auto* self, auto* other, auto* scalar, auto* alpha, auto* out, auto* size, auto** executor) { \
    (void)self, (void)other, (void)scalar, (void)alpha, (void)out;                                 \
    return op##GetWorkspaceSize(__VA_ARGS__, size, executor);                                      \
  },                                                                                               \
      op

const double kSmallest = 0.25;  // of what is divided by, or whose logarithm is taken

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = {
      {"Add", PREPARE(aclnnAdd, self, other, alpha, out),
       [](double x, double y, double, double a) { return x + a * y; }, true, false},
      {"InplaceAdd", PREPARE(aclnnInplaceAdd, out, other, alpha),
       [](double x, double y, double, double a) { return x + a * y; }, true, true},
      {"Adds", PREPARE(aclnnAdds, self, scalar, alpha, out),
       [](double x, double, double s, double a) { return x + a * s; }, false, false},
      {"InplaceAdds", PREPARE(aclnnInplaceAdds, out, scalar, alpha),
       [](double x, double, double s, double a) { return x + a * s; }, false, true},
      {"Sub", PREPARE(aclnnSub, self, other, alpha, out),
       [](double x, double y, double, double a) { return x - a * y; }, true, false},
      {"InplaceSub", PREPARE(aclnnInplaceSub, out, other, alpha),
       [](double x, double y, double, double a) { return x - a * y; }, true, true},
      {"Mul", PREPARE(aclnnMul, self, other, out),
       [](double x, double y, double, double) { return x * y; }, true, false},
      {"InplaceMul", PREPARE(aclnnInplaceMul, out, other),
       [](double x, double y, double, double) { return x * y; }, true, true},
      {"Muls", PREPARE(aclnnMuls, self, scalar, out),
       [](double x, double, double s, double) { return x * s; }, false, false},
      {"InplaceMuls", PREPARE(aclnnInplaceMuls, out, scalar),
       [](double x, double, double s, double) { return x * s; }, false, true},
      {"Div", PREPARE(aclnnDiv, self, other, out),
       [](double x, double y, double, double) { return x / y; }, true, false, true, kSmallest},
      {"InplaceDiv", PREPARE(aclnnInplaceDiv, out, other),
       [](double x, double y, double, double) { return x / y; }, true, true, true, kSmallest},
      {"Maximum", PREPARE(aclnnMaximum, self, other, out),
       [](double x, double y, double, double) { return std::max(x, y); }, true, false},
      {"Neg", PREPARE(aclnnNeg, self, out), [](double x, double, double, double) { return -x; },
       false, false},
      {"Exp", PREPARE(aclnnExp, self, out),
       [](double x, double, double, double) { return std::exp(x); }, false, false, true},
      {"InplaceExp", PREPARE(aclnnInplaceExp, out),
       [](double x, double, double, double) { return std::exp(x); }, false, true, true},
      {"Log", PREPARE(aclnnLog, self, out),
       [](double x, double, double, double) { return std::log(x); }, false, false, true,
       kSmallest}};
  return all;
}

constexpr aclDataType kReal[] = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_DOUBLE};
constexpr aclDataType kIntegers[] = {ACL_INT8, ACL_INT16, ACL_INT32, ACL_INT64};

std::vector<int64_t> randomShape(Random& random) {
  std::vector<int64_t> shape;
  for (int64_t rank = random.between(0, 5); rank > 0; --rank) {
    shape.push_back(random.oneIn(15) ? 0 : random.between(1, random.oneIn(4) ? 60 : 6));
  }
  return shape;
}

// A shape that broadcasts to this one.
std::vector<int64_t> narrowed(Random& random, const std::vector<int64_t>& shape) {
  std::vector<int64_t> result = shape;
  for (int64_t& size : result) {
    size = random.oneIn(4) ? 1 : size;
  }
  const int64_t dropped =
      random.oneIn(3) ? random.between(0, static_cast<int64_t>(result.size())) : 0;
  result.erase(result.begin(), result.begin() + dropped);
  return result;
}

void fill(Random& random, View& view, double lowest) {
  elements::fillRandom(view, static_cast<unsigned>(random.engine()()), lowest, 4);
}

void runOne(Random& random, const Operation& o) {
  const bool real = o.realOnly || random.oneIn(2);
  const auto type = [&] {
    return real ? kReal[random.between(0, 3)] : kIntegers[random.between(0, 3)];
  };
  const auto shape = randomShape(random);
  const aclDataType selfType = type();
  // Not narrowed, so that together they have the shape.
  Input self(random, selfType, shape);
  Input other(random, type(), narrowed(random, shape));
  Output out(random, o.inPlace ? selfType : type(), shape);
  fill(random, self, o.lowest);
  fill(random, other, o.lowest);
  const auto x = self.values();
  if (o.inPlace) {
    out.fillView(x);
  }
  const double scalarValue = real ? elements::rounded(random.real(-3, 3), ACL_FLOAT)
                                  : static_cast<double>(random.between(-3, 3));
  const double alphaValue = random.oneIn(3) ? 1 : static_cast<double>(random.between(-3, 3));
  const device::Scalar realScalar(scalarValue);
  const device::Scalar integerScalar(static_cast<int64_t>(scalarValue));
  const device::Scalar alpha(static_cast<int64_t>(alphaValue));
  const aclScalar* scalar = real ? realScalar : integerScalar;
  device::run(
      [&](uint64_t* size, aclOpExecutor** executor) {
        return o.prepare(self, other, scalar, alpha, out, size, executor);
      },
      o.launch);
  const auto z = other.values();
  const auto y = out.checkedValues();
  for (size_t i = 0; i < y.size(); ++i) {
    const double right =
        o.hasOther ? elements::broadcast(z, other.dims(), shape, static_cast<int64_t>(i)) : 0;
    const double expected = o.exact(x[i], right, scalarValue, alphaValue);
    const double slack =
        elements::isFloating(out.type()) ? elements::tolerance(expected, out.type(), 4e-6) : 0.0;
    CHECK_NEAR(y[i], expected, slack);
  }
}

}  // namespace

TEST(randomCalls) {
  device::use();
  Random random("randomCalls");
  for (const Operation& o : operations()) {
    for (int round = 0; round < 40; ++round) {
      try {
        runOne(random, o);
      } catch (const check::Failure& failure) {
        throw check::Failure(std::string(o.name) + ": " + failure.what());
      }
    }
  }
}

TEST(specialValues) {
  device::use();
  View self(ACL_FLOAT, {5});
  View out(ACL_FLOAT, {5});
  const double values[] = {0, -0.0, -1, INFINITY, NAN};
  self.fillStorage([&](int64_t i) { return values[i]; });
  elements::call(aclnnLogGetWorkspaceSize, aclnnLog, self, out);
  auto y = out.values();
  CHECK_EQ(y[0], static_cast<double>(-INFINITY));
  CHECK(std::isnan(y[2]) && std::isnan(y[4]));
  CHECK_EQ(y[3], static_cast<double>(INFINITY));
  elements::call(aclnnNegGetWorkspaceSize, aclnnNeg, self, out);
  y = out.values();
  CHECK(std::signbit(y[0]) && !std::signbit(y[1]));
  CHECK_EQ(y[3], static_cast<double>(-INFINITY));
  elements::call(aclnnDivGetWorkspaceSize, aclnnDiv, self, self, out);
  CHECK(std::isnan(out.values()[0]) && std::isnan(out.values()[3]));
  View lowest(ACL_INT8, {1});
  lowest.fillStorage([](int64_t) { return -128.0; });
  elements::call(aclnnNegGetWorkspaceSize, aclnnNeg, lowest, lowest);
  CHECK_EQ(lowest.values()[0], -128.0);
}

TEST(scalarsPromoteByTheirKind) {
  device::use();
  View flags(ACL_BOOL, {3});
  View integers(ACL_INT32, {3});
  View halves(ACL_FLOAT16, {3});
  const device::Scalar real(0.5);
  const device::Scalar two(int64_t{2});
  flags.fillStorage([](int64_t i) { return static_cast<double>(i % 2); });
  elements::call(aclnnAddsGetWorkspaceSize, aclnnAdds, flags, two, two, integers);
  CHECK_EQ(integers.values()[0], 4.0);
  CHECK_EQ(integers.values()[1], 5.0);
  elements::call(aclnnMulsGetWorkspaceSize, aclnnMuls, integers, real, halves);
  CHECK_EQ(halves.values()[1], 2.5);
  CHECK_FAILS(elements::status(aclnnInplaceMulsGetWorkspaceSize, integers, real),
              ACLNN_ERR_PARAM_INVALID, "FLOAT cannot be stored as INT32");
  CHECK_FAILS(elements::status(aclnnInplaceAddsGetWorkspaceSize, flags, two, two),
              ACLNN_ERR_PARAM_INVALID, "INT64 cannot be stored as BOOL");
  CHECK_FAILS(elements::status(aclnnAddsGetWorkspaceSize, integers, two, real, integers),
              ACLNN_ERR_PARAM_INVALID, "alpha is floating (DOUBLE), the operation on INT32");
  CHECK_FAILS(elements::status(aclnnInplaceDivGetWorkspaceSize, integers, integers),
              ACLNN_ERR_PARAM_INVALID, "FLOAT cannot be stored as INT32");
  View many(ACL_FLOAT, {1, 1, 1, 1, 1, 1, 1, 1, 1});
  CHECK_FAILS(elements::status(aclnnNegGetWorkspaceSize, many, many), ACLNN_ERR_PARAM_INVALID,
              "of more than 8 dimensions");
}
