// SPDX-License-Identifier: Apache-2.0
#include <bit>

#include "attention/attention.hpp"
#include "attention_kernels.hpp"

using namespace kernels;
using reference::Attention;
using reference::Mask;

namespace {

struct Run {
  Stored out, dq, dk, dv;
  std::vector<float> max, sum;
};

std::vector<Sequence> sequencesOf(const Attention& a) {
  std::vector<Sequence> all;
  int64_t qRow = 0, kvRow = 0;
  for (const reference::Length& l : a.lengths) {
    const int64_t diagonal = a.mask == Mask::None ? l.kv : a.mask == Mask::LeftUp ? 0 : l.kv - l.q;
    all.push_back({0, qRow, kvRow, l.q, l.kv, qRow * a.heads, diagonal});
    qRow += l.q;
    kvRow += l.kv;
  }
  return all;
}

// `workspace` makes fp32 dq take the way that 16-bit types take.
Run run(const Kernels& kernels, int threadCount, const Attention& a, int64_t gap = 0, int64_t elementStride = 1,
        bool workspace = false) {
  const int64_t q = a.qRows(), kv = a.kvRows();
  auto store = [&](int64_t rows, int64_t heads, int64_t dim, const std::vector<double>* values) {
    Stored s(a.type, rows, heads, dim, gap, elementStride);
    if (values) s.set(*values);
    return s;
  };
  Stored query = store(q, a.heads, a.dim, &a.q), key = store(kv, a.kvHeads, a.dim, &a.k);
  Stored value = store(kv, a.kvHeads, a.valueDim, &a.v), dy = store(q, a.heads, a.valueDim, &a.dy);
  Run r{store(q, a.heads, a.valueDim, nullptr), store(q, a.heads, a.dim, nullptr), store(kv, a.kvHeads, a.dim, nullptr),
        store(kv, a.kvHeads, a.valueDim, nullptr), std::vector<float>(q * a.heads * 8, NAN),
        std::vector<float>(q * a.heads * 8, NAN)};
  r.dq.zero();
  r.dk.zero();
  r.dv.zero();
  const std::vector<Sequence> sequences = sequencesOf(a);
  Problem p{};
  p.type = elementType(a.type);
  p.heads = a.heads;
  p.kvHeads = a.kvHeads;
  p.headDim = a.dim;
  p.valueDim = a.valueDim;
  p.scale = a.scale;
  p.sequences = sequences.data();
  p.query = query.view();
  p.key = key.view();
  p.value = value.view();
  p.output = r.out.view();
  p.softmaxMax = {r.max.data(), true, {1, 1, 1}, {0, 0, 8, 1}};
  p.softmaxSum = {r.sum.data(), true, {1, 1, 1}, {0, 0, 8, 1}};
  runForward(kernels, threads(threadCount), p, sequences);
  p.outputGradient = dy.view();
  p.queryGradient = r.dq.view();
  p.keyGradient = r.dk.view();
  p.valueGradient = r.dv.view();
  p.querySum = p.queryGradient;
  std::vector<float> sums;
  if (a.type != Type::Float32 || elementStride != 1 || workspace) {
    sums.assign(q * a.heads * a.dim, 0);
    p.querySum = {sums.data(), 0, a.heads * a.dim, a.dim, 1};
    p.convertQuerySum = true;
  }
  runBackward(kernels, threads(threadCount), p, sequences);
  return r;
}

void verify(const std::string& what, const Attention& a, const Run& r) {
  reference::expectClose(what + " softmaxMax", Type::Float32, false, everyEighth(r.max), a.max);
  reference::expectClose(what + " softmaxSum", Type::Float32, false, everyEighth(r.sum), a.sum);
  reference::expectClose(what + " out", a.type, false, r.out.values(), a.out);
  reference::expectClose(what + " dq", a.type, true, r.dq.values(), a.dq);
  reference::expectClose(what + " dk", a.type, true, r.dk.values(), a.dk);
  reference::expectClose(what + " dv", a.type, true, r.dv.values(), a.dv);
  for (const Stored* s : {&r.out, &r.dq, &r.dk, &r.dv}) CHECK(s->gapsIntact());
}

void checkAll(Attention a, uint64_t seed, int64_t gap = 0, int64_t elementStride = 1) {
  a.fill(seed);
  a.compute();
  for (const Kernels* k : levels()) {
    verify(std::string(k->name) + " " + a.describe(), a, run(*k, 2, a, gap, elementStride));
  }
}

constexpr Type kTypes[] = {Type::Float32, Type::BFloat16, Type::Float16};
constexpr Mask kMasks[] = {Mask::None, Mask::LeftUp, Mask::RightDown};

}  // namespace

