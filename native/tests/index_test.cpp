// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "aclnnop/aclnn_gather.h"
#include "aclnnop/aclnn_index_add.h"
#include "aclnnop/aclnn_index_select.h"
#include "random_views.hpp"

using elements::Input;
using elements::Output;
using elements::Random;
using elements::View;

namespace {

constexpr aclDataType kTypes[] = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16,  ACL_DOUBLE,
                                  ACL_INT8,  ACL_UINT8,   ACL_INT16, ACL_INT32,
                                  ACL_INT64, ACL_UINT64,  ACL_BOOL};

aclDataType anyType(Random& random) { return kTypes[random.between(0, 10)]; }
aclDataType indexType(Random& random) { return random.oneIn(2) ? ACL_INT32 : ACL_INT64; }

std::vector<int64_t> shapeOf(Random& random, int64_t rank) {
  std::vector<int64_t> shape;
  for (int64_t d = 0; d < rank; ++d) {
    shape.push_back(random.between(1, random.oneIn(4) ? 70 : 6));
  }
  return shape;
}

// Values from 0 on in a view of any layout.
class Places : public Input {
 public:
  Places(Random& random, const std::vector<int64_t>& dims, int64_t size)
      : Input(random, indexType(random), dims, 0, static_cast<double>(size)) {}
};

// Where the element with number i of `shape` is when its place along dim is another one and the
// sizes are those of `other`.
int64_t moved(int64_t i, const std::vector<int64_t>& shape, const std::vector<int64_t>& other,
              size_t dim, int64_t place) {
  int64_t result = 0;
  int64_t step = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    result += (d == dim ? place : i % shape[d]) * step;
    step *= other[d];
    i /= shape[d];
  }
  return result;
}

int64_t placeAlong(int64_t i, const std::vector<int64_t>& shape, size_t dim) {
  for (size_t d = shape.size(); --d > dim;) {
    i /= shape[d];
  }
  return i % shape[dim];
}

}  // namespace

TEST(gatherOfRandomViews) {
  device::use();
  Random random("gatherOfRandomViews");
  for (int round = 0; round < 100; ++round) {
    const int64_t rank = random.between(1, 4);
    const auto shape = shapeOf(random, rank);
    const int64_t dim = random.between(-rank, rank - 1);
    const auto along = static_cast<size_t>(dim < 0 ? dim + rank : dim);
    auto wanted = shape;
    for (size_t d = 0; d < wanted.size(); ++d) {
      wanted[d] = d == along ? random.between(0, 9) : random.between(1, shape[d]);
    }
    Input self(random, anyType(random), shape, 0, 100);
    Places index(random, wanted, shape[along]);
    Output out(random, self.type(), wanted);
    elements::call(aclnnGatherGetWorkspaceSize, aclnnGather, self, dim, index, out);
    const auto x = self.values();
    const auto places = index.values();
    const auto y = out.checkedValues();
    for (size_t i = 0; i < y.size(); ++i) {
      CHECK_EQ(y[i], x[static_cast<size_t>(moved(static_cast<int64_t>(i), wanted, shape, along,
                                                 static_cast<int64_t>(places[i])))]);
    }
  }
}

TEST(indexSelectOfRandomViews) {
  device::use();
  Random random("indexSelectOfRandomViews");
  for (int round = 0; round < 100; ++round) {
    const int64_t rank = random.between(1, 4);
    const auto shape = shapeOf(random, rank);
    const int64_t dim = random.between(-rank, rank - 1);
    const auto along = static_cast<size_t>(dim < 0 ? dim + rank : dim);
    auto wanted = shape;
    const bool single = random.oneIn(8);
    wanted[along] = single ? 1 : random.between(0, 30);
    Input self(random, anyType(random), shape, 0, 100);
    Places index(random, single ? std::vector<int64_t>{} : std::vector<int64_t>{wanted[along]},
                 shape[along]);
    Output out(random, self.type(), wanted);
    elements::call(aclnnIndexSelectGetWorkspaceSize, aclnnIndexSelect, self, dim, index, out);
    const auto x = self.values();
    const auto places = index.values();
    const auto y = out.checkedValues();
    for (int64_t i = 0; i < static_cast<int64_t>(y.size()); ++i) {
      const auto place =
          static_cast<int64_t>(places[static_cast<size_t>(placeAlong(i, wanted, along))]);
      CHECK_EQ(y[static_cast<size_t>(i)],
               x[static_cast<size_t>(moved(i, wanted, shape, along, place))]);
    }
  }
}

