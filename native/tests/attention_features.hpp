// SPDX-License-Identifier: Apache-2.0
// Everything that a kernel's Problem can carry, computed in fp64 element by element, and handed to the kernels.
#pragma once

#include <array>
#include <cmath>

#include "attention_kernels.hpp"

namespace kernels {

// A [rows][heads][dim] tensor in fp64, every value one of the stored type's.
struct Values {
  int64_t heads = 0, dim = 0;
  std::vector<double> data = {};

  double* at(int64_t row, int64_t head) { return &data[(row * heads + head) * dim]; }
};

struct Results {
  Values out, dq, dk, dv, dqRope, dkRope;
  std::vector<double> max, sum, dsink;
};

struct Features {
  Type type = Type::Float32;
  int64_t heads = 2, kvHeads = 1, dim = 16, valueDim = 16, ropeDim = 0;
  float scale = 0.25f;
  std::vector<Sequence> sequences = {};  // bounds and planes; rows are filled in by place()
  bool byToken = false;
  std::vector<uint8_t> mask = {};
  BiasKind biasKind = BiasKind::None;
  std::vector<double> bias = {};  // slopes or elements, at the places that the planes name
  std::vector<uint8_t> dropMask = {};
  float keepProb = 1;
  std::vector<float> sink = {};
  int64_t tail = 0;  // query and key rows behind the last sequence
  Values q = {}, k = {}, v = {}, dy = {}, qRope = {}, kRope = {};

  Sequence& add(int64_t qLength, int64_t kvLength) {
    Sequence s{};
    s.qLength = qLength;
    s.kvLength = kvLength;
    s.diagonal = kvLength;
    s.lowest = -kNoBound;
    s.invalidLine = false;
    sequences.push_back(s);
    return sequences.back();
  }

  // Where sequences begin, and data.
  void fill(uint64_t seed) {
    reference::Random random(seed);
    int64_t qRow = 0, kvRow = 0, bit = 0;
    for (Sequence& s : sequences) {
      s.qRow = qRow;
      s.kvRow = kvRow;
      s.statisticsRow = qRow * heads;
      s.dropoutBit = bit;
      qRow += s.qLength;
      kvRow += s.kvLength;
      bit += heads * s.qLength * s.kvLength;
    }
    auto make = [&](Values& to, int64_t rows, int64_t n, int64_t d) {
      to = {n, d, std::vector<double>((rows + tail) * n * d)};
      for (double& x : to.data) x = reference::rounded(type, random.uniform());
    };
    make(q, qRow, heads, dim);
    make(k, kvRow, kvHeads, dim);
    make(v, kvRow, kvHeads, valueDim);
    make(dy, qRow, heads, valueDim);
    make(qRope, qRow, heads, ropeDim);
    make(kRope, kvRow, kvHeads, ropeDim);
    if (keepProb < 1) {
      dropMask.assign((bit + 7) / 8, 0);
      for (int64_t i = 0; i < bit; ++i) {
        if (random.uniform() * 0.5 + 0.5 < keepProb) dropMask[i / 8] |= 1 << (i % 8);
      }
    }
  }

  bool visible(const Sequence& s, int64_t n, int64_t i, int64_t j) const {
    if (!mask.empty() && mask[s.mask.offset + n * s.mask.headStride + i * s.mask.rowStride + j * s.mask.columnStride]) {
      return false;
    }
    return j < s.prefix || (j >= i + s.lowest && j <= i + s.diagonal);
  }

  double biasAt(const Sequence& s, int64_t n, int64_t i, int64_t j) const {
    const int64_t base = s.bias.offset + n * s.bias.headStride;
    const double distance = std::fabs(static_cast<double>(i - j + s.position));
    if (biasKind == BiasKind::Distance) return -bias[base] * distance;
    if (biasKind == BiasKind::RootDistance) return -bias[base] * std::sqrt(distance);
    const int64_t missing = std::max<int64_t>(0, s.biasFirstRow - i);
    return bias[base + (i - s.biasFirstRow + missing) * s.bias.rowStride + (j + missing) * s.bias.columnStride];
  }

