// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_div.h"
#include "aclnnop/aclnn_exp.h"
#include "aclnnop/aclnn_maximum.h"
#include "aclnnop/aclnn_mul.h"
#include "aclnnop/aclnn_sub.h"
#include "elements.hpp"

using elements::View;

namespace {

using Binary = std::function<double(double, double)>;
using Prepare = std::function<aclnnStatus(const aclTensor*, const aclTensor*, aclTensor*, uint64_t*,
                                          aclOpExecutor**)>;

constexpr aclDataType kFloating[] = {ACL_FLOAT, ACL_DOUBLE, ACL_FLOAT16, ACL_BF16};
constexpr aclDataType kIntegers[] = {ACL_INT8,  ACL_UINT8,  ACL_INT16, ACL_UINT16,
                                     ACL_INT32, ACL_UINT32, ACL_INT64, ACL_UINT64};

// `computed` is the type that the operation itself rounds to, before the result's.
void expect(const View& a, const View& b, const View& out, const Binary& operation,
            aclDataType computed) {
  const auto x = a.values();
  const auto y = b.values();
  const auto actual = out.values();
  for (size_t i = 0; i < actual.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const double exact = operation(elements::broadcast(x, a.dims(), out.dims(), at),
                                   elements::broadcast(y, b.dims(), out.dims(), at));
    const double expected = elements::rounded(elements::rounded(exact, computed), out.type());
    // The operation rounds its two steps in the computed type, and a 16-bit result that lies close
    // to a half may then go the other way.
    const double computedStep = computed == ACL_DOUBLE ? 0x1p-49 : 0x1p-20;
    const double resultStep = out.type() == ACL_FLOAT16 ? 0x1p-10
                              : out.type() == ACL_BF16  ? 0x1p-7
                                                        : computedStep;
    CHECK_NEAR(actual[i], expected,
               !elements::isFloating(out.type())
                   ? 0.0
                   : computedStep + resultStep * std::fabs(expected));
  }
}

void runAndCompare(const Prepare& prepare, device::Launch launch, const Binary& operation, View& a, View& b,
           View& out) {
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return prepare(a, b, out, size, executor);
  }, launch);
  const bool real = elements::isFloating(out.type());
  const bool isDouble = a.type() == ACL_DOUBLE || b.type() == ACL_DOUBLE;
  expect(a, b, out, operation, !real ? ACL_INT64 : isDouble ? ACL_DOUBLE : ACL_FLOAT);
}

Prepare addWith(aclScalar* alpha) {
  return [alpha](auto a, auto b, auto out, auto size, auto executor) {
    return aclnnAddGetWorkspaceSize(a, b, alpha, out, size, executor);
  };
}

}  // namespace

TEST(allTypesContiguous) {
  device::use();
  const device::Scalar two(int64_t{2});
  const Prepare sub = [&](auto a, auto b, auto out, auto size, auto executor) {
    return aclnnSubGetWorkspaceSize(a, b, two, out, size, executor);
  };
  std::vector<aclDataType> types(std::begin(kFloating), std::end(kFloating));
  types.insert(types.end(), std::begin(kIntegers), std::end(kIntegers));
  for (const aclDataType type : types) {
    const bool isUnsigned = type == ACL_UINT8 || type == ACL_UINT16 || type == ACL_UINT32 ||
                            type == ACL_UINT64;
    for (const int64_t n : {1, 7, 513, 40000}) {
      View a(type, {n});
      View b(type, {n});
      View out(type, {n});
      elements::fillRandom(a, 1, isUnsigned ? 20 : -9, 30);
      elements::fillRandom(b, 2, isUnsigned ? 0 : -4, 4);
      runAndCompare(addWith(two), aclnnAdd, [](double x, double y) { return x + 2 * y; }, a, b, out);
      runAndCompare(sub, aclnnSub, [](double x, double y) { return x - 2 * y; }, a, b, out);
      runAndCompare(aclnnMulGetWorkspaceSize, aclnnMul, [](double x, double y) { return x * y; }, a, b, out);
      runAndCompare(aclnnMaximumGetWorkspaceSize, aclnnMaximum,
            [](double x, double y) { return std::max(x, y); }, a, b, out);
    }
  }
}

