// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_embedding.h"
#include "aclnnop/aclnn_embedding_dense_backward.h"
#include "random_views.hpp"

using namespace elements;

namespace {

std::vector<int64_t> with(std::vector<int64_t> shape, int64_t last) {
  shape.push_back(last);
  return shape;
}

std::vector<int64_t> randomShape(Random& random) {
  std::vector<int64_t> dims(static_cast<size_t>(random.between(0, 3)));
  for (int64_t& dim : dims) {
    dim = random.between(1, 7);
  }
  return dims;
}

}  // namespace

TEST(randomLookups) {
  device::use();
  Random random("randomLookups");
  constexpr aclDataType kTypes[] = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_DOUBLE,
                                    ACL_INT64, ACL_INT8,    ACL_BOOL};
  for (int i = 0; i < 60; ++i) {
    const aclDataType type = kTypes[random.between(0, 6)];
    const int64_t rows = random.between(1, 30);
    const int64_t columns = random.between(1, 40);
    const auto shape = randomShape(random);
    Input weight(random, type, {rows, columns});
    Input indices(random, random.oneIn(2) ? ACL_INT32 : ACL_INT64, shape, 0,
                  static_cast<double>(rows) - 1e-6);
    Output out(random, type, with(shape, columns));
    call(aclnnEmbeddingGetWorkspaceSize, aclnnEmbedding, weight, indices, out);
    const auto table = weight.values(), which = indices.values(), result = out.checkedValues();
    for (size_t k = 0; k < result.size(); ++k) {
      const auto width = static_cast<size_t>(columns);
      CHECK_EQ(result[k], table[static_cast<size_t>(which[k / width]) * width + k % width]);
    }
  }
}

TEST(randomGradients) {
  device::use();
  Random random("randomGradients");
  for (int i = 0; i < 60; ++i) {
    const aclDataType type = random.floatType();
    const int64_t rows = random.between(1, 12);
    const int64_t columns = random.between(1, 40);
    const auto shape = randomShape(random);
    const bool scale = random.oneIn(2);
    const uint64_t padding = random.oneIn(2) ? UINT64_MAX
                                             : static_cast<uint64_t>(random.between(0, rows - 1));
    Input grad(random, type, with(shape, columns));
    Input indices(random, random.oneIn(2) ? ACL_INT32 : ACL_INT64, shape, 0,
                  static_cast<double>(rows) - 1e-6);
    Output out(random, type, {rows, columns});
    call(aclnnEmbeddingDenseBackwardGetWorkspaceSize, aclnnEmbeddingDenseBackward, grad, indices,
         static_cast<uint64_t>(rows), padding, scale, out);
    const auto g = grad.values(), which = indices.values(), result = out.checkedValues();
    const auto width = static_cast<size_t>(columns);
    for (size_t w = 0; w < static_cast<size_t>(rows); ++w) {
      const auto count = static_cast<double>(
          std::count(which.begin(), which.end(), static_cast<double>(w)));
      for (size_t c = 0; c < width; ++c) {
        double sum = 0;
        double size = 0;
        for (size_t k = 0; w != padding && k < which.size(); ++k) {
          const double term = which[k] == static_cast<double>(w) ? g[k * width + c] : 0;
          sum += term;
          size += std::fabs(term);
        }
        const double exact = scale && count > 0 ? sum / count : sum;
        CHECK_NEAR(result[w * width + c], exact, 1e-6 * size + tolerance(exact, type));
      }
    }
  }
}

TEST(sumsDoNotDependOnThreads) {
  device::use();
  View grad(ACL_FLOAT, {5000, 48});
  View indices(ACL_INT32, {5000});
  View out(ACL_FLOAT, {7, 48});
  fillRandom(grad, 5);
  fillRandom(indices, 6, 0, 7 - 1e-6);
  call(aclnnEmbeddingDenseBackwardGetWorkspaceSize, aclnnEmbeddingDenseBackward, grad, indices,
       uint64_t{7}, UINT64_MAX, false, out);
  const auto g = grad.values(), which = indices.values(), result = out.values();
  std::vector<float> sums(7 * 48);
  for (size_t k = 0; k < which.size(); ++k) {
    for (size_t c = 0; c < 48; ++c) {
      sums[static_cast<size_t>(which[k]) * 48 + c] += static_cast<float>(g[k * 48 + c]);
    }
  }
  for (size_t k = 0; k < sums.size(); ++k) {
    CHECK_EQ(result[k], static_cast<double>(sums[k]));
  }
}