  double keepAt(const Sequence& s, int64_t n, int64_t i, int64_t j) const {
    if (dropMask.empty()) return 1;
    const int64_t bit = s.dropoutBit + (n * s.qLength + i) * s.kvLength + j;
    return dropMask[bit / 8] & (1 << (bit % 8)) ? 1.0 / keepProb : 0;
  }

  int64_t statistic(const Sequence& s, int64_t n, int64_t i) const {
    return byToken ? (s.qRow + i) * heads + n : s.qRow * heads + n * s.qLength + i;
  }

  Results compute() {
    auto zeros = [](const Values& like, int64_t d) {
      return Values{like.heads, d, std::vector<double>(d == 0 ? 0 : like.data.size() / like.dim * d)};
    };
    Results r{zeros(q, valueDim), zeros(q, dim), zeros(k, dim), zeros(k, valueDim), zeros(q, ropeDim),
              zeros(k, ropeDim), {}, {}, {}};
    r.max.assign(q.data.size() / dim, NAN);
    r.sum = r.max;
    r.dsink.assign(sink.size(), 0);
    for (const Sequence& s : sequences) {
      for (int64_t n = 0; n < heads; ++n) {
        for (int64_t i = 0; i < s.qLength; ++i) computeRow(s, n, i, r);
      }
    }
    return r;
  }

