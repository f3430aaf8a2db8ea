// SPDX-License-Identifier: Apache-2.0
// Attention in fp64, written from its definition, and seeded data rounded to the stored type.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "check.hpp"

namespace reference {

enum class Type { Float32, BFloat16, Float16 };
enum class Mask { None, LeftUp, RightDown };

inline size_t bytesOf(Type type) { return type == Type::Float32 ? 4 : 2; }

// Round to nearest, ties to even, by arithmetic instead of bits.
inline double rounded(Type type, double value) {
  if (type == Type::Float32) return static_cast<float>(value);
  if (value == 0 || !std::isfinite(value)) return value;
  int exponent;
  std::frexp(value, &exponent);
  const int digits = type == Type::BFloat16 ? 8 : 11;
  const int least = type == Type::BFloat16 ? -133 : -24;
  const double step = std::ldexp(1.0, std::max(exponent - digits, least));
  const double result = std::nearbyint(value / step) * step;
  if (type == Type::Float16 && std::fabs(result) > 65504) return std::copysign(INFINITY, value);
  return result;
}

inline void put(Type type, void* base, int64_t index, double value) {
  if (type == Type::Float32) {
    static_cast<float*>(base)[index] = static_cast<float>(value);
    return;
  }
  uint16_t bits;
  if (type == Type::BFloat16) {
    const float f = static_cast<float>(value);  // exact for rounded values
    uint32_t word;
    std::memcpy(&word, &f, 4);
    bits = static_cast<uint16_t>(word >> 16);
  } else {
    const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    const double magnitude = std::fabs(value);
    if (magnitude < 0x1p-14) {
      bits = sign | static_cast<uint16_t>(magnitude * 0x1p24);
    } else {
      int exponent;
      const double fraction = std::frexp(magnitude, &exponent);
      bits = sign | static_cast<uint16_t>(((exponent + 14) << 10) + static_cast<int>((fraction * 2 - 1) * 1024));
    }
  }
  static_cast<uint16_t*>(base)[index] = bits;
}

inline double get(Type type, const void* base, int64_t index) {
  if (type == Type::Float32) return static_cast<const float*>(base)[index];
  const uint16_t bits = static_cast<const uint16_t*>(base)[index];
  if (type == Type::BFloat16) {
    const uint32_t word = static_cast<uint32_t>(bits) << 16;
    float f;
    std::memcpy(&f, &word, 4);
    return f;
  }
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction ? NAN : sign * INFINITY;
  return sign * (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2862933555777941757u + 3037000493u) {}
  double uniform() {  // (-1, 1)
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(static_cast<int64_t>(state_) >> 11) * 0x1p-52;
  }

 private:
  uint64_t state_;
};

struct Length {
  int64_t q;
  int64_t kv;
};

// Packed sequences; all arrays are [rows][heads][dim], statistics [sequence][heads][rows of it].
struct Attention {
  Type type = Type::Float32;
  Mask mask = Mask::None;
  int64_t heads = 1, kvHeads = 1, dim = 16, valueDim = 16;
  std::vector<Length> lengths = {};
  float scale = 1;
  std::vector<double> q = {}, k = {}, v = {}, dy = {};
  std::vector<double> out = {}, max = {}, sum = {}, dq = {}, dk = {}, dv = {};

  int64_t qRows() const {
    int64_t n = 0;
    for (const Length& l : lengths) n += l.q;
    return n;
  }
  int64_t kvRows() const {
    int64_t n = 0;
    for (const Length& l : lengths) n += l.kv;
    return n;
  }

  void fill(uint64_t seed, double spread = 1) {
    scale = static_cast<float>(1 / std::sqrt(static_cast<double>(dim)));
    Random random(seed);
    auto make = [&](std::vector<double>& to, int64_t count, double factor) {
      to.resize(count);
      for (double& x : to) x = rounded(type, random.uniform() * factor);
    };
    make(q, qRows() * heads * dim, spread);
    make(k, kvRows() * kvHeads * dim, 1);
    make(v, kvRows() * kvHeads * valueDim, 1);
    make(dy, qRows() * heads * valueDim, 1);
  }

  int64_t visible(const Length& l, int64_t i) const {  // number of keys that row i sees
    int64_t n = l.kv;
    if (mask == Mask::LeftUp) n = i + 1;
    if (mask == Mask::RightDown) n = i + 1 + l.kv - l.q;
    return std::max<int64_t>(0, std::min(n, l.kv));
  }