TEST(indicesOutOfRangeFailAtSynchronisation) {
  device::use();
  for (const double bad : {-1.0, 5.0}) {
    View weight(ACL_FLOAT, {5, 3});
    View indices(ACL_INT64, {2, 2});
    View out(ACL_FLOAT, {2, 2, 3});
    indices.fillStorage([&](int64_t i) { return i == 2 ? bad : 4; });
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    CHECK_OK(aclnnEmbeddingGetWorkspaceSize(weight, indices, out, &size, &executor));
    CHECK_OK(aclnnEmbedding(nullptr, 0, executor, nullptr));
    const std::string words = "element 2 of indices is " + std::to_string(static_cast<int>(bad)) +
                              ", which is not in [0, 5)";
    CHECK_FAILS(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION, words.c_str());
    CHECK_OK(aclnnEmbeddingDenseBackwardGetWorkspaceSize(out, indices, 5, 0, false, weight, &size,
                                                         &executor));
    CHECK_OK(aclnnEmbeddingDenseBackward(nullptr, 0, executor, nullptr));
    CHECK_FAILS(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION, words.c_str());
  }
}

TEST(emptyIndices) {
  device::use();
  View weight(ACL_FLOAT, {5, 3});
  View indices(ACL_INT64, {0});
  View rows(ACL_FLOAT, {0, 3});
  fillRandom(weight, 1);
  call(aclnnEmbeddingGetWorkspaceSize, aclnnEmbedding, weight, indices, rows);
  call(aclnnEmbeddingDenseBackwardGetWorkspaceSize, aclnnEmbeddingDenseBackward, rows, indices,
       uint64_t{5}, UINT64_MAX, true, weight);
  CHECK(weight.values() == std::vector<double>(15, 0));
}

TEST(refusals) {
  device::use();
  View weight(ACL_FLOAT, {5, 3});
  View indices(ACL_INT64, {4});
  View rows(ACL_FLOAT, {4, 3});
  View reals(ACL_FLOAT, {4});
  View half(ACL_FLOAT16, {4, 3});
  aclTensor* none = nullptr;
  const auto forward = aclnnEmbeddingGetWorkspaceSize;
  CHECK_FAILS(status(forward, none, indices, rows), ACLNN_ERR_PARAM_NULLPTR, "weight is NULL");
  CHECK_FAILS(status(forward, weight, none, rows), ACLNN_ERR_PARAM_NULLPTR, "indices is NULL");
  CHECK_FAILS(status(forward, weight, indices, none), ACLNN_ERR_PARAM_NULLPTR, "out is NULL");
  CHECK_FAILS(status(forward, weight, reals, rows), ACLNN_ERR_PARAM_INVALID,
              "indices is FLOAT, not one of INT32, INT64");
  CHECK_FAILS(status(forward, reals, indices, rows), ACLNN_ERR_PARAM_INVALID,
              "weight has the shape [4], not two dimensions");
  CHECK_FAILS(status(forward, weight, indices, weight), ACLNN_ERR_PARAM_INVALID,
              "out has the shape [5, 3], not [4, 3]");
  CHECK_FAILS(status(forward, weight, indices, half), ACLNN_ERR_PARAM_INVALID,
              "out is FLOAT16, not FLOAT");
  const auto backward = aclnnEmbeddingDenseBackwardGetWorkspaceSize;
  CHECK_FAILS(status(backward, none, indices, 5, 0, false, weight), ACLNN_ERR_PARAM_NULLPTR,
              "grad is NULL");
  CHECK_FAILS(status(backward, rows, none, 5, 0, false, weight), ACLNN_ERR_PARAM_NULLPTR,
              "indices is NULL");
  CHECK_FAILS(status(backward, rows, indices, 5, 0, false, none), ACLNN_ERR_PARAM_NULLPTR,
              "out is NULL");
  CHECK_FAILS(status(backward, rows, indices, 6, 0, false, weight), ACLNN_ERR_PARAM_INVALID,
              "out has the shape [5, 3], not numWeights = 6 rows");
  CHECK_FAILS(status(backward, weight, indices, 5, 0, false, weight), ACLNN_ERR_PARAM_INVALID,
              "grad has the shape [5, 3], not [4, 3]");
  CHECK_FAILS(status(backward, half, indices, 5, 0, false, weight), ACLNN_ERR_PARAM_INVALID,
              "out is FLOAT, not FLOAT16");
  CHECK_FAILS(status(backward, indices, indices, 5, 0, false, weight), ACLNN_ERR_PARAM_INVALID,
              "grad is INT64, not one of");
}
