// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_ring_attention_update.h"

#include "elements.hpp"

using elements::View;

namespace {

// Statistics of rows as they lie in memory, without the eight copies.
struct Merge {
  Merge(aclDataType type, std::vector<int64_t> attention, std::vector<int64_t> statistics)
      : prevOut(type, attention), curOut(type, attention), out(type, attention),
        prevMax(ACL_FLOAT, statistics), prevSum(ACL_FLOAT, statistics),
        curMax(ACL_FLOAT, statistics), curSum(ACL_FLOAT, statistics), max(ACL_FLOAT, statistics),
        sum(ACL_FLOAT, statistics) {
    elements::fillRandom(prevOut, 1);
    elements::fillRandom(curOut, 2);
    fillRows(prevMax, 3, -3, 3);
    fillRows(prevSum, 4, 1, 50);
    fillRows(curMax, 5, -3, 3);
    fillRows(curSum, 6, 1, 50);
  }

  static void fillRows(View& view, unsigned seed, double low, double high) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> values(low, high);
    double value = 0;
    view.fillStorage([&](int64_t i) {
      value = i % 8 == 0 ? static_cast<float>(values(random)) : value;
      return value;
    });
  }

  aclnnStatus prepare(const char* layout, const aclTensor* prefix, uint64_t* size,
                      aclOpExecutor** executor) const {
    return aclnnRingAttentionUpdateGetWorkspaceSize(
        prevOut, prevMax, prevSum, curOut, curMax, curSum, prefix, const_cast<char*>(layout), out,
        max, sum, size, executor);
  }

  aclnnStatus prepareV2(const char* layout, const char* softmaxLayout, const aclTensor* prefix,
                        uint64_t* size, aclOpExecutor** executor) const {
    return aclnnRingAttentionUpdateV2GetWorkspaceSize(
        prevOut, prevMax, prevSum, curOut, curMax, curSum, prefix, const_cast<char*>(layout),
        const_cast<char*>(softmaxLayout), out, max, sum, size, executor);
  }

  // row(i): which attention element the i-th statistic belongs to at column 0.
  void expect(int64_t headSize, const std::function<int64_t(int64_t)>& row) const {
    const auto m1 = prevMax.values(), s1 = prevSum.values(), m2 = curMax.values(),
               s2 = curSum.values(), m = max.values(), s = sum.values(), o1 = prevOut.values(),
               o2 = curOut.values(), o = out.values();
    const double step = out.type() == ACL_BF16 ? 0x1p-8 : out.type() == ACL_FLOAT16 ? 0x1p-11 : 0;
    for (size_t i = 0; i < m.size(); i += 8) {
      const double top = std::max(m1[i], m2[i]);
      const double a = s1[i] * std::exp(m1[i] - top);
      const double b = s2[i] * std::exp(m2[i] - top);
      for (size_t k = 0; k < 8; ++k) {
        CHECK_EQ(m[i + k], top);
        CHECK_NEAR(s[i + k], a + b, 1e-5 * (a + b));
      }
      const int64_t first = row(static_cast<int64_t>(i / 8));
      for (int64_t d = 0; d < headSize; ++d) {
        const auto at = static_cast<size_t>(first + d);
        const double expected = (o1[at] * a + o2[at] * b) / (a + b);
        CHECK_NEAR(o[at], expected, 1e-5 + step * std::fabs(expected));
      }
    }
  }

  View prevOut, curOut, out, prevMax, prevSum, curMax, curSum, max, sum;
};

}  // namespace

TEST(sbh) {
  device::use();
  const int64_t S = 11, B = 3, N = 4, D = 24;
  for (const aclDataType type : {ACL_FLOAT, ACL_BF16, ACL_FLOAT16}) {
    const Merge merge(type, {S, B, N * D}, {B, N, S, 8});
    for (const char* layout : {"SBH", static_cast<const char*>(nullptr)}) {
      device::run([&](uint64_t* size, aclOpExecutor** executor) {
        return merge.prepare(layout, nullptr, size, executor);
      }, aclnnRingAttentionUpdate);
      merge.expect(D, [&](int64_t i) {
        const int64_t s = i % S, n = i / S % N, b = i / S / N;
        return (s * B + b) * N * D + n * D;
      });
    }
  }
}

