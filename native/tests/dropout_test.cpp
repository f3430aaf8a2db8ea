// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_dropout_do_mask.h"
#include "aclnnop/aclnn_dropout_gen_mask.h"
#include "ops/philox.hpp"
#include "random_views.hpp"

using namespace elements;

namespace {

class IntArray {
 public:
  explicit IntArray(const std::vector<int64_t>& values)
      : handle_(aclCreateIntArray(values.data(), values.size())) {}
  IntArray(const IntArray&) = delete;
  ~IntArray() { aclDestroyIntArray(handle_); }
  operator aclIntArray*() const { return handle_; }

 private:
  aclIntArray* handle_;
};

std::vector<double> mask(int64_t elements, double prob, int64_t seed, int64_t offset) {
  const IntArray shape({elements});
  View out(ACL_UINT8, {(elements + 127) / 128 * 16});
  call(aclnnDropoutGenMaskGetWorkspaceSize, aclnnDropoutGenMask, shape, prob, seed, offset, out);
  return out.values();
}

bool bitOf(const std::vector<double>& bytes, int64_t i) {
  return (static_cast<int>(bytes[static_cast<size_t>(i / 8)]) >> (i % 8) & 1) != 0;
}

double shareOfOnes(const std::vector<double>& bytes) {
  int64_t ones = 0;
  for (const double byte : bytes) {
    ones += __builtin_popcount(static_cast<unsigned>(byte));
  }
  return static_cast<double>(ones) / static_cast<double>(bytes.size() * 8);
}

}  // namespace

