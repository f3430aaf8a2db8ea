// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_cast.h"
#include "aclnnop/aclnn_copy.h"
#include "aclnnop/aclnn_permute.h"
#include "aclnnop/aclnn_zero.h"
#include "elements.hpp"

using elements::View;

namespace {

constexpr aclDataType kTypes[] = {ACL_FLOAT, ACL_DOUBLE, ACL_FLOAT16, ACL_BF16,   ACL_INT8,
                                  ACL_UINT8, ACL_INT16,  ACL_UINT16,  ACL_INT32,  ACL_UINT32,
                                  ACL_INT64, ACL_UINT64, ACL_BOOL};

void cast(const View& from, View& to) {
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return aclnnCastGetWorkspaceSize(from, to.type(), to, size, executor);
  }, aclnnCast);
}

void copy(View& to, const View& from) {
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return aclnnInplaceCopyGetWorkspaceSize(to, from, size, executor);
  }, aclnnInplaceCopy);
}

}  // namespace

TEST(castBetweenAllTypes) {
  device::use();
  for (const aclDataType source : kTypes) {
    for (const aclDataType target : kTypes) {
      View from(source, {3, 701});
      View to(target, {3, 701});
      elements::fillRandom(from, 21, 0, 100);
      cast(from, to);
      const auto x = from.values();
      const auto y = to.values();
      for (size_t i = 0; i < x.size(); ++i) {
        const double expected = target == ACL_BOOL ? static_cast<double>(x[i] != 0)
                                : elements::isFloating(target) ? elements::rounded(x[i], target)
                                                               : std::trunc(x[i]);
        CHECK_EQ(y[i], expected);
      }
    }
  }
}

TEST(castRoundsHalfToEven) {
  device::use();
  for (const aclDataType source : {ACL_FLOAT, ACL_DOUBLE}) {
    for (const aclDataType target : {ACL_BF16, ACL_FLOAT16}) {
      const int digits = target == ACL_BF16 ? 8 : 11;
      View from(source, {4000});
      View to(target, {4000});
      // Exact halves and their neighbours, over many exponents, subnormals included.
      from.fillStorage([&](int64_t i) {
        const int exponent = static_cast<int>(i % 47) - 28;
        const double significand = std::ldexp(1, digits - 1) + static_cast<double>(i % 101) + 0.5;
        const double nudge = (static_cast<double>(i % 3) - 1) * (source == ACL_FLOAT ? 0x1p-8 : 0x1p-30);
        return std::ldexp(significand + nudge, exponent - digits);
      });
      cast(from, to);
      const auto x = from.values();
      const auto y = to.values();
      for (size_t i = 0; i < x.size(); ++i) {
        CHECK_EQ(y[i], elements::rounded(x[i], target));
      }
    }
  }
}

TEST(castOfSpecialValues) {
  device::use();
  const std::vector<double> values = {INFINITY, -INFINITY, NAN, -0.0, 3e38, -3e38, 65520, 1e-8};
  View from(ACL_FLOAT, {8});
  from.fillStorage([&](int64_t i) { return values[static_cast<size_t>(i)]; });
  for (const aclDataType target : {ACL_BF16, ACL_FLOAT16, ACL_DOUBLE}) {
    View to(target, {8});
    cast(from, to);
    const auto y = to.values();
    CHECK_EQ(y[0], static_cast<double>(INFINITY));
    CHECK_EQ(y[1], static_cast<double>(-INFINITY));
    CHECK(std::isnan(y[2]));
    CHECK(y[3] == 0 && std::signbit(y[3]));
    CHECK_EQ(y[4], elements::rounded(static_cast<float>(3e38), target));
    CHECK_EQ(y[6], elements::rounded(65520, target));
  }
  View integers(ACL_INT32, {8});
  cast(from, integers);
  const auto z = integers.values();
  CHECK_EQ(z[0], 2147483647.0);
  CHECK_EQ(z[1], -2147483648.0);
  CHECK_EQ(z[2], 0.0);
  CHECK_EQ(z[6], 65520.0);
}

TEST(castChecksItsArguments) {
  device::use();
  View from(ACL_FLOAT, {4});
  View to(ACL_BF16, {4});
  View other(ACL_BF16, {5});
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_FAILS(aclnnCastGetWorkspaceSize(from, ACL_FLOAT16, to, &size, &executor),
              ACLNN_ERR_PARAM_INVALID, "out is BF16, dtype says FLOAT16");
  CHECK_FAILS(aclnnCastGetWorkspaceSize(from, ACL_BF16, other, &size, &executor),
              ACLNN_ERR_PARAM_INVALID, "[5], not [4]");
}