TEST(division) {
  device::use();
  for (const aclDataType type : kFloating) {
    View a(type, {3, 100});
    View b(type, {100});
    View out(type, {3, 100});
    elements::fillRandom(a, 3);
    elements::fillRandom(b, 4, 0.5, 3);
    runAndCompare(aclnnDivGetWorkspaceSize, aclnnDiv, [](double x, double y) { return x / y; }, a, b, out);
  }
  View a(ACL_INT32, {10});
  View b(ACL_INT32, {10});
  View out(ACL_FLOAT, {10});
  elements::fillRandom(a, 5, -100, 100);
  elements::fillRandom(b, 6, 1, 9);
  runAndCompare(aclnnDivGetWorkspaceSize, aclnnDiv, [](double x, double y) { return x / y; }, a, b, out);
  View integers(ACL_INT32, {10});
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_FAILS(aclnnDivGetWorkspaceSize(a, b, integers, &size, &executor), ACLNN_ERR_PARAM_INVALID,
              "FLOAT cannot be stored as INT32");
}

TEST(broadcasting) {
  device::use();
  const device::Scalar one(1.0);
  struct Case {
    std::vector<int64_t> a, b, out;
  };
  const Case cases[] = {{{2, 3, 5}, {5}, {2, 3, 5}},
                        {{4, 1, 6}, {3, 1}, {4, 3, 6}},
                        {{1}, {2, 2, 2, 2}, {2, 2, 2, 2}},
                        {{}, {7}, {7}},
                        {{8, 1}, {1, 9}, {8, 9}},
                        {{3, 0}, {1}, {3, 0}}};
  for (const Case& c : cases) {
    View a(ACL_FLOAT, c.a);
    View b(ACL_BF16, c.b);
    View out(ACL_FLOAT, c.out);
    elements::fillRandom(a, 7);
    elements::fillRandom(b, 8);
    runAndCompare(addWith(one), aclnnAdd, [](double x, double y) { return x + y; }, a, b, out);
  }
  View a(ACL_FLOAT, {2, 3});
  View b(ACL_FLOAT, {2});
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_FAILS(aclnnAddGetWorkspaceSize(a, b, one, a, &size, &executor), ACLNN_ERR_PARAM_INVALID,
              "[2, 3] and [2]");
  View wide(ACL_FLOAT, {4, 2, 3});
  CHECK_FAILS(aclnnInplaceAddGetWorkspaceSize(a, wide, one, &size, &executor),
              ACLNN_ERR_PARAM_INVALID, "not [4, 2, 3]");
}

TEST(stridedViews) {
  device::use();
  const device::Scalar minus(-1.5);
  // Transposed, sliced, with gaps and an offset: nothing outside the view may change.
  View a(ACL_BF16, {5, 6, 7}, {1, 35, 5}, 3);
  View b(ACL_FLOAT, {5, 6, 7}, {168, 14, 2}, 1);
  View out(ACL_FLOAT, {5, 6, 7}, {100, 16, 2}, 4, 600);
  elements::fillRandom(a, 9);
  elements::fillRandom(b, 10);
  out.fillStorage([](int64_t i) { return static_cast<double>(1000 + i); });
  runAndCompare(addWith(minus), aclnnAdd, [](double x, double y) { return x - 1.5 * y; }, a, b, out);
  std::vector<bool> inView(600, false);
  for (int64_t i = 0; i < out.size(); ++i) {
    inView[static_cast<size_t>(out.place(i))] = true;
  }
  const auto storage = out.storage();
  for (size_t i = 0; i < storage.size(); ++i) {
    if (!inView[i]) {
      CHECK_EQ(storage[i], 1000.0 + static_cast<double>(i));
    }
  }
}

TEST(promotion) {
  device::use();
  const device::Scalar one(int64_t{1});
  const Binary plus = [](double x, double y) { return x + y; };
  for (const aclDataType left : kFloating) {
    for (const aclDataType right : {ACL_FLOAT, ACL_DOUBLE, ACL_FLOAT16, ACL_BF16, ACL_INT32}) {
      for (const aclDataType result : kFloating) {
        View a(left, {300});
        View b(right, {300});
        View out(result, {300});
        elements::fillRandom(a, 11);
        elements::fillRandom(b, 12);
        runAndCompare(addWith(one), aclnnAdd, plus, a, b, out);
      }
    }
  }
  View bytes(ACL_UINT8, {50});
  View shorts(ACL_INT8, {50});
  View sum(ACL_INT16, {50});
  elements::fillRandom(bytes, 13, 200, 255);
  elements::fillRandom(shorts, 14, -100, 100);
  runAndCompare(addWith(one), aclnnAdd, plus, bytes, shorts, sum);
}