TEST(tndInBlocksOfSequences) {
  device::use();
  const int64_t N = 3, D = 64;
  const std::vector<int64_t> ends{0, 5, 5, 6, 20};
  device::Buffer<int64_t> sums(ends);
  const device::Tensor prefix(sums.address(), ACL_INT64, {5});
  for (const aclDataType type : {ACL_FLOAT, ACL_BF16, ACL_FLOAT16}) {
    const Merge merge(type, {20, N, D}, {20, N, 8});
    device::run([&](uint64_t* size, aclOpExecutor** executor) {
      return merge.prepare("TND", prefix, size, executor);
    }, aclnnRingAttentionUpdate);
    merge.expect(D, [&](int64_t i) {
      size_t b = 0;
      while (i >= ends[b + 1] * N) {
        ++b;
      }
      const int64_t length = ends[b + 1] - ends[b];
      const int64_t inside = i - ends[b] * N;
      return ((ends[b] + inside % length) * N + inside / length) * D;
    });
  }
}

TEST(v2InBothOrders) {
  device::use();
  const int64_t N = 3, D = 64;
  const std::vector<int64_t> ends{0, 7, 8, 20};
  device::Buffer<int64_t> sums(ends);
  const device::Tensor prefix(sums.address(), ACL_INT64, {4});
  const char* none = nullptr;
  for (const aclDataType type : {ACL_FLOAT, ACL_BF16, ACL_FLOAT16}) {
    const Merge merge(type, {20, N, D}, {20, N, 8});
    for (const char* softmaxLayout : {"", "SBH", none}) {
      device::run([&](uint64_t* size, aclOpExecutor** executor) {
        return merge.prepareV2("TND", softmaxLayout, prefix, size, executor);
      }, aclnnRingAttentionUpdateV2);
      const auto merged = merge.out.values();
      device::run([&](uint64_t* size, aclOpExecutor** executor) {
        return merge.prepare("TND", prefix, size, executor);
      }, aclnnRingAttentionUpdate);
      CHECK(merge.out.values() == merged);
    }
    device::run([&](uint64_t* size, aclOpExecutor** executor) {
      return merge.prepareV2("TND", "TND", prefix, size, executor);
    }, aclnnRingAttentionUpdateV2);
    merge.expect(D, [&](int64_t i) { return i * D; });
  }
  const Merge sbh(ACL_FLOAT, {4, 2, N * D}, {2, N, 4, 8});
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return sbh.prepareV2("SBH", "", nullptr, size, executor);
  }, aclnnRingAttentionUpdateV2);
  sbh.expect(D, [&](int64_t i) { return ((i % 4) * 2 + i / 4 / N) * N * D + i / 4 % N * D; });
}

TEST(tokenOrderIgnoresTheSums) {
  device::use();
  device::Buffer<int64_t> sums(std::vector<int64_t>{4, 8});
  const device::Tensor prefix(sums.address(), ACL_INT64, {2});
  const Merge merge(ACL_FLOAT, {9, 2, 64}, {9, 2, 8});
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return merge.prepareV2("TND", "TND", prefix, size, executor);
  }, aclnnRingAttentionUpdateV2);
  merge.expect(64, [](int64_t i) { return i * 64; });
}

TEST(tndWithOneHeadIgnoresTheSums) {
  device::use();
  device::Buffer<int64_t> sums(std::vector<int64_t>{4, 9});
  const device::Tensor prefix(sums.address(), ACL_INT64, {2});
  const Merge merge(ACL_FLOAT, {9, 1, 128}, {9, 1, 8});
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return merge.prepare("TND", prefix, size, executor);
  }, aclnnRingAttentionUpdate);
  merge.expect(128, [](int64_t i) { return i * 128; });
}

