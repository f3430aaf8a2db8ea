// SPDX-License-Identifier: Apache-2.0
// Attention in fp64, written from its definition, and seeded data rounded to the stored type.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
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

// A query row of a query head and a key, counted inside their sequence.
struct Pair {
  int64_t sequence, head, i, j;
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

  // What else an operator may be asked for.
  int64_t ropeDim = 0;
  std::vector<double> qRope = {}, kRope = {}, dqRope = {}, dkRope = {};
  std::function<bool(const Pair&)> sees = nullptr;                    // instead of `mask`
  std::function<double(const Pair&, double product)> score = nullptr;  // instead of scale * product
  std::function<double(const Pair&)> kept = nullptr;                   // factor of a probability: 0 or 1 / keepProb
  std::function<bool(int64_t sequence)> invalidLine = nullptr;         // default: everywhere
  std::vector<double> sink = {}, dSink = {};                           // per query head
  std::vector<double> attentionIn = {};  // the output that gradients start from, if it is not `out`

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
    make(qRope, qRows() * heads * ropeDim, spread);
    make(kRope, kvRows() * kvHeads * ropeDim, 1);
  }

  bool isVisible(const Pair& p) const {
    if (sees) return sees(p);
    const Length& l = lengths[p.sequence];
    return mask == Mask::None || p.j <= p.i + (mask == Mask::LeftUp ? 0 : l.kv - l.q);
  }

  void compute() {
    out.assign(qRows() * heads * valueDim, 0);
    max.assign(qRows() * heads, 0);
    sum.assign(qRows() * heads, 0);
    dq.assign(q.size(), 0);
    dk.assign(k.size(), 0);
    dv.assign(v.size(), 0);
    dqRope.assign(qRope.size(), 0);
    dkRope.assign(kRope.size(), 0);
    dSink.assign(sink.size(), 0);
    int64_t qRow = 0, kvRow = 0;
    for (size_t sequence = 0; sequence < lengths.size(); ++sequence) {
      const Length& l = lengths[sequence];
      for (int64_t n = 0; n < heads; ++n) {
        for (int64_t i = 0; i < l.q; ++i) {
          computeRow({static_cast<int64_t>(sequence), n, i, 0}, (qRow + i) * heads + n, kvRow,
                     qRow * heads + n * l.q + i);
        }
      }
      qRow += l.q;
      kvRow += l.kv;
    }
  }

  std::string describe() const {
    std::ostringstream s;
    s << (type == Type::Float32 ? "fp32" : type == Type::BFloat16 ? "bf16" : "fp16")
      << (mask == Mask::None ? " full" : mask == Mask::LeftUp ? " mode 2" : " mode 3") << " N " << heads << "/"
      << kvHeads << " D " << dim << "/" << valueDim << " lengths";
    for (const Length& l : lengths) s << " " << l.q << "x" << l.kv;
    return s.str();
  }

 private:
  // Row `at` of the arrays of queries against the keys from row `kvRow` on.
  void computeRow(Pair pair, int64_t at, int64_t kvRow, int64_t statistic) {
    const int64_t keys = lengths[pair.sequence].kv;
    if (keys == 0) return;  // all zero
    const int64_t kvHead = pair.head / (heads / kvHeads);
    const auto rowOf = [&](int64_t j) { return (kvRow + j) * kvHeads + kvHead; };
    std::vector<double> p(keys), dp(keys);
    std::vector<int64_t> visible;
    double top = sink.empty() ? -INFINITY : sink[pair.head];
    for (pair.j = 0; pair.j < keys; ++pair.j) {
      if (!isVisible(pair)) continue;
      double product = 0;
      for (int64_t d = 0; d < dim; ++d) product += q[at * dim + d] * k[rowOf(pair.j) * dim + d];
      for (int64_t d = 0; d < ropeDim; ++d) product += qRope[at * ropeDim + d] * kRope[rowOf(pair.j) * ropeDim + d];
      p[pair.j] = score ? score(pair, product) : scale * product;
      top = std::max(top, p[pair.j]);
      visible.push_back(pair.j);
    }
    if (visible.empty() && sink.empty()) {
      max[statistic] = -FLT_MAX;
      if (!invalidLine || invalidLine(pair.sequence)) {
        sum[statistic] = FLT_MAX;
        return;
      }
      for (int64_t j = 0; j < keys; ++j) visible.push_back(j);
      sum[statistic] = static_cast<double>(keys);
      p.assign(keys, 1.0 / static_cast<double>(keys));
    } else {
      double total = sink.empty() ? 0 : std::exp(sink[pair.head] - top);
      for (const int64_t j : visible) total += p[j] = std::exp(p[j] - top);
      for (const int64_t j : visible) p[j] /= total;
      max[statistic] = top;
      sum[statistic] = total;
    }
    double delta = 0;
    for (const int64_t j : visible) {
      pair.j = j;
      const double factor = kept ? kept(pair) : 1;
      for (int64_t d = 0; d < valueDim; ++d) {
        const double value = v[rowOf(j) * valueDim + d], gradient = dy[at * valueDim + d];
        out[at * valueDim + d] += p[j] * factor * value;
        dv[rowOf(j) * valueDim + d] += p[j] * factor * gradient;
        dp[j] += gradient * value * factor;
      }
      if (attentionIn.empty()) delta += p[j] * dp[j];
    }
    for (int64_t d = 0; d < valueDim && !attentionIn.empty(); ++d) {
      delta += dy[at * valueDim + d] * attentionIn[at * valueDim + d];
    }
    if (!sink.empty()) dSink[pair.head] -= std::exp(sink[pair.head] - max[statistic]) / sum[statistic] * delta;
    for (const int64_t j : visible) {
      const double ds = p[j] * (dp[j] - delta) * scale;
      for (int64_t d = 0; d < dim; ++d) {
        dq[at * dim + d] += ds * k[rowOf(j) * dim + d];
        dk[rowOf(j) * dim + d] += ds * q[at * dim + d];
      }
      for (int64_t d = 0; d < ropeDim; ++d) {
        dqRope[at * ropeDim + d] += ds * kRope[rowOf(j) * ropeDim + d];
        dkRope[rowOf(j) * ropeDim + d] += ds * qRope[at * ropeDim + d];
      }
    }
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