  void compute() {
    out.assign(qRows() * heads * valueDim, 0);
    dq.assign(qRows() * heads * dim, 0);
    max.assign(qRows() * heads, 0);
    sum.assign(qRows() * heads, 0);
    dk.assign(k.size(), 0);
    dv.assign(v.size(), 0);
    int64_t qRow = 0, kvRow = 0;
    for (const Length& l : lengths) {
      for (int64_t n = 0; n < heads; ++n) {
        const int64_t m = n / (heads / kvHeads);
        for (int64_t i = 0; i < l.q; ++i) {
          const int64_t statistic = qRow * heads + n * l.q + i;
          const int64_t count = visible(l, i);
          if (count == 0) {
            max[statistic] = l.kv == 0 ? 0 : -FLT_MAX;
            sum[statistic] = l.kv == 0 ? 0 : FLT_MAX;
            continue;
          }
          const double* query = &q[((qRow + i) * heads + n) * dim];
          const double* gradient = &dy[((qRow + i) * heads + n) * valueDim];
          std::vector<double> p(count), dp(count);
          double top = -INFINITY, total = 0, delta = 0;
          for (int64_t j = 0; j < count; ++j) {
            const double* key = &k[((kvRow + j) * kvHeads + m) * dim];
            for (int64_t d = 0; d < dim; ++d) p[j] += query[d] * key[d];
            p[j] *= scale;
            top = std::max(top, p[j]);
          }
          for (double& x : p) total += x = std::exp(x - top);
          max[statistic] = top;
          sum[statistic] = total;
          for (int64_t j = 0; j < count; ++j) {
            p[j] /= total;
            const double* value = &v[((kvRow + j) * kvHeads + m) * valueDim];
            for (int64_t d = 0; d < valueDim; ++d) {
              out[((qRow + i) * heads + n) * valueDim + d] += p[j] * value[d];
              dp[j] += gradient[d] * value[d];
            }
            delta += p[j] * dp[j];
          }
          for (int64_t j = 0; j < count; ++j) {
            const double ds = p[j] * (dp[j] - delta) * scale;
            for (int64_t d = 0; d < dim; ++d) {
              dq[((qRow + i) * heads + n) * dim + d] += ds * k[((kvRow + j) * kvHeads + m) * dim + d];
              dk[((kvRow + j) * kvHeads + m) * dim + d] += ds * query[d];
            }
            for (int64_t d = 0; d < valueDim; ++d) {
              dv[((kvRow + j) * kvHeads + m) * valueDim + d] += p[j] * gradient[d];
            }
          }
        }
      }
      qRow += l.q;
      kvRow += l.kv;
    }
  }

  std::string describe() const {
    std::ostringstream s;
    s << (type == Type::Float32 ? "fp32" : type == Type::BFloat16 ? "bf16" : "fp16")
      << (mask == Mask::None ? " full" : mask == Mask::LeftUp ? " mode 2" : " mode 3") << " N " << heads << "/" << kvHeads
      << " D " << dim << "/" << valueDim << " lengths";
    for (const Length& l : lengths) s << " " << l.q << "x" << l.kv;
    return s.str();
  }
};

inline double absoluteTolerance(Type type, bool gradient) {
  return type == Type::Float32 ? (gradient ? 1e-4 : 2e-5) : type == Type::BFloat16 ? 2.5e-2 : 5e-3;
}
inline double relativeTolerance(Type type) {
  return type == Type::Float32 ? 1e-5 : type == Type::BFloat16 ? 0x1p-7 : 0x1p-10;
}

inline void expectClose(const std::string& what, Type type, bool gradient, const std::vector<double>& actual,
                        const std::vector<double>& expected) {
  if (actual.size() != expected.size()) throw check::Failure(what + ": sizes differ");
  for (size_t i = 0; i < actual.size(); ++i) {
    const double limit = absoluteTolerance(type, gradient) + relativeTolerance(type) * std::fabs(expected[i]);
    if (!(std::fabs(actual[i] - expected[i]) <= limit)) {
      throw check::Failure(what + ": element " + std::to_string(i) + " is " + check::text(actual[i]) + ", expected " +
                           check::text(expected[i]));
    }
  }
}

}  // namespace reference
