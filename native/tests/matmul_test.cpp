// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_batch_matmul.h"
#include "aclnnop/aclnn_matmul.h"
#include "aclnnop/aclnn_mm.h"
#include "random_views.hpp"

using namespace elements;

namespace {

using Shape = std::vector<int64_t>;

Shape batchOf(const Shape& dims) {
  return {dims.begin(), dims.size() < 2 ? dims.begin() : dims.end() - 2};
}

int64_t product(const Shape& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

// Which of a's matrices is multiplied for the i-th one of the batch.
size_t matrixAt(const Shape& batch, const Shape& all, int64_t i) {
  std::vector<double> numbers(static_cast<size_t>(product(batch)));
  std::iota(numbers.begin(), numbers.end(), 0.0);
  return static_cast<size_t>(broadcast(numbers, batch, all, i));
}

// `batch`: that of the product.
void compare(const View& self, const View& mat2, const std::vector<double>& out, aclDataType type,
             const Shape& batch, bool throughHalf = false) {
  auto a = self.values(), b = mat2.values();
  for (auto* values : {&a, &b}) {
    for (double& value : *values) {
      value = throughHalf ? rounded(value, ACL_FLOAT16) : value;
    }
  }
  const Shape& left = self.dims();
  const Shape& right = mat2.dims();
  const auto m = static_cast<size_t>(left.size() < 2 ? 1 : left[left.size() - 2]);
  const auto k = static_cast<size_t>(left.back());
  const auto n = static_cast<size_t>(right.size() < 2 ? 1 : right.back());
  size_t at = 0;
  for (int64_t batchNumber = 0; batchNumber < product(batch); ++batchNumber) {
    const size_t first = matrixAt(batchOf(left), batch, batchNumber) * m * k;
    const size_t second = matrixAt(batchOf(right), batch, batchNumber) * k * n;
    for (size_t i = 0; i < m; ++i) {
      for (size_t j = 0; j < n; ++j, ++at) {
        double sum = 0;
        double size = 0;
        for (size_t l = 0; l < k; ++l) {
          const double term = a[first + i * k + l] * b[second + l * n + j];
          sum += term;
          size += std::fabs(term);
        }
        CHECK_NEAR(out[at], sum, 2e-6 * size + tolerance(sum, type, 1e-7));
      }
    }
  }
  CHECK_EQ(at, out.size());
}

}  // namespace

TEST(randomProducts) {
  device::use();
  Random random("randomProducts");
  for (int i = 0; i < 150; ++i) {
    const auto size = [&] { return random.between(1, random.oneIn(6) ? 150 : 20); };
    const int64_t m = size(), k = random.oneIn(10) ? 600 : size(), n = size();
    Shape batch(static_cast<size_t>(random.oneIn(2) ? 0 : random.between(1, 4)));
    for (int64_t& dim : batch) {
      dim = random.between(1, 3);
    }
    const auto factor = [&](const Shape& matrix) {
      const int64_t missing = random.between(0, static_cast<int64_t>(batch.size()));
      Shape dims(batch.begin() + missing, batch.end());
      for (int64_t& dim : dims) {
        dim = random.oneIn(3) ? 1 : dim;
      }
      dims.insert(dims.end(), matrix.begin(), matrix.end());
      return dims;
    };
    Shape left = factor({m, k});
    Shape right = factor({k, n});
    if (random.oneIn(8)) {
      left = {k};
    }
    if (random.oneIn(8)) {
      right = {k};
    }
    // What the two broadcast to.
    const Shape a = batchOf(left), b = batchOf(right);
    Shape all(std::max(a.size(), b.size()), 1);
    for (const Shape& dims : {a, b}) {
      for (size_t d = 0; d < dims.size(); ++d) {
        int64_t& dim = all[all.size() - dims.size() + d];
        dim = std::max(dim, dims[d]);
      }
    }
    Shape expected = all;
    if (left.size() > 1) {
      expected.push_back(m);
    }
    if (right.size() > 1) {
      expected.push_back(n);
    }
    const aclDataType selfType = random.floatType();
    const aclDataType mat2Type = random.oneIn(3) ? random.floatType() : selfType;
    const bool isFloat = selfType == ACL_FLOAT || mat2Type == ACL_FLOAT || selfType != mat2Type;
    const aclDataType outType = isFloat || random.oneIn(3) ? ACL_FLOAT : selfType;
    Input self(random, selfType, left);
    Input mat2(random, mat2Type, right);
    Output out(random, outType, expected);
    call(aclnnMatmulGetWorkspaceSize, aclnnMatmul, self, mat2, out, static_cast<int8_t>(0));
    compare(self, mat2, out.checkedValues(), outType, all);
  }
}

TEST(matrices) {
  device::use();
  Random random("matrices");
  for (const aclDataType type : kFloats) {
    Input self(random, type, {70, 130});
    Input mat2(random, type, {130, 210});
    Output out(random, type, {70, 210});
    call(aclnnMmGetWorkspaceSize, aclnnMm, self, mat2, out, static_cast<int8_t>(1));
    compare(self, mat2, out.checkedValues(), type, {});
    Input batch(random, type, {5, 30, 40});
    Input other(random, type, {5, 40, 21});
    Output results(random, type, {5, 30, 21});
    call(aclnnBatchMatMulGetWorkspaceSize, aclnnBatchMatMul, batch, other, results,
         static_cast<int8_t>(0));
    compare(batch, other, results.checkedValues(), type, {5});
  }
}

TEST(cubeMathTypes) {
  device::use();
  Random random("cubeMathTypes");
  Input self(random, ACL_FLOAT, {33, 80});
  Input mat2(random, ACL_FLOAT, {80, 17});
  for (const int8_t type : {0, 1, 2, 3, 4}) {
    Output out(random, ACL_FLOAT, {33, 17});
    call(aclnnMmGetWorkspaceSize, aclnnMm, self, mat2, out, type);
    compare(self, mat2, out.checkedValues(), ACL_FLOAT, {}, type == 2);
  }
  Output half(random, ACL_FLOAT16, {33, 17});
  call(aclnnMmGetWorkspaceSize, aclnnMm, self, mat2, half, static_cast<int8_t>(2));
  compare(self, mat2, half.checkedValues(), ACL_FLOAT16, {}, true);
}

// Other blocks of work, and so other threads, give the same bits.
TEST(sumsDoNotDependOnTheirDistribution) {
  device::use();
  View self(ACL_FLOAT, {250, 1000});
  View mat2(ACL_FLOAT, {1000, 400});
  View out(ACL_FLOAT, {250, 400});
  View row(ACL_FLOAT, {400});
  fillRandom(self, 1);
  fillRandom(mat2, 2);
  call(aclnnMmGetWorkspaceSize, aclnnMm, self, mat2, out, static_cast<int8_t>(0));
  const auto all = out.values();
  const auto a = self.values();
  View vector(ACL_FLOAT, {1000});
  for (const int64_t i : {0, 49, 120, 249}) {
    vector.fillStorage([&](int64_t k) { return a[static_cast<size_t>(i * 1000 + k)]; });
    call(aclnnMatmulGetWorkspaceSize, aclnnMatmul, vector, mat2, row, static_cast<int8_t>(0));
    const auto values = row.values();
    CHECK(std::equal(values.begin(), values.end(), all.begin() + i * 400));
  }
}

TEST(emptyFactors) {
  device::use();
  View rows(ACL_FLOAT, {0, 4});
  View matrix(ACL_FLOAT, {4, 3});
  View none(ACL_FLOAT, {0, 3});
  call(aclnnMmGetWorkspaceSize, aclnnMm, rows, matrix, none, static_cast<int8_t>(0));
  View left(ACL_BF16, {3, 0});
  View right(ACL_BF16, {0, 2});
  View zeros(ACL_BF16, {3, 2});
  fillRandom(zeros, 1);
  call(aclnnMmGetWorkspaceSize, aclnnMm, left, right, zeros, static_cast<int8_t>(0));
  CHECK(zeros.values() == std::vector<double>(6, 0));
}

TEST(specialValuesStayInTheirRowsAndColumns) {
  device::use();
  View self(ACL_FLOAT, {7, 5});
  View mat2(ACL_FLOAT, {5, 9});
  View out(ACL_FLOAT, {7, 9});
  self.fillStorage([](int64_t i) { return i == 2 * 5 + 3 ? NAN : 1.0; });
  mat2.fillStorage([](int64_t i) { return i == 1 * 9 + 4 ? INFINITY : 1.0; });
  call(aclnnMmGetWorkspaceSize, aclnnMm, self, mat2, out, static_cast<int8_t>(0));
  const auto values = out.values();
  for (size_t i = 0; i < values.size(); ++i) {
    if (i / 9 == 2) {
      CHECK(std::isnan(values[i]));
    } else {
      CHECK_EQ(values[i], i % 9 == 4 ? static_cast<double>(INFINITY) : 5.0);
    }
  }
}

TEST(refusals) {
  device::use();
  View self(ACL_FLOAT, {3, 4});
  View mat2(ACL_FLOAT, {4, 5});
  View out(ACL_FLOAT, {3, 5});
  View half(ACL_FLOAT16, {3, 5});
  View integers(ACL_INT32, {3, 4});
  View scalar(ACL_FLOAT, {});
  View deep(ACL_FLOAT, {1, 1, 1, 1, 1, 3, 4});
  View vector(ACL_FLOAT, {4});
  View batch(ACL_FLOAT, {2, 3, 4});
  View other(ACL_FLOAT, {3, 4, 5});
  aclTensor* none = nullptr;
  const auto matmul = aclnnMatmulGetWorkspaceSize;
  const int8_t keep = 0;
  CHECK_FAILS(status(matmul, none, mat2, out, keep), ACLNN_ERR_PARAM_NULLPTR, "self is NULL");
  CHECK_FAILS(status(matmul, self, none, out, keep), ACLNN_ERR_PARAM_NULLPTR, "mat2 is NULL");
  CHECK_FAILS(status(matmul, self, mat2, none, keep), ACLNN_ERR_PARAM_NULLPTR, "out is NULL");
  CHECK_FAILS(status(matmul, integers, mat2, out, keep), ACLNN_ERR_PARAM_INVALID,
              "self is INT32, not one of FLOAT, FLOAT16, BF16");
  CHECK_FAILS(status(matmul, self, mat2, out, int8_t{5}), ACLNN_ERR_PARAM_INVALID,
              "cubeMathType is 5, which is not in [0, 4]");
  CHECK_FAILS(status(matmul, self, mat2, out, int8_t{-1}), ACLNN_ERR_PARAM_INVALID,
              "cubeMathType is -1");
  CHECK_FAILS(status(matmul, self, mat2, half, keep), ACLNN_ERR_PARAM_INVALID,
              "cubeMathType 0 keeps a product of type FLOAT, out is FLOAT16");
  CHECK_FAILS(status(matmul, self, self, out, keep), ACLNN_ERR_PARAM_INVALID,
              "self [3, 4] and mat2 [3, 4] do not multiply");
  CHECK_FAILS(status(matmul, batch, other, other, keep), ACLNN_ERR_PARAM_INVALID,
              "self [2, 3, 4] and mat2 [3, 4, 5] do not multiply");
  CHECK_FAILS(status(matmul, self, mat2, self, keep), ACLNN_ERR_PARAM_INVALID,
              "out has the shape [3, 4], not [3, 5]");
  CHECK_FAILS(status(matmul, scalar, mat2, out, keep), ACLNN_ERR_PARAM_INVALID,
              "self has the shape [], not 1 to 6 dimensions");
  CHECK_FAILS(status(matmul, self, deep, out, keep), ACLNN_ERR_PARAM_INVALID,
              "mat2 has the shape [1, 1, 1, 1, 1, 3, 4], not 1 to 6 dimensions");
  CHECK_FAILS(status(matmul, vector, vector, vector, keep), ACLNN_ERR_PARAM_INVALID,
              "out has the shape [4], not []");
  CHECK_FAILS(status(aclnnMmGetWorkspaceSize, vector, mat2, out, keep), ACLNN_ERR_PARAM_INVALID,
              "aclnnMm: self has the shape [4], not 2 dimensions");
  CHECK_FAILS(status(aclnnBatchMatMulGetWorkspaceSize, self, other, out, keep),
              ACLNN_ERR_PARAM_INVALID, "aclnnBatchMatMul: self has the shape [3, 4], not 3");
}