TEST(integersWrap) {
  device::use();
  const device::Scalar one(int64_t{1});
  View a(ACL_INT64, {2});
  View b(ACL_INT64, {2});
  View out(ACL_INT64, {2});
  a.fillStorage([](int64_t) { return 0x1p62; });
  b.fillStorage([](int64_t) { return 0x1p62; });
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return aclnnAddGetWorkspaceSize(a, b, one, out, size, executor);
  }, aclnnAdd);
  CHECK_EQ(out.values()[1], -0x1p63);
}

TEST(inPlace) {
  device::use();
  const device::Scalar half(0.5);
  View a(ACL_FLOAT16, {1000});
  View b(ACL_FLOAT, {1000});
  elements::fillRandom(a, 15);
  elements::fillRandom(b, 16);
  const auto before = a.values();
  const auto other = b.values();
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return aclnnInplaceAddGetWorkspaceSize(a, b, half, size, executor);
  }, aclnnInplaceAdd);
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return aclnnInplaceMulsGetWorkspaceSize(a, half, size, executor);
  }, aclnnInplaceMuls);
  const auto after = a.values();
  for (size_t i = 0; i < after.size(); ++i) {
    const double sum = elements::rounded(before[i] + 0.5 * other[i], ACL_FLOAT16);
    CHECK_NEAR(after[i], elements::rounded(sum * 0.5, ACL_FLOAT16), 0x1p-10 * std::fabs(sum) + 1e-6);
  }
}

TEST(scalarsAndExponent) {
  device::use();
  const device::Scalar factor(-2.5);
  for (const aclDataType type : kFloating) {
    View a(type, {6, 50}, {1, 6}, 0);
    View out(type, {6, 50});
    elements::fillRandom(a, 17);
    device::run([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnMulsGetWorkspaceSize(a, factor, out, size, executor);
    }, aclnnMuls);
    expect(a, a, out, [](double x, double) { return x * -2.5; },
           type == ACL_DOUBLE ? ACL_DOUBLE : ACL_FLOAT);
    device::run([&](uint64_t* size, aclOpExecutor** executor) {
      return aclnnExpGetWorkspaceSize(a, out, size, executor);
    }, aclnnExp);
    expect(a, a, out, [](double x, double) { return std::exp(x); },
           type == ACL_DOUBLE ? ACL_DOUBLE : ACL_FLOAT);
  }
  View integers(ACL_INT32, {9});
  View reals(ACL_FLOAT, {9});
  elements::fillRandom(integers, 18);
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return aclnnMulsGetWorkspaceSize(integers, factor, reals, size, executor);
  }, aclnnMuls);
  expect(integers, integers, reals, [](double x, double) { return x * -2.5; }, ACL_FLOAT);
}

TEST(maximumKeepsNaN) {
  device::use();
  View a(ACL_FLOAT, {3});
  View b(ACL_FLOAT, {3});
  View out(ACL_FLOAT, {3});
  a.fillStorage([](int64_t i) { return i == 0 ? NAN : 1.0; });
  b.fillStorage([](int64_t i) { return i == 1 ? NAN : 2.0; });
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return aclnnMaximumGetWorkspaceSize(a, b, out, size, executor);
  }, aclnnMaximum);
  const auto values = out.values();
  CHECK(std::isnan(values[0]));
  CHECK(std::isnan(values[1]));
  CHECK_EQ(values[2], 2.0);
}

TEST(refusals) {
  device::use();
  const device::Scalar real(0.5);
  View integers(ACL_INT32, {4});
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  CHECK_FAILS(aclnnAddGetWorkspaceSize(integers, integers, real, integers, &size, &executor),
              ACLNN_ERR_PARAM_INVALID, "alpha is floating");
  const int64_t dims[] = {4};
  aclTensor* odd = aclCreateTensor(dims, 1, ACL_COMPLEX64, nullptr, 0, ACL_FORMAT_ND, dims, 1,
                                   nullptr);
  CHECK_FAILS(aclnnMulGetWorkspaceSize(odd, odd, odd, &size, &executor), ACLNN_ERR_PARAM_INVALID,
              "COMPLEX64");
  CHECK_OK(aclDestroyTensor(odd));
  aclTensor* blocked = aclCreateTensor(dims, 1, ACL_FLOAT, nullptr, 0, ACL_FORMAT_FRACTAL_NZ, dims,
                                       1, nullptr);
  CHECK_FAILS(aclnnMulGetWorkspaceSize(blocked, blocked, blocked, &size, &executor),
              ACLNN_ERR_PARAM_INVALID, "format 29");
  CHECK_OK(aclDestroyTensor(blocked));
}
