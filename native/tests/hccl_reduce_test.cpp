// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "check.hpp"
#include "hccl/reduce.hpp"

namespace {

void reduceToAll(const std::vector<const void*>& sources, const std::vector<void*>& targets,
                 uint64_t count, HcclDataType type, HcclReduceOp op) {
  cann4j::hccl::reduceAll({{sources, targets, count}}, type, op);
}

double fp16ToDouble(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 0x3ff;
  double value;
  if (exponent == 31) {
    value = fraction == 0 ? INFINITY : NAN;
  } else if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else {
    value = std::ldexp(1024 + fraction, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

double bf16ToDouble(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t single(uint16_t a, uint16_t b, HcclDataType type, HcclReduceOp op) {
  uint16_t out = 0xdead;
  reduceToAll({&a, &b}, {&out}, 1, type, op);
  return out;
}

// The 16-bit number nearest to `value`, found by trying all; ties to the even fraction.
template <class Decode>
uint16_t nearest(double value, double largest, double halfStep, Decode decode, uint16_t infinity) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (magnitude >= largest + halfStep) {
    return sign | infinity;
  }
  uint16_t low = 0;
  uint16_t high = infinity - 1;
  while (low < high) {
    const auto middle = static_cast<uint16_t>((low + high + 1) / 2);
    if (decode(middle) <= magnitude) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  if (low + 1 < infinity) {
    const double below = magnitude - decode(low);
    const double above = decode(static_cast<uint16_t>(low + 1)) - magnitude;
    if (above < below || (above == below && (low & 1) != 0)) {
      ++low;
    }
  }
  return sign | low;
}

uint16_t nearestFp16(float value) { return nearest(value, 65504, 16, fp16ToDouble, 0x7c00); }

}  // namespace

TEST(every_fp16_number_survives) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto value = static_cast<uint16_t>(bits);
    const uint16_t out = single(value, value, HCCL_DATA_TYPE_FP16, HCCL_REDUCE_MAX);
    if (std::isnan(fp16ToDouble(value))) {
      CHECK(std::isnan(fp16ToDouble(out)));
    } else {
      CHECK_EQ(out, value);
    }
  }
}

TEST(every_bf16_number_survives) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto value = static_cast<uint16_t>(bits);
    const uint16_t out = single(value, value, HCCL_DATA_TYPE_BFP16, HCCL_REDUCE_MIN);
    if (std::isnan(bf16ToDouble(value))) {
      CHECK(std::isnan(bf16ToDouble(out)));
    } else {
      CHECK_EQ(out, value);
    }
  }
}

TEST(fp16_sums_and_products_round_to_nearest_even) {
  std::mt19937 random(20240501);
  for (int i = 0; i < 300000; ++i) {
    const auto a = static_cast<uint16_t>(random());
    auto b = static_cast<uint16_t>(random());
    if (i % 2 == 0) {
      b = static_cast<uint16_t>((a + random() % 2048) ^ (random() & 0x8000));  // near in size
    }
    const double x = fp16ToDouble(a);
    const double y = fp16ToDouble(b);
    if (!std::isfinite(x) || !std::isfinite(y)) {
      continue;
    }
    const auto sum = static_cast<float>(x + y);
    const auto product = static_cast<float>(x) * static_cast<float>(y);
    CHECK_EQ(single(a, b, HCCL_DATA_TYPE_FP16, HCCL_REDUCE_SUM), nearestFp16(sum));
    CHECK_EQ(single(a, b, HCCL_DATA_TYPE_FP16, HCCL_REDUCE_PROD), nearestFp16(product));
  }
  // Largest number, overflow, and the smallest results.
  CHECK_EQ(single(0x7bff, 0x4bff, HCCL_DATA_TYPE_FP16, HCCL_REDUCE_SUM), uint16_t{0x7bff});
  CHECK_EQ(single(0x7bff, 0x4c00, HCCL_DATA_TYPE_FP16, HCCL_REDUCE_SUM), uint16_t{0x7c00});
  CHECK_EQ(single(0x0001, 0x3800, HCCL_DATA_TYPE_FP16, HCCL_REDUCE_PROD), uint16_t{0x0000});
  CHECK_EQ(single(0x0003, 0x3800, HCCL_DATA_TYPE_FP16, HCCL_REDUCE_PROD), uint16_t{0x0002});
}