 private:
  void computeRow(const Sequence& s, int64_t n, int64_t i, Results& r) {
    const int64_t m = n / (heads / kvHeads), row = s.qRow + i;
    double& max = r.max[statistic(s, n, i)];
    double& sum = r.sum[statistic(s, n, i)];
    max = sum = 0;
    if (s.kvLength == 0) return;
    std::vector<double> p(s.kvLength), dp(s.kvLength);
    bool blank = true;
    max = sink.empty() ? -FLT_MAX : sink[n];
    for (int64_t j = 0; j < s.kvLength; ++j) {
      const bool seen = visible(s, n, i, j);
      blank = blank && !seen;
      double x = 0;
      for (int64_t d = 0; d < dim; ++d) x += q.at(row, n)[d] * k.at(s.kvRow + j, m)[d];
      for (int64_t d = 0; d < ropeDim; ++d) x += qRope.at(row, n)[d] * kRope.at(s.kvRow + j, m)[d];
      // Rows of the compressed bias have no element for keys that are not visible.
      const double b = seen && biasKind != BiasKind::None ? biasAt(s, n, i, j) : 0;
      x = biasKind == BiasKind::BeforeScale ? (x + b) * scale : x * scale + b;
      p[j] = seen ? x : -FLT_MAX;
      max = std::max(max, p[j]);
    }
    if (blank && s.invalidLine && sink.empty()) {
      sum = FLT_MAX;
      return;
    }
    sum = sink.empty() ? 0 : std::exp(sink[n] - max);
    for (double& x : p) sum += x = std::exp(x - max);
    double delta = 0;
    for (int64_t j = 0; j < s.kvLength; ++j) {
      p[j] /= sum;
      const double keep = keepAt(s, n, i, j);
      for (int64_t d = 0; d < valueDim; ++d) {
        r.out.at(row, n)[d] += p[j] * keep * v.at(s.kvRow + j, m)[d];
        dp[j] += keep * dy.at(row, n)[d] * v.at(s.kvRow + j, m)[d];
        r.dv.at(s.kvRow + j, m)[d] += p[j] * keep * dy.at(row, n)[d];
      }
      delta += p[j] * dp[j];
    }
    for (int64_t j = 0; j < s.kvLength; ++j) {
      const double ds = p[j] * (dp[j] - delta) * scale;
      for (int64_t d = 0; d < dim; ++d) {
        r.dq.at(row, n)[d] += ds * k.at(s.kvRow + j, m)[d];
        r.dk.at(s.kvRow + j, m)[d] += ds * q.at(row, n)[d];
      }
      for (int64_t d = 0; d < ropeDim; ++d) {
        r.dqRope.at(row, n)[d] += ds * kRope.at(s.kvRow + j, m)[d];
        r.dkRope.at(s.kvRow + j, m)[d] += ds * qRope.at(row, n)[d];
      }
    }
    if (!sink.empty()) r.dsink[n] -= std::exp(sink[n] - max) / sum * delta;
  }
};

// The kernels' results of the same, their memory as they left it.
struct FeatureRun {
  Stored out, dq, dk, dv, dqRope, dkRope;
  std::vector<float> max, sum, dsink;
};

inline FeatureRun run(const Kernels& kernels, int threadCount, Features& f, int64_t gap = 3) {
  auto stored = [&](const Values& like, int64_t d, bool fill, bool zero) {
    Stored s(f.type, like.heads * like.dim == 0 ? 0 : like.data.size() / (like.heads * like.dim), like.heads, d, gap);
    if (fill) s.set(like.data);
    if (zero) s.zero();
    return s;
  };
  Stored query = stored(f.q, f.dim, true, false), key = stored(f.k, f.dim, true, false);
  Stored value = stored(f.v, f.valueDim, true, false), dy = stored(f.dy, f.valueDim, true, false);
  Stored queryRope = stored(f.qRope, f.ropeDim, true, false), keyRope = stored(f.kRope, f.ropeDim, true, false);
  const size_t rows = f.q.data.size() / f.dim;
  FeatureRun r{stored(f.q, f.valueDim, false, false),
               stored(f.q, f.dim, false, true),
               stored(f.k, f.dim, false, true),
               stored(f.v, f.valueDim, false, true),
               stored(f.qRope, f.ropeDim, false, true),
               stored(f.kRope, f.ropeDim, false, true),
               std::vector<float>(rows * 8, NAN),
               std::vector<float>(rows * 8, NAN),
               std::vector<float>(f.sink.size(), NAN)};
  Problem p{};
  p.type = elementType(f.type);
  p.heads = f.heads;
  p.kvHeads = f.kvHeads;
  p.headDim = f.dim;
  p.valueDim = f.valueDim;
  p.ropeDim = f.ropeDim;
  p.scale = f.scale;
  p.sequences = f.sequences.data();
  p.query = query.view();
  p.key = key.view();
  p.value = value.view();
  p.queryRope = queryRope.view();
  p.keyRope = keyRope.view();
  p.output = r.out.view();
  p.softmaxMax = {r.max.data(), true, {1, 1, 1}, {0, 0, 8, 1}};
  p.softmaxSum = {r.sum.data(), true, {1, 1, 1}, {0, 0, 8, 1}};
  p.statisticsByToken = f.byToken;
  p.mask = f.mask.empty() ? nullptr : f.mask.data();
  p.biasKind = f.biasKind;
  const bool slopes = f.biasKind == BiasKind::Distance || f.biasKind == BiasKind::RootDistance;
  const Type biasType = slopes ? Type::Float32 : f.type;
  std::vector<unsigned char> bias(f.bias.size() * reference::bytesOf(biasType));
  for (size_t i = 0; i < f.bias.size(); ++i) reference::put(biasType, bias.data(), i, f.bias[i]);
  p.bias = bias.data();
  p.dropMask = f.dropMask.empty() ? nullptr : f.dropMask.data();
  p.keepProb = f.keepProb;
  p.sink = f.sink.empty() ? nullptr : f.sink.data();
  runForward(kernels, threads(threadCount), p, f.sequences);
  p.outputGradient = dy.view();
  p.queryGradient = r.dq.view();
  p.keyGradient = r.dk.view();
  p.valueGradient = r.dv.view();
  p.queryRopeGradient = r.dqRope.view();
  p.keyRopeGradient = r.dkRope.view();
  p.querySum = p.queryGradient;
  p.sinkGradient = f.sink.empty() ? nullptr : r.dsink.data();
  std::vector<float> sums;
  if (f.type != Type::Float32 || f.ropeDim > 0) {
    const int64_t width = f.dim + f.ropeDim;
    sums.assign(rows * width, 0);
    p.querySum = {sums.data(), 0, f.heads * width, width, 1};
    p.convertQuerySum = true;
  }
  runBackward(kernels, threads(threadCount), p, f.sequences);
  return r;
}

}  // namespace kernels