TEST(permutations) {
  device::use();
  const std::vector<int64_t> shape{3, 4, 5, 6};
  const std::vector<std::vector<int64_t>> orders = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 2, 3},
                                                    {0, 2, 1, 3}, {-1, 0, -3, 2}};
  for (const aclDataType type : {ACL_UINT8, ACL_BF16, ACL_FLOAT, ACL_INT64}) {
    for (const auto& order : orders) {
      View from(type, shape);
      from.fillStorage([&](int64_t i) { return static_cast<double>(i % 120); });
      std::vector<int64_t> dims;
      std::vector<int64_t> dimStrides;
      const int64_t strides[] = {120, 30, 6, 1};
      for (const int64_t d : order) {
        dims.push_back(shape[static_cast<size_t>((d + 4) % 4)]);
        dimStrides.push_back(strides[(d + 4) % 4]);
      }
      View to(type, dims);
      aclIntArray* array = aclCreateIntArray(order.data(), order.size());
      device::run([&](uint64_t* size, aclOpExecutor** executor) {
        return aclnnPermuteGetWorkspaceSize(from, array, to, size, executor);
      }, aclnnPermute);
      CHECK_OK(aclDestroyIntArray(array));
      const auto x = from.values();
      const auto y = to.values();
      size_t at = 0;
      for (int64_t a = 0; a < dims[0]; ++a) {
        for (int64_t b = 0; b < dims[1]; ++b) {
          for (int64_t c = 0; c < dims[2]; ++c) {
            for (int64_t d = 0; d < dims[3]; ++d) {
              const int64_t source = a * dimStrides[0] + b * dimStrides[1] + c * dimStrides[2] +
                                     d * dimStrides[3];
              CHECK_EQ(y[at++], x[static_cast<size_t>(source)]);
            }
          }
        }
      }
    }
  }
}

TEST(permuteChecksItsDims) {
  device::use();
  View from(ACL_FLOAT, {2, 3});
  View to(ACL_FLOAT, {3, 2});
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  for (const auto& order : std::vector<std::vector<int64_t>>{{0, 0}, {1}, {0, 2}, {-3, 0}}) {
    aclIntArray* array = aclCreateIntArray(order.data(), order.size());
    CHECK_FAILS(aclnnPermuteGetWorkspaceSize(from, array, to, &size, &executor),
                ACLNN_ERR_PARAM_INVALID, "no order");
    CHECK_OK(aclDestroyIntArray(array));
  }
  const int64_t same[] = {0, 1};
  aclIntArray* array = aclCreateIntArray(same, 2);
  CHECK_FAILS(aclnnPermuteGetWorkspaceSize(from, array, to, &size, &executor),
              ACLNN_ERR_PARAM_INVALID, "[3, 2], not [2, 3]");
  CHECK_OK(aclDestroyIntArray(array));
}

TEST(copiesOfViews) {
  device::use();
  for (const aclDataType source : {ACL_FLOAT, ACL_BF16, ACL_FLOAT16, ACL_INT32}) {
    for (const aclDataType target : {ACL_FLOAT, ACL_BF16, ACL_FLOAT16, ACL_INT32}) {
      // Rows of a wider matrix into a transposed one, and a broadcast.
      View from(source, {20, 1, 33}, {50, 50, 1}, 7);
      View to(target, {20, 4, 33}, {1, 20, 80}, 5, 2800);
      elements::fillRandom(from, 31, 0, 50);
      to.fillStorage([](int64_t) { return -1.0; });
      copy(to, from);
      const auto x = from.values();
      const auto y = to.values();
      int64_t written = 0;
      for (size_t i = 0; i < y.size(); ++i) {
        const double value =
            elements::broadcast(x, from.dims(), to.dims(), static_cast<int64_t>(i));
        CHECK_EQ(y[i], elements::isFloating(target) ? elements::rounded(value, target)
                                                    : std::trunc(value));
      }
      for (const double value : to.storage()) {
        written += value != -1.0;
      }
      CHECK_EQ(written, to.size());
    }
  }
}

TEST(largeCopiesUseAllPieces) {
  device::use();
  View from(ACL_FLOAT, {3, 100003});
  View to(ACL_FLOAT, {3, 100003}, {100100, 1}, 1);
  elements::fillRandom(from, 41);
  copy(to, from);
  CHECK(to.values() == from.values());
}

TEST(copyChecksShapes) {
  device::use();
  View to(ACL_FLOAT, {2, 3});
  View from(ACL_FLOAT, {4, 2, 3});
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_FAILS(aclnnInplaceCopyGetWorkspaceSize(to, from, &size, &executor),
              ACLNN_ERR_PARAM_INVALID, "[2, 3], not [4, 2, 3]");
}

TEST(zeros) {
  device::use();
  for (const aclDataType type : kTypes) {
    View view(type, {4, 50}, {60, 1}, 2, 260);
    view.fillStorage([](int64_t) { return 1.0; });
    device::run([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnInplaceZeroGetWorkspaceSize(view, size, executor);
    }, aclnnInplaceZero);
    for (const double value : view.values()) {
      CHECK_EQ(value, 0.0);
    }
    double sum = 0;
    for (const double value : view.storage()) {
      sum += value;
    }
    CHECK_EQ(sum, 60.0);
    View gaps(type, {5, 3}, {9, 2}, 0);
    gaps.fillStorage([](int64_t) { return 1.0; });
    device::run([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnInplaceZeroGetWorkspaceSize(gaps, size, executor);
    }, aclnnInplaceZero);
    for (const double value : gaps.values()) {
      CHECK_EQ(value, 0.0);
    }
  }
  View empty(ACL_FLOAT, {0, 3});
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return aclnnInplaceZeroGetWorkspaceSize(empty, size, executor);
  }, aclnnInplaceZero);
}