TEST(philoxKnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  CHECK((cann4j::philox({0, 0, 0, 0}, {0, 0}) ==
         Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  CHECK((cann4j::philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) ==
         Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK((cann4j::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                        {0xa4093822, 0x299f31d0}) ==
         Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(aMaskIsAFunctionOfSeedAndOffset) {
  device::use();
  const auto first = mask(100000, 0.5, 7, 0);
  CHECK(mask(100000, 0.5, 7, 0) == first);
  CHECK(mask(100000, 0.5, 8, 0) != first);
  CHECK(mask(100000, 0.5, 7, 1) != first);
  CHECK(mask(100000, 0.5, int64_t{7} << 32, 0) != first);
  CHECK(mask(100000, 0.5, 7, int64_t{1} << 32) != first);
  const auto prefix = mask(1000, 0.5, 7, 0);
  CHECK(std::equal(prefix.begin(), prefix.end(), first.begin()));
  // The stream itself, bit by bit: the same whatever the number of threads.
  for (int64_t i = 0; i < 100000; i += 997) {
    const auto block = static_cast<uint32_t>(i / 4);
    CHECK_EQ(bitOf(first, i), cann4j::philox({block, 0, 0, 0}, {7, 0})[i % 4] >= 0x80000000u);
  }
}

TEST(probIsThatOfZero) {
  device::use();
  CHECK_EQ(shareOfOnes(mask(1 << 16, 0, 1, 2)), 1.0);
  CHECK_EQ(shareOfOnes(mask(1 << 16, 1, 1, 2)), 0.0);
  for (const double prob : {0.001, 0.1, 0.5, 0.9}) {
    const double n = 1 << 20;
    const double deviation = std::sqrt(prob * (1 - prob) / n);
    CHECK_NEAR(shareOfOnes(mask(1 << 20, prob, 12345, 0)), 1 - prob, 5 * deviation);
  }
}

TEST(v2RoundsProb) {
  device::use();
  const IntArray shape({512, 256});
  View typed(ACL_UINT8, {512 * 256 / 8});
  for (const aclDataType type : kFloats) {
    const double prob = 0.3001;
    call(aclnnDropoutGenMaskV2GetWorkspaceSize, aclnnDropoutGenMaskV2, shape, prob, 3, 4, type,
         typed);
    CHECK(typed.values() == mask(512 * 256, rounded(prob, type), 3, 4));
  }
}

TEST(randomDoMask) {
  device::use();
  Random random("randomDoMask");
  for (int i = 0; i < 60; ++i) {
    const aclDataType type = random.floatType();
    std::vector<int64_t> dims(static_cast<size_t>(random.between(0, 3)));
    int64_t elements = 1;
    for (int64_t& dim : dims) {
      dim = random.between(1, random.oneIn(4) ? 60 : 9);
      elements *= dim;
    }
    const double prob = random.oneIn(8) ? 1 : random.real(0, 0.95);
    Input self(random, type, dims);
    Input bytes(random, ACL_UINT8, {(elements + 7) / 8 + random.between(0, 20)}, 0, 255.9);
    Output out(random, type, dims);
    call(aclnnDropoutDoMaskGetWorkspaceSize, aclnnDropoutDoMask, self, bytes, prob, out);
    const auto x = self.values(), bits = bytes.values(), y = out.checkedValues();
    for (int64_t k = 0; k < elements; ++k) {
      const auto at = static_cast<size_t>(k);
      const double exact = bitOf(bits, k) && prob < 1 ? x[at] / (1 - prob) : 0;
      CHECK_NEAR(y[at], exact, exact == 0 ? 0 : tolerance(exact, type));
    }
  }
}

TEST(refusals) {
  device::use();
  const IntArray shape({10, 13});
  const IntArray negative({10, -13});
  const IntArray huge({int64_t{1} << 40, int64_t{1} << 40});
  View out(ACL_UINT8, {32});
  View longer(ACL_UINT8, {33});
  View wide(ACL_INT32, {32});
  aclTensor* none = nullptr;
  aclIntArray* noShape = nullptr;
  const auto generate = aclnnDropoutGenMaskGetWorkspaceSize;
  CHECK_FAILS(status(generate, noShape, 0.5, 0, 0, out), ACLNN_ERR_PARAM_NULLPTR, "shape is NULL");
  CHECK_FAILS(status(generate, shape, 0.5, 0, 0, none), ACLNN_ERR_PARAM_NULLPTR, "out is NULL");
  CHECK_FAILS(status(generate, shape, 1.5, 0, 0, out), ACLNN_ERR_PARAM_INVALID,
              "prob is 1.5, which is not in [0, 1]");
  CHECK_FAILS(status(generate, shape, NAN, 0, 0, out), ACLNN_ERR_PARAM_INVALID, "nan");
  CHECK_FAILS(status(generate, shape, 0.5, 0, 0, longer), ACLNN_ERR_PARAM_INVALID,
              "out has the shape [33], not [32]");
  CHECK_FAILS(status(generate, shape, 0.5, 0, 0, wide), ACLNN_ERR_PARAM_INVALID,
              "out is INT32, not UINT8");
  CHECK_FAILS(status(generate, negative, 0.5, 0, 0, out), ACLNN_ERR_PARAM_INVALID,
              "the shape [10, -13] is impossible");
  CHECK_FAILS(status(generate, huge, 0.5, 0, 0, out), ACLNN_ERR_PARAM_INVALID, "is impossible");
  CHECK_FAILS(status(aclnnDropoutGenMaskV2GetWorkspaceSize, shape, 0.5, 0, 0, ACL_INT32, out),
              ACLNN_ERR_PARAM_INVALID, "probDataType is INT32 (3), not FLOAT, FLOAT16 or BF16");
  View x(ACL_FLOAT, {10, 13});
  View short_(ACL_UINT8, {16});
  const auto apply = aclnnDropoutDoMaskGetWorkspaceSize;
  CHECK_FAILS(status(apply, none, out, 0.5, x), ACLNN_ERR_PARAM_NULLPTR, "self is NULL");
  CHECK_FAILS(status(apply, x, none, 0.5, x), ACLNN_ERR_PARAM_NULLPTR, "mask is NULL");
  CHECK_FAILS(status(apply, x, out, 0.5, none), ACLNN_ERR_PARAM_NULLPTR, "out is NULL");
  CHECK_FAILS(status(apply, x, short_, 0.5, x), ACLNN_ERR_PARAM_INVALID,
              "mask has the shape [16], not one dimension with a bit for each of 130 elements");
  CHECK_FAILS(status(apply, x, wide, 0.5, x), ACLNN_ERR_PARAM_INVALID, "mask is INT32, not UINT8");
  CHECK_FAILS(status(apply, x, out, -0.5, x), ACLNN_ERR_PARAM_INVALID, "prob is -0.5");
  CHECK_FAILS(status(apply, wide, out, 0.5, wide), ACLNN_ERR_PARAM_INVALID, "self is INT32");
}