TEST(indexAddOfRandomViews) {
  device::use();
  Random random("indexAddOfRandomViews");
  for (int round = 0; round < 100; ++round) {
    const int64_t rank = random.between(1, 4);
    const auto shape = shapeOf(random, rank);
    const int64_t dim = random.between(-rank, rank - 1);
    const auto along = static_cast<size_t>(dim < 0 ? dim + rank : dim);
    auto added = shape;
    added[along] = random.between(0, 40);  // often more than places, so that they repeat
    const aclDataType type = random.oneIn(3)   ? ACL_INT64
                             : random.oneIn(6) ? ACL_DOUBLE
                                               : random.floatType();
    Input self(random, type, shape);
    Places index(random, {added[along]}, shape[along]);
    Input source(random, type, added);
    const bool inPlace = random.oneIn(3);
    Output out(random, type, shape);
    const device::Scalar alpha(int64_t{3});
    const auto x = self.values();
    View& target = inPlace ? static_cast<View&>(self) : out;
    elements::call(aclnnIndexAddGetWorkspaceSize, aclnnIndexAdd, self, dim, index, source, alpha,
                   target);
    auto expected = x;
    auto sizes = x;  // of the terms, which may be much larger than their sum
    for (auto& size : sizes) size = std::abs(size);
    const auto places = index.values();
    const auto s = source.values();
    for (int64_t i = 0; i < static_cast<int64_t>(s.size()); ++i) {
      const auto place =
          static_cast<int64_t>(places[static_cast<size_t>(placeAlong(i, added, along))]);
      const auto at = static_cast<size_t>(moved(i, added, shape, along, place));
      expected[at] += 3 * s[static_cast<size_t>(i)];
      sizes[at] += std::abs(3 * s[static_cast<size_t>(i)]);
    }
    const auto y = inPlace ? self.values() : out.checkedValues();
    for (size_t i = 0; i < y.size(); ++i) {
      const double summing = type == ACL_DOUBLE ? 0.0 : 2.5e-6 * static_cast<double>(sizes[i]);
      CHECK_NEAR(y[i], expected[i],
                 elements::isFloating(type) ? elements::tolerance(expected[i], type, 2e-5) + summing
                                            : 0.0);
    }
  }
}

// A thousand halves of a step each: lost one by one in BF16, kept in sums of float.
TEST(indexAddRoundsOnce) {
  device::use();
  View self(ACL_BF16, {1, 2});
  View index(ACL_INT32, {1000});
  View source(ACL_BF16, {1000, 2});
  self.fillStorage([](int64_t) { return 128.0; });
  index.fillStorage([](int64_t) { return 0.0; });
  source.fillStorage([](int64_t) { return 0.25; });
  const device::Scalar one(1.0);
  elements::call(aclnnIndexAddGetWorkspaceSize, aclnnIndexAdd, self, int64_t{0}, index, source, one,
                 self);
  CHECK_EQ(self.values()[1], 378.0);
}

TEST(largeIndexAdd) {
  device::use();
  Random random("largeIndexAdd");
  View self(ACL_FLOAT, {3000, 65});
  Places index(random, {20000}, 3000);
  View source(ACL_FLOAT, {20000, 65});
  self.fillStorage([](int64_t i) { return static_cast<double>(i % 5); });
  source.fillStorage([](int64_t i) { return static_cast<double>(i % 11); });
  const device::Scalar one(1.0);
  auto expected = self.values();
  elements::call(aclnnIndexAddGetWorkspaceSize, aclnnIndexAdd, self, int64_t{0}, index, source, one,
                 self);
  const auto places = index.values();
  for (size_t i = 0; i < 20000 * 65; ++i) {
    expected[static_cast<size_t>(places[i / 65]) * 65 + i % 65] += static_cast<double>(i % 11);
  }
  CHECK(self.values() == expected);
}

TEST(scalarsAsTensors) {
  device::use();
  View self(ACL_FLOAT, {});
  View index(ACL_INT64, {});
  View out(ACL_FLOAT, {});
  self.fillStorage([](int64_t) { return 5.0; });
  index.fillStorage([](int64_t) { return 0.0; });
  const device::Scalar one(1.0);
  elements::call(aclnnGatherGetWorkspaceSize, aclnnGather, self, int64_t{0}, index, out);
  CHECK_EQ(out.values()[0], 5.0);
  elements::call(aclnnIndexAddGetWorkspaceSize, aclnnIndexAdd, self, int64_t{-1}, index, self, one,
                 out);
  CHECK_EQ(out.values()[0], 10.0);
  elements::call(aclnnIndexSelectGetWorkspaceSize, aclnnIndexSelect, self, int64_t{0}, index, out);
  CHECK_EQ(out.values()[0], 5.0);
}

