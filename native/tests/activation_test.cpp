// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_silu.h"
#include "aclnnop/aclnn_swi_glu.h"
#include "random_views.hpp"

using namespace elements;

namespace {

double silu(double x) { return x / (1 + std::exp(-x)); }

std::vector<int64_t> randomShape(Random& random, int64_t longest) {
  std::vector<int64_t> dims(static_cast<size_t>(random.between(1, 4)));
  for (int64_t& dim : dims) {
    dim = random.between(1, longest);
  }
  return dims;
}

}  // namespace

TEST(randomSilu) {
  device::use();
  Random random("randomSilu");
  for (int i = 0; i < 60; ++i) {
    const aclDataType type = random.floatType();
    const auto dims = randomShape(random, 12);
    Input self(random, type, dims, -12, 12);
    Output out(random, type, dims);
    call(aclnnSiluGetWorkspaceSize, aclnnSilu, self, out);
    const auto x = self.values();
    const auto y = out.checkedValues();
    for (size_t k = 0; k < x.size(); ++k) {
      CHECK_NEAR(y[k], silu(x[k]), tolerance(silu(x[k]), type));
    }
  }
}

TEST(randomSwiGlu) {
  device::use();
  Random random("randomSwiGlu");
  for (int i = 0; i < 60; ++i) {
    const aclDataType type = random.floatType();
    auto half = randomShape(random, 10);
    const auto rank = static_cast<int64_t>(half.size());
    const int64_t dim = random.between(-rank, rank - 1);
    const auto d = static_cast<size_t>(dim < 0 ? dim + rank : dim);
    auto dims = half;
    dims[d] *= 2;
    Input x(random, type, dims);
    Output out(random, type, half);
    call(aclnnSwiGluGetWorkspaceSize, aclnnSwiGlu, x, dim, out);
    const auto in = x.values();
    const auto y = out.checkedValues();
    const auto inner = std::accumulate(half.begin() + static_cast<ptrdiff_t>(d), half.end(),
                                       size_t{1}, std::multiplies<>());
    for (size_t k = 0; k < y.size(); ++k) {
      const size_t a = k / inner * 2 * inner + k % inner;
      const double exact = silu(in[a]) * in[a + inner];
      CHECK_NEAR(y[k], exact, tolerance(exact, type));
    }
  }
}

TEST(extremes) {
  device::use();
  View x(ACL_FLOAT, {4});
  View y(ACL_FLOAT, {4});
  const std::vector<double> values{-1000, 1000, 0, INFINITY};
  x.fillStorage([&](int64_t i) { return values[static_cast<size_t>(i)]; });
  call(aclnnSiluGetWorkspaceSize, aclnnSilu, x, y);
  CHECK(y.values() == (std::vector<double>{0, 1000, 0, INFINITY}));
  View nothing(ACL_FLOAT, {3, 0});
  View result(ACL_FLOAT, {3, 0});
  call(aclnnSiluGetWorkspaceSize, aclnnSilu, nothing, result);
  call(aclnnSwiGluGetWorkspaceSize, aclnnSwiGlu, nothing, -1, result);
}

TEST(refusals) {
  device::use();
  View x(ACL_FLOAT, {3, 4});
  View half(ACL_FLOAT, {3, 2});
  View integers(ACL_INT32, {3, 4});
  View bf16(ACL_BF16, {3, 4});
  aclTensor* none = nullptr;
  CHECK_FAILS(status(aclnnSiluGetWorkspaceSize, none, x), ACLNN_ERR_PARAM_NULLPTR,
              "aclnnSilu: self is NULL");
  CHECK_FAILS(status(aclnnSiluGetWorkspaceSize, x, none), ACLNN_ERR_PARAM_NULLPTR, "out is NULL");
  CHECK_FAILS(status(aclnnSiluGetWorkspaceSize, integers, integers), ACLNN_ERR_PARAM_INVALID,
              "self is INT32, not one of FLOAT, FLOAT16, BF16");
  CHECK_FAILS(status(aclnnSiluGetWorkspaceSize, x, bf16), ACLNN_ERR_PARAM_INVALID,
              "out is BF16, not FLOAT");
  CHECK_FAILS(status(aclnnSiluGetWorkspaceSize, x, half), ACLNN_ERR_PARAM_INVALID,
              "out has the shape [3, 2], not [3, 4]");
  CHECK_FAILS(status(aclnnSwiGluGetWorkspaceSize, none, 1, half), ACLNN_ERR_PARAM_NULLPTR,
              "aclnnSwiGlu: x is NULL");
  CHECK_FAILS(status(aclnnSwiGluGetWorkspaceSize, x, 1, none), ACLNN_ERR_PARAM_NULLPTR,
              "out is NULL");
  CHECK_FAILS(status(aclnnSwiGluGetWorkspaceSize, x, 2, half), ACLNN_ERR_PARAM_INVALID,
              "dim 2 is not in [-2, 2)");
  CHECK_FAILS(status(aclnnSwiGluGetWorkspaceSize, x, -3, half), ACLNN_ERR_PARAM_INVALID, "dim -3");
  CHECK_FAILS(status(aclnnSwiGluGetWorkspaceSize, x, 0, half), ACLNN_ERR_PARAM_INVALID,
              "x of shape [3, 4] has no halves along dim 0");
  CHECK_FAILS(status(aclnnSwiGluGetWorkspaceSize, x, 1, x), ACLNN_ERR_PARAM_INVALID,
              "out has the shape [3, 4], not [3, 2]");
  CHECK_FAILS(status(aclnnSwiGluGetWorkspaceSize, bf16, 1, half), ACLNN_ERR_PARAM_INVALID,
              "out is FLOAT, not BF16");
}