TEST(head_sizes_types_and_masks) {
  const int64_t sizes[][2] = {{1, 1}, {7, 7}, {16, 16}, {16, 5}, {64, 64}, {80, 80}, {128, 128}, {192, 128}, {256, 256}};
  uint64_t seed = 1;
  for (const auto& size : sizes) {
    for (Type type : kTypes) {
      for (Mask mask : kMasks) checkAll({type, mask, 2, 1, size[0], size[1], {{53, 61}, {1, 1}, {26, 26}}}, seed++);
    }
  }
  checkAll({Type::Float32, Mask::RightDown, 1, 1, 768, 512, {{70, 75}}}, seed);
}

TEST(sequence_lengths_around_block_borders) {
  uint64_t seed = 100;
  for (int64_t length : {2, 3, 4, 5, 6, 7, 8, 23, 24, 25, 47, 48, 49, 95, 96, 97, 127, 128, 129, 191, 192, 193, 385}) {
    checkAll({Type::Float32, Mask::RightDown, 1, 1, 24, 24, {{length, length}}}, seed++);
    checkAll({Type::Float32, Mask::None, 1, 1, 24, 24, {{5, length}, {length, 3}}}, seed++);
  }
}

TEST(queries_and_keys_of_different_number) {
  uint64_t seed = 200;
  for (Mask mask : kMasks) {
    for (const reference::Length l : {reference::Length{300, 40}, {40, 300}, {1, 200}, {200, 1}, {100, 260}, {260, 100}}) {
      checkAll({Type::Float32, mask, 2, 2, 32, 32, {l}}, seed++);
      checkAll({Type::BFloat16, mask, 2, 2, 32, 32, {l}}, seed++);
    }
  }
}

TEST(empty_sequences) {
  uint64_t seed = 300;
  for (Type type : {Type::Float32, Type::BFloat16}) {
    for (Mask mask : kMasks) {
      checkAll({type, mask, 2, 1, 16, 16, {{0, 0}, {5, 0}, {7, 9}, {0, 4}, {0, 0}, {3, 3}, {0, 2}}}, seed++);
      checkAll({type, mask, 2, 1, 16, 16, {{4, 0}}}, seed++);
      checkAll({type, mask, 2, 1, 16, 16, {{0, 4}}}, seed++);
    }
  }
}

TEST(grouped_heads) {
  for (Type type : {Type::Float32, Type::BFloat16}) {
    checkAll({type, Mask::RightDown, 8, 2, 64, 64, {{130, 130}, {50, 70}}}, 400);
    checkAll({type, Mask::None, 6, 1, 40, 24, {{130, 201}}}, 401);
    checkAll({type, Mask::LeftUp, 4, 4, 64, 64, {{100, 33}}}, 402);
  }
}

TEST(strided_memory_and_untouched_gaps) {
  for (Type type : kTypes) {
    checkAll({type, Mask::RightDown, 3, 1, 40, 33, {{61, 70}, {30, 30}}}, 500, 5);
    checkAll({type, Mask::RightDown, 2, 2, 19, 19, {{61, 70}}}, 501, 3, 2);
  }
}