TEST(indicesOutOfRangeAreErrorsOfTheStream) {
  device::use();
  View self(ACL_FLOAT, {5, 70});
  View rows(ACL_INT64, {3, 70});
  View list(ACL_INT32, {3});
  View out(ACL_FLOAT, {3, 70});
  View result(ACL_FLOAT, {5, 70});
  self.fillStorage([](int64_t i) { return static_cast<double>(i); });
  out.fillStorage([](int64_t) { return -1.0; });
  result.fillStorage([](int64_t) { return -1.0; });
  const device::Scalar one(1.0);
  const auto launch = [](auto prepare, device::Launch run) {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    CHECK_OK(prepare(&size, &executor));
    CHECK_OK(run(nullptr, 0, executor, nullptr));
  };
  for (const double bad : {5.0, -1.0, 1e9, -0x1p31}) {
    const auto value = static_cast<long long>(bad);
    rows.fillStorage([&](int64_t i) { return i == 71 ? bad : i == 139 ? 99.0 : 1.0; });
    list.fillStorage([&](int64_t i) { return i == 1 ? bad : 2.0; });
    launch(
        [&](auto size, auto executor) {
          return aclnnGatherGetWorkspaceSize(self, 0, rows, out, size, executor);
        },
        aclnnGather);
    CHECK_FAILS(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION,
                ("aclnnGather: index holds " + std::to_string(value) +
                 ", 71 elements from its first, and dimension 0 of self has the size 5")
                    .c_str());
    launch(
        [&](auto size, auto executor) {
          return aclnnIndexSelectGetWorkspaceSize(self, 0, list, out, size, executor);
        },
        aclnnIndexSelect);
    CHECK_FAILS(
        aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION,
        ("aclnnIndexSelect: index holds " + std::to_string(value) + ", 1 elements").c_str());
    launch(
        [&](auto size, auto executor) {
          return aclnnIndexAddGetWorkspaceSize(self, 0, list, out, one, result, size, executor);
        },
        aclnnIndexAdd);
    CHECK_FAILS(aclrtSynchronizeStream(nullptr), ACL_ERROR_RT_AICORE_EXCEPTION,
                ("aclnnIndexAdd: index holds " + std::to_string(value)).c_str());
    CHECK_EQ(result.values()[0], -1.0);
  }
  // The stream works on.
  list.fillStorage([](int64_t i) { return static_cast<double>(i + 2); });
  elements::call(aclnnIndexSelectGetWorkspaceSize, aclnnIndexSelect, self, int64_t{0}, list, out);
  CHECK_EQ(out.values()[209], 349.0);
}

TEST(indexOperatorsCheckTheirArguments) {
  device::use();
  View self(ACL_FLOAT, {4, 5});
  View index(ACL_INT32, {3});
  View wide(ACL_INT32, {5, 5});
  View square(ACL_INT64, {3, 5});
  View real(ACL_FLOAT, {3});
  View half(ACL_FLOAT16, {3, 5});
  View out(ACL_FLOAT, {3, 5});
  View wideOut(ACL_FLOAT, {5, 5});
  const device::Scalar one(1.0);
  CHECK_FAILS(elements::status(aclnnGatherGetWorkspaceSize, self, int64_t{1}, wide, wideOut),
              ACLNN_ERR_PARAM_INVALID, "index [5, 5] is larger than self [4, 5]");
  CHECK_FAILS(elements::status(aclnnGatherGetWorkspaceSize, self, int64_t{2}, square, out),
              ACLNN_ERR_PARAM_INVALID, "dim 2");
  CHECK_FAILS(elements::status(aclnnGatherGetWorkspaceSize, self, int64_t{0}, square, half),
              ACLNN_ERR_PARAM_INVALID, "out is FLOAT16, not FLOAT");
  CHECK_FAILS(elements::status(aclnnGatherGetWorkspaceSize, self, int64_t{0}, wide, out),
              ACLNN_ERR_PARAM_INVALID, "[3, 5], not [5, 5]");
  CHECK_FAILS(elements::status(aclnnIndexSelectGetWorkspaceSize, self, int64_t{0}, square, out),
              ACLNN_ERR_PARAM_INVALID, "index has the shape [3, 5], not one dimension");
  CHECK_FAILS(elements::status(aclnnIndexSelectGetWorkspaceSize, self, int64_t{0}, real, out),
              ACLNN_ERR_PARAM_INVALID, "index is FLOAT");
  CHECK_FAILS(elements::status(aclnnIndexSelectGetWorkspaceSize, self, int64_t{1}, index, out),
              ACLNN_ERR_PARAM_INVALID, "[3, 5], not [4, 3]");
  CHECK_FAILS(
      elements::status(aclnnIndexAddGetWorkspaceSize, self, int64_t{0}, index, self, one, self),
      ACLNN_ERR_PARAM_INVALID, "source has the shape [4, 5], not [3, 5]");
  CHECK_FAILS(
      elements::status(aclnnIndexAddGetWorkspaceSize, self, int64_t{0}, index, out, nullptr, self),
      ACLNN_ERR_PARAM_NULLPTR, "alpha is NULL");
}