TEST(bf16_sums_round_to_nearest_even_once) {
  std::mt19937 random(7);
  for (int i = 0; i < 300000; ++i) {
    const auto a = static_cast<uint16_t>(random());
    const auto b = static_cast<uint16_t>((a + random() % 1024) ^ (random() & 0x8000));
    const auto sum = static_cast<float>(bf16ToDouble(a)) + static_cast<float>(bf16ToDouble(b));
    const uint16_t got = single(a, b, HCCL_DATA_TYPE_BFP16, HCCL_REDUCE_SUM);
    if (std::isnan(sum)) {
      CHECK(std::isnan(bf16ToDouble(got)));
      continue;
    }
    const auto bits = std::bit_cast<uint32_t>(sum);
    const uint32_t remainder = bits & 0xffff;
    uint32_t expected = bits >> 16;
    if (remainder > 0x8000 || (remainder == 0x8000 && (expected & 1) != 0)) {
      ++expected;
    }
    CHECK_EQ(got, static_cast<uint16_t>(expected));
  }
  // 256 + 1 + 1 + 1: each 1 alone would be lost in bf16, in fp32 they add up.
  uint16_t big = 0x4380, one = 0x3f80, out = 0;
  reduceToAll({&big, &one, &one, &one}, {&out}, 1, HCCL_DATA_TYPE_BFP16, HCCL_REDUCE_SUM);
  CHECK_EQ(out, uint16_t{0x4382});
}

TEST(maximum_and_minimum_of_floats_keep_nan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (HcclReduceOp op : {HCCL_REDUCE_MAX, HCCL_REDUCE_MIN}) {
    for (int position = 0; position < 3; ++position) {
      float values[3] = {1, -2, 3};
      values[position] = nan;
      float out = 0;
      reduceToAll({&values[0], &values[1], &values[2]}, {&out}, 1, HCCL_DATA_TYPE_FP32, op);
      CHECK(std::isnan(out));
    }
  }
}

TEST(integers_wrap) {
  int8_t a = 100, b = 100, out = 0;
  reduceToAll({&a, &b}, {&out}, 1, HCCL_DATA_TYPE_INT8, HCCL_REDUCE_SUM);
  CHECK_EQ(int{out}, -56);
  int64_t least = INT64_MIN, minusOne = -1, wide = 0;
  reduceToAll({&least, &minusOne}, {&wide}, 1, HCCL_DATA_TYPE_INT64, HCCL_REDUCE_SUM);
  CHECK_EQ(wide, INT64_MAX);
  reduceToAll({&least, &minusOne}, {&wide}, 1, HCCL_DATA_TYPE_INT64, HCCL_REDUCE_PROD);
  CHECK_EQ(wide, INT64_MIN);
}

TEST(all_targets_get_every_element_of_a_long_vector) {
  const uint64_t count = 1000003;
  std::vector<float> a(count), b(count), first(count), second(count);
  for (uint64_t i = 0; i < count; ++i) {
    a[i] = static_cast<float>(i % 1000);
    b[i] = static_cast<float>(i % 777) * 0.5f;
  }
  const std::vector<float> original = b;
  reduceToAll({a.data(), b.data()}, {first.data(), b.data(), second.data()}, count,
              HCCL_DATA_TYPE_FP32, HCCL_REDUCE_SUM);
  for (uint64_t i = 0; i < count; ++i) {
    CHECK_EQ(first[i], a[i] + original[i]);
  }
  CHECK(first == second);
  CHECK(first == b);
}
