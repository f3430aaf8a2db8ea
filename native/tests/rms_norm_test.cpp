// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_rms_norm.h"

#include "random_views.hpp"

using namespace elements;

namespace {

void compare(const View& x, const View& gamma, double epsilon, const Output& y,
             const Output& rstd) {
  const auto in = x.values(), weight = gamma.values(), out = y.checkedValues(),
             factors = rstd.checkedValues();
  const size_t columns = weight.size();
  for (size_t r = 0; r < factors.size(); ++r) {
    double sum = 0;
    for (size_t c = 0; c < columns; ++c) {
      sum += in[r * columns + c] * in[r * columns + c];
    }
    const double factor = 1 / std::sqrt(sum / static_cast<double>(columns) + epsilon);
    CHECK_NEAR(factors[r], factor, 1e-6 * factor);
    for (size_t c = 0; c < columns; ++c) {
      const double exact = in[r * columns + c] * factor * weight[c];
      CHECK_NEAR(out[r * columns + c], exact, tolerance(exact, y.type(), 2e-6));
    }
  }
}

}  // namespace

TEST(randomShapes) {
  device::use();
  Random random("randomShapes");
  for (int i = 0; i < 60; ++i) {
    const aclDataType type = random.floatType();
    const aclDataType gammaType = random.oneIn(3) ? ACL_FLOAT : type;
    std::vector<int64_t> rows(static_cast<size_t>(random.between(0, 3)));
    std::vector<int64_t> columns(static_cast<size_t>(random.between(1, 2)));
    for (int64_t& dim : rows) {
      dim = random.between(1, 6);
    }
    for (int64_t& dim : columns) {
      dim = random.between(1, random.oneIn(4) ? 200 : 20);
    }
    auto dims = rows;
    dims.insert(dims.end(), columns.begin(), columns.end());
    auto ones = rows;
    if (random.oneIn(2)) {
      ones.resize(dims.size(), 1);
    }
    const double epsilon = random.oneIn(3) ? 0.5 : 1e-6;
    Input x(random, type, dims);
    Input gamma(random, gammaType, columns, -2, 2);
    Output y(random, type, dims);
    Output rstd(random, ACL_FLOAT, ones);
    call(aclnnRmsNormGetWorkspaceSize, aclnnRmsNorm, x, gamma, epsilon, y, rstd);
    compare(x, gamma, epsilon, y, rstd);
  }
}

TEST(longRows) {
  device::use();
  Random random("longRows");
  for (const aclDataType type : kFloats) {
    Input x(random, type, {40, 8191}, 0, 100);
    Input gamma(random, type, {8191});
    Output y(random, type, {40, 8191});
    Output rstd(random, ACL_FLOAT, {40, 1});
    call(aclnnRmsNormGetWorkspaceSize, aclnnRmsNorm, x, gamma, 1e-5, y, rstd);
    compare(x, gamma, 1e-5, y, rstd);
  }
}

TEST(noRows) {
  device::use();
  View x(ACL_FLOAT, {0, 8});
  View gamma(ACL_FLOAT, {8});
  View rstd(ACL_FLOAT, {0, 1});
  fillRandom(gamma, 1);
  call(aclnnRmsNormGetWorkspaceSize, aclnnRmsNorm, x, gamma, 1e-6, x, rstd);
}

TEST(refusals) {
  device::use();
  View x(ACL_BF16, {3, 8});
  View gamma(ACL_BF16, {8});
  View rstd(ACL_FLOAT, {3, 1});
  View y(ACL_BF16, {3, 8});
  aclTensor* none = nullptr;
  const auto prepare = aclnnRmsNormGetWorkspaceSize;
  CHECK_FAILS(status(prepare, none, gamma, 0, y, rstd), ACLNN_ERR_PARAM_NULLPTR, "x is NULL");
  CHECK_FAILS(status(prepare, x, none, 0, y, rstd), ACLNN_ERR_PARAM_NULLPTR, "gamma is NULL");
  CHECK_FAILS(status(prepare, x, gamma, 0, none, rstd), ACLNN_ERR_PARAM_NULLPTR, "yOut is NULL");
  CHECK_FAILS(status(prepare, x, gamma, 0, y, none), ACLNN_ERR_PARAM_NULLPTR, "rstdOut is NULL");
  CHECK_FAILS(prepare(x, gamma, 0, y, rstd, nullptr, nullptr), ACLNN_ERR_PARAM_NULLPTR,
              "workspaceSize is NULL");
  View half(ACL_FLOAT16, {8});
  CHECK_FAILS(status(prepare, x, half, 0, y, rstd), ACLNN_ERR_PARAM_INVALID,
              "gamma is FLOAT16, not BF16");
  View seven(ACL_BF16, {7});
  CHECK_FAILS(status(prepare, x, seven, 0, y, rstd), ACLNN_ERR_PARAM_INVALID,
              "gamma [7] is not the last dimensions of x [3, 8]");
  View wide(ACL_BF16, {2, 3, 8});
  CHECK_FAILS(status(prepare, x, wide, 0, y, rstd), ACLNN_ERR_PARAM_INVALID, "gamma [2, 3, 8]");
  View scalar(ACL_BF16, {});
  CHECK_FAILS(status(prepare, x, scalar, 0, y, rstd), ACLNN_ERR_PARAM_INVALID, "gamma []");
  View doubles(ACL_DOUBLE, {3, 8});
  CHECK_FAILS(status(prepare, doubles, gamma, 0, y, rstd), ACLNN_ERR_PARAM_INVALID,
              "x is DOUBLE, not one of");
  CHECK_FAILS(status(prepare, x, gamma, 0, doubles, rstd), ACLNN_ERR_PARAM_INVALID,
              "yOut is DOUBLE, not BF16");
  CHECK_FAILS(status(prepare, x, gamma, 0, y, gamma), ACLNN_ERR_PARAM_INVALID,
              "rstdOut is BF16, not FLOAT");
  View two(ACL_FLOAT, {3, 2});
  CHECK_FAILS(status(prepare, x, gamma, 0, y, two), ACLNN_ERR_PARAM_INVALID,
              "rstdOut has the shape [3, 2], not [3, 1]");
}