TEST(many_short_documents) {
  Attention a{Type::Float32, Mask::RightDown, 2, 1, 32, 32, {}};
  for (int64_t n = 0; n < 150; ++n) a.lengths.push_back({1 + n * 7 % 29, 1 + n * 7 % 29});
  checkAll(a, 600);
}

TEST(scores_of_large_magnitude) {
  for (Mask mask : kMasks) {
    Attention a{Type::Float32, mask, 1, 1, 32, 32, {{150, 150}}};
    a.fill(700, 300);  // scores up to some hundreds: most probabilities underflow
    a.compute();
    for (const Kernels* k : levels()) {
      const Run r = run(*k, 1, a);
      // A score of this size has an error of its own of some 1e-5, which exp multiplies.
      const std::vector<double> out = r.out.values();
      for (size_t i = 0; i < out.size(); ++i) CHECK_NEAR(out[i], a.out[i], 3e-4);
    }
  }
}

TEST(bits_do_not_depend_on_threads) {
  for (Type type : {Type::Float32, Type::BFloat16}) {
    for (Mask mask : kMasks) {
      Attention a{type, mask, 4, 2, 32, 32, {{410, 420}, {33, 40}, {250, 250}}};
      a.fill(800);
      for (const Kernels* k : levels()) {
        const Run one = run(*k, 1, a);
        for (int count : {2, 3, 7}) {
          const Run many = run(*k, count, a);
          CHECK(one.out.bytes == many.out.bytes);
          CHECK(one.dq.bytes == many.dq.bytes);
          CHECK(one.dk.bytes == many.dk.bytes);
          CHECK(one.dv.bytes == many.dv.bytes);
          CHECK(std::memcmp(one.max.data(), many.max.data(), one.max.size() * 4) == 0);
          CHECK(std::memcmp(one.sum.data(), many.sum.data(), one.sum.size() * 4) == 0);
        }
      }
    }
  }
}

TEST(workspace_and_output_accumulate_alike) {
  Attention a{Type::Float32, Mask::RightDown, 2, 1, 48, 48, {{230, 250}}};
  a.fill(900);
  for (const Kernels* k : levels()) CHECK(run(*k, 2, a).dq.bytes == run(*k, 2, a, 0, 1, true).dq.bytes);
}

TEST(nan_reaches_its_row_and_no_other) {
  Attention a{Type::Float32, Mask::RightDown, 1, 1, 16, 16, {{60, 60}}};
  a.fill(950);
  a.compute();
  a.q[40 * 16 + 3] = NAN;
  for (const Kernels* k : levels()) {
    const std::vector<double> out = run(*k, 1, a).out.values();
    for (int64_t row = 0; row < 60; ++row) {
      for (int64_t d = 0; d < 16; ++d) CHECK_EQ(std::isnan(out[row * 16 + d]), row == 40);
    }
  }
}

// Undefined memory is filled with it in debug mode, so it must not turn into a number.
TEST(nan_of_all_one_bits_stays_nan) {
  const double allOnes = std::bit_cast<double>(~uint64_t{0});
  Attention a{Type::Float32, Mask::RightDown, 1, 1, 16, 16, {{60, 60}}};
  a.fill(960);
  a.compute();
  a.k[40 * 16 + 3] = allOnes;
  for (const Kernels* k : levels()) {
    const Run r = run(*k, 1, a);
    const std::vector<double> out = r.out.values(), dq = r.dq.values();
    for (int64_t i = 0; i < 60 * 16; ++i) {
      CHECK_EQ(std::isnan(out[i]), i / 16 >= 40);
      CHECK(std::isnan(dq[i]) || i / 16 < 40);
    }
  }
}

TEST(unknown_levels_are_refused) {
  CHECK(kernelsOf("portable") != nullptr);
  CHECK(kernelsOf("sse9") == nullptr);
  CHECK(kernelsOf("") == nullptr);
}