TEST(wrongSumsFailAtSynchronisation) {
  device::use();
  for (const auto& bad : std::vector<std::vector<int64_t>>{{4, 9}, {0, 8}, {0, 9, 5, 9}}) {
    device::Buffer<int64_t> sums(bad);
    const device::Tensor prefix(sums.address(), ACL_INT64, {static_cast<int64_t>(bad.size())});
    const Merge merge(ACL_FLOAT, {9, 2, 64}, {9, 2, 8});
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    CHECK_OK(merge.prepare("TND", prefix, &size, &executor));
    CHECK_OK(aclnnRingAttentionUpdate(nullptr, 0, executor, nullptr));
    CHECK_FAILS(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION,
                "rising sums from 0 to T = 9");
  }
}

TEST(neutralRowsKeepTheOther) {
  device::use();
  const Merge merge(ACL_FLOAT, {2, 1, 8}, {1, 1, 2, 8});
  // A row without an allowed key: max -FLT_MAX, sum FLT_MAX.
  const_cast<View&>(merge.prevMax).fillStorage([](int64_t) {
    return -static_cast<double>(std::numeric_limits<float>::max());
  });
  const_cast<View&>(merge.prevSum).fillStorage([](int64_t) {
    return static_cast<double>(std::numeric_limits<float>::max());
  });
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return merge.prepare("SBH", nullptr, size, executor);
  }, aclnnRingAttentionUpdate);
  CHECK(merge.out.values() == merge.curOut.values());
  CHECK(merge.max.values() == merge.curMax.values());
  CHECK(merge.sum.values() == merge.curSum.values());
}

TEST(refusals) {
  device::use();
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  device::Buffer<int64_t> sums(std::vector<int64_t>{0, 9});
  const device::Tensor prefix(sums.address(), ACL_INT64, {2});
  const Merge sbh(ACL_FLOAT, {4, 2, 32}, {2, 4, 4, 8});
  CHECK_FAILS(sbh.prepare("BSH", nullptr, &size, &executor), ACLNN_ERR_PARAM_INVALID, "BSH");
  const Merge tnd(ACL_FLOAT, {9, 2, 64}, {9, 2, 8});
  CHECK_FAILS(tnd.prepare("TND", nullptr, &size, &executor), ACLNN_ERR_PARAM_NULLPTR,
              "actualSeqQlen");
  CHECK_FAILS(tnd.prepare("SBH", nullptr, &size, &executor), ACLNN_ERR_PARAM_INVALID,
              "[B, N, S, 8]");
  CHECK_FAILS(tnd.prepareV2("TND", "TND", nullptr, &size, &executor), ACLNN_ERR_PARAM_NULLPTR,
              "aclnnRingAttentionUpdateV2: actualSeqQlen is NULL");
  CHECK_FAILS(tnd.prepareV2("TND", "NTD", prefix, &size, &executor), ACLNN_ERR_PARAM_INVALID,
              "the softmax layout NTD is neither empty nor SBH nor TND");
  const Merge narrow(ACL_FLOAT, {9, 2, 65}, {9, 2, 8});
  CHECK_FAILS(narrow.prepare("TND", prefix, &size, &executor), ACLNN_ERR_INNER_TILING_ERROR,
              "D = 65");
  const Merge long_(ACL_FLOAT, {9, 2, 832}, {9, 2, 8});
  CHECK_FAILS(long_.prepare("TND", prefix, &size, &executor), ACLNN_ERR_INNER_TILING_ERROR,
              "D = 832");
  const Merge odd(ACL_FLOAT, {4, 2, 30}, {2, 4, 4, 8});
  CHECK_FAILS(odd.prepare("SBH", nullptr, &size, &executor), ACLNN_ERR_PARAM_INVALID,
              "do not fit");
  const Merge seven(ACL_FLOAT, {9, 2, 64}, {9, 2, 7});
  CHECK_FAILS(seven.prepare("TND", prefix, &size, &executor), ACLNN_ERR_PARAM_INVALID, "[T, N, 8]");
  const Merge doubles(ACL_DOUBLE, {4, 2, 32}, {2, 4, 4, 8});
  CHECK_FAILS(doubles.prepare("SBH", nullptr, &size, &executor), ACLNN_ERR_PARAM_INVALID,
              "DOUBLE");
  const Merge empty(ACL_FLOAT, {0, 2, 32}, {2, 4, 0, 8});
  CHECK_FAILS(empty.prepare("SBH", nullptr, &size, &executor), ACLNN_ERR_PARAM_INVALID, "none 0");
}
