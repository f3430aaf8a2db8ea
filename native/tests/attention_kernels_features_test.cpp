// SPDX-License-Identifier: Apache-2.0
// Windows, prefixes, masks, biases, dropout, rope parts and sinks in the kernels of every level of this machine.
#include <cstdlib>
#include <random>

#include "attention/attention.hpp"
#include "attention_features.hpp"

using namespace kernels;

namespace {

constexpr Type kTypes[] = {Type::Float32, Type::BFloat16, Type::Float16};

void compare(const std::string& what, const Features& f, const Results& expected, const FeatureRun& actual) {
  const int64_t written = f.q.data.size() / f.dim - f.tail * f.heads;
  auto head = [written](const std::vector<double>& v) { return std::vector<double>(v.begin(), v.begin() + written); };
  const std::vector<double> max = everyEighth({actual.max.begin(), actual.max.begin() + written * 8});
  const std::vector<double> sum = everyEighth({actual.sum.begin(), actual.sum.begin() + written * 8});
  reference::expectClose(what + " softmaxMax", Type::Float32, false, max, head(expected.max));
  reference::expectClose(what + " softmaxSum", Type::Float32, false, sum, head(expected.sum));
  std::vector<double> out = actual.out.values(), wanted = expected.out.data;
  for (size_t i = written * f.valueDim; i < out.size(); ++i) CHECK(std::isnan(out[i]));  // rows of no sequence
  out.resize(written * f.valueDim);
  wanted.resize(out.size());
  reference::expectClose(what + " out", f.type, false, out, wanted);
  reference::expectClose(what + " dq", f.type, true, actual.dq.values(), expected.dq.data);
  reference::expectClose(what + " dk", f.type, true, actual.dk.values(), expected.dk.data);
  reference::expectClose(what + " dv", f.type, true, actual.dv.values(), expected.dv.data);
  if (f.ropeDim > 0) {
    reference::expectClose(what + " dqRope", f.type, true, actual.dqRope.values(), expected.dqRope.data);
    reference::expectClose(what + " dkRope", f.type, true, actual.dkRope.values(), expected.dkRope.data);
  }
  const std::vector<double> dsink(actual.dsink.begin(), actual.dsink.end());
  // Sums over all rows of products of rounded outputs.
  for (size_t n = 0; n < dsink.size(); ++n) {
    CHECK_NEAR(dsink[n], expected.dsink[n], reference::absoluteTolerance(f.type, true) * (2 + std::sqrt(written)));
  }
  for (const Stored* s : {&actual.out, &actual.dq, &actual.dk, &actual.dv, &actual.dqRope, &actual.dkRope}) {
    CHECK(s->gapsIntact());
  }
}

void verify(const std::string& what, Features f, uint64_t seed) {
  f.fill(seed);
  const Results expected = f.compute();
  for (const Kernels* k : levels()) compare(std::string(k->name) + " " + what, f, expected, run(*k, 2, f));
}

// Random elements for all sequences: [headCount][qLength][kvLength] each.
template <class T, class Make>
void makePlanes(Features& f, Plane Sequence::*plane, std::vector<T>& to, int64_t headCount, const Make& make) {
  for (Sequence& s : f.sequences) {
    s.*plane = {static_cast<int64_t>(to.size()), headCount == 1 ? 0 : s.qLength * s.kvLength, s.kvLength, 1};
    for (int64_t i = 0; i < headCount * s.qLength * s.kvLength; ++i) to.push_back(make());
  }
}

void makeMask(Features& f, uint64_t seed, double density, int64_t headCount = 1) {
  reference::Random random(seed);
  makePlanes(f, &Sequence::mask, f.mask, headCount,
             [&] { return static_cast<uint8_t>(random.uniform() * 0.5 + 0.5 < density ? 1 + (seed & 2) : 0); });
}

void makeBias(Features& f, uint64_t seed, BiasKind kind) {
  reference::Random random(seed);
  f.biasKind = kind;
  if (kind == BiasKind::Distance || kind == BiasKind::RootDistance) {
    for (int64_t n = 0; n < f.heads; ++n) f.bias.push_back(static_cast<float>(0.02 * (1 + random.uniform())));
    for (Sequence& s : f.sequences) s.bias = {0, 1, 0, 0};
  } else {
    makePlanes(f, &Sequence::bias, f.bias, f.heads, [&] { return reference::rounded(f.type, 2 * random.uniform()); });
  }
}

}  // namespace

TEST(windows) {
  uint64_t seed = 1;
  for (Type type : kTypes) {
    ++seed;
    for (const auto& [q, kv] : {std::pair<int64_t, int64_t>{400, 430}, {430, 300}, {50, 700}, {300, 20}, {1, 1}}) {
      for (const auto& [lowest, diagonal] : {std::pair<int64_t, int64_t>{-40, 25}, {-200, 0}, {5, 60}, {-300, -20}}) {
        Features f{.type = type, .heads = 1, .scale = 0.3f};
        Sequence& s = f.add(q, kv);
        s.lowest = lowest;
        s.diagonal = diagonal;
        s.invalidLine = seed % 2;  // the other way round with the next type
        verify("window", f, seed++);
      }
    }
  }
}

TEST(windows_by_sequence) {
  Features f{.type = Type::BFloat16, .heads = 4, .kvHeads = 2, .dim = 40, .valueDim = 24, .tail = 7};
  f.add(200, 200).diagonal = 0;
  f.add(0, 30);
  f.add(100, 160).lowest = 10;
  f.add(20, 0).invalidLine = true;
  Sequence& last = f.add(300, 420);
  last.lowest = -30;
  last.diagonal = 120;
  verify("sequences", f, 50);
  f.byToken = true;
  verify("statistics in token order", f, 51);
}

TEST(prefixes) {
  uint64_t seed = 100;
  for (const auto& [q, kv, prefix] :
       {std::array<int64_t, 3>{300, 300, 170}, {300, 200, 0}, {300, 200, 50}, {40, 600, 580}, {200, 260, 260}}) {
    for (bool invalid : {false, true}) {
      Features f;
      Sequence& s = f.add(q, kv);
      s.diagonal = kv - q;
      s.prefix = prefix;
      s.invalidLine = invalid;
      verify("prefix " + std::to_string(prefix), f, seed++);
    }
  }
  Features f;  // a prefix and, further right, a window with a gap between them
  Sequence& s = f.add(260, 700);
  s.prefix = 60;
  s.lowest = 300;
  s.diagonal = 350;
  verify("prefix and window", f, seed++);
}

TEST(masks) {
  uint64_t seed = 200;
  for (Type type : kTypes) {
    for (double density : {0.0, 0.3, 0.97, 1.0}) {  // of 1, no row sees anything
      for (bool invalid : {false, true}) {
        Features f{.type = type};
        f.add(250, 300).invalidLine = invalid;
        f.add(3, 5).invalidLine = invalid;
        makeMask(f, seed, density, type == Type::Float32 ? f.heads : 1);
        verify("mask of " + std::to_string(density), f, seed++);
      }
    }
  }
}

TEST(masks_that_leave_blocks_and_rows_blank) {
  uint64_t seed = 250;
  for (bool invalid : {false, true}) {
    for (int64_t window : {int64_t{0}, int64_t{40}}) {
      Features f;
      Sequence& s = f.add(400, 450);
      s.invalidLine = invalid;
      if (window) {
        s.lowest = -window;
        s.diagonal = window;
      }
      makeMask(f, seed, 0);
      for (int64_t i = 0; i < 400; ++i) {
        for (int64_t j = 0; j < 450; ++j) f.mask[i * 450 + j] = j > i || i / 150 != j / 150 || i % 97 == 11;
      }
      verify("documents in a mask", f, seed++);
    }
  }
}

TEST(masks_of_any_strides) {
  Features f{.heads = 2};
  f.add(60, 70);
  reference::Random random(280);
  for (const Plane& plane : {Plane{5, 60 * 70 * 2, 140, 2}, {0, 4200, 1, 60}, {0, 0, 0, 1}, {3, 0, 1, 0}}) {
    f.sequences[0].mask = plane;
    f.mask.assign(plane.offset + plane.headStride + 59 * plane.rowStride + 69 * plane.columnStride + 1, 0);
    for (uint8_t& m : f.mask) m = random.uniform() < 0;
    verify("mask strides", f, 281);
  }
}

TEST(biases) {
  uint64_t seed = 300;
  for (Type type : kTypes) {
    for (BiasKind kind : {BiasKind::AfterScale, BiasKind::BeforeScale, BiasKind::Distance, BiasKind::RootDistance}) {
      Features f{.type = type, .heads = 4, .kvHeads = 2, .scale = 0.5f};
      f.add(150, 310);
      f.add(70, 70).diagonal = 0;
      f.sequences[0].position = 37;
      f.sequences[1].position = -1000;
      makeBias(f, seed, kind);
      verify("bias kind " + std::to_string(static_cast<int>(kind)), f, seed++);
    }
  }
}

TEST(biases_that_repeat_a_row_or_hold_the_last_rows) {
  uint64_t seed = 350;
  for (Type type : {Type::Float32, Type::BFloat16}) {
    Features f{.type = type, .biasKind = BiasKind::AfterScale};
    f.add(90, 200).bias = {3, 200, 0, 1};
    reference::Random random(seed);
    f.bias.resize(403);
    for (double& b : f.bias) b = reference::rounded(type, random.uniform());
    verify("one row", f, seed++);

    for (int64_t tableRows : {int64_t{100}, int64_t{350}}) {  // fewer and more than the sequence has
      Features last{.type = type, .biasKind = BiasKind::BeforeScale};
      Sequence& s = last.add(300, 300);
      s.diagonal = 0;
      s.bias = {0, tableRows * 300, 300, 1};
      s.biasFirstRow = 300 - tableRows;
      last.bias.resize(2 * tableRows * 300);
      for (double& b : last.bias) b = reference::rounded(type, random.uniform());
      verify("last rows", last, seed++);
    }
  }
}

TEST(infinite_bias_hides) {
  Features f{.biasKind = BiasKind::AfterScale};
  f.add(100, 300);
  makeBias(f, 370, BiasKind::AfterScale);
  Features hidden = f;
  hidden.mask.assign(f.bias.size(), 0);
  hidden.sequences[0].mask = f.sequences[0].bias;
  for (size_t i = 0; i < f.bias.size(); i += 3) {
    f.bias[i] = -INFINITY;
    hidden.mask[i] = 1;
  }
  f.fill(371);
  hidden.fill(371);
  const Results expected = hidden.compute();
  for (const Kernels* k : levels()) compare(std::string(k->name) + " -inf", f, expected, run(*k, 2, f));
}

TEST(dropout) {
  uint64_t seed = 400;
  for (Type type : kTypes) {
    for (float keepProb : {0.9f, 0.5f}) {
      Features f{.type = type, .heads = 4, .kvHeads = 2, .keepProb = keepProb};
      f.add(150, 310);
      f.add(70, 71).diagonal = 1;
      f.add(33, 5).diagonal = -28;  // rows that are the mean of what dropout leaves
      verify("dropout", f, seed++);
    }
  }
}

TEST(rope_parts) {
  uint64_t seed = 500;
  for (Type type : kTypes) {
    Features f{.type = type, .heads = 4, .kvHeads = 2, .dim = 32, .valueDim = 32, .ropeDim = 16, .scale = 0.15f};
    f.add(150, 310).diagonal = 160;
    f.add(70, 70).lowest = -20;
    verify("rope", f, seed++);
  }
  Features wide{.heads = 1, .dim = 192, .valueDim = 128, .ropeDim = 64, .scale = 0.06f};
  wide.add(60, 140);
  verify("rope beside 192", wide, seed++);
  Features widest{.heads = 1, .dim = 768, .valueDim = 768, .ropeDim = 768, .scale = 0.03f};
  widest.add(50, 60);
  verify("rope beside 768", widest, seed++);
}

TEST(sinks) {
  uint64_t seed = 600;
  for (Type type : kTypes) {
    for (bool invalid : {false, true}) {
      Features f{.type = type, .heads = 4, .kvHeads = 2, .sink = {0.5f, -3, 12, 0}};
      f.add(150, 310).diagonal = 100;
      f.add(90, 20).diagonal = -70;
      f.add(5, 0);
      for (Sequence& s : f.sequences) s.invalidLine = invalid;
      verify("sink", f, seed++);
    }
  }
}

TEST(head_sizes) {
  uint64_t seed = 700;
  for (const auto& [dim, valueDim] : {std::pair<int64_t, int64_t>{1, 1}, {7, 3}, {80, 80}, {128, 128}, {768, 512}}) {
    Features f{.type = Type::BFloat16, .dim = dim, .valueDim = valueDim,
               .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(dim)))};
    f.keepProb = 0.8f;
    Sequence& s = f.add(60, 150);
    s.lowest = -20;
    s.diagonal = 110;
    makeBias(f, seed, BiasKind::BeforeScale);
    verify("D " + std::to_string(dim), f, seed++);
  }
}

namespace {

// Anything that one problem can combine.
Features draw(uint64_t seed) {
  std::mt19937_64 engine(seed);
  auto upTo = [&](int64_t n) { return static_cast<int64_t>(engine() % (n + 1)); };
  Features f;
  f.type = kTypes[upTo(2)];
  f.kvHeads = 1 + upTo(1);
  f.heads = f.kvHeads * (1 + upTo(2));
  f.dim = 1 + upTo(70);
  f.valueDim = 1 + upTo(f.dim - 1);
  f.ropeDim = upTo(3) == 0 ? 1 + upTo(20) : 0;
  f.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(f.dim + f.ropeDim)));
  f.tail = upTo(1) * upTo(9);
  f.byToken = upTo(1);
  const bool invalid = upTo(1), short_ = upTo(2) == 0;
  for (int64_t count = 1 + upTo(3); count > 0; --count) {
    Sequence& s = f.add(upTo(short_ ? 20 : 220), upTo(short_ ? 20 : 320));
    s.invalidLine = invalid;
    if (upTo(1)) s.diagonal = upTo(s.kvLength + 20) - 20;
    if (upTo(2) == 0) s.lowest = s.diagonal - upTo(100);
    if (upTo(3) == 0) s.prefix = upTo(s.kvLength);
    s.position = upTo(200) - 100;
  }
  if (upTo(1)) makeMask(f, engine(), upTo(10) / 10.0, upTo(1) ? f.heads : 1);
  if (upTo(1)) makeBias(f, engine(), static_cast<BiasKind>(1 + upTo(3)));
  if (upTo(2) == 0) f.keepProb = 0.5f + 0.04f * static_cast<float>(upTo(12));
  if (upTo(3) == 0) {
    for (int64_t n = 0; n < f.heads; ++n) f.sink.push_back(static_cast<float>(upTo(10) - 5));
  }
  return f;
}

}  // namespace

TEST(random_combinations) {
  const char* text = std::getenv("CANN4J_TEST_SEED");
  const uint64_t start = text ? std::strtoull(text, nullptr, 10) : std::random_device{}();
  for (uint64_t seed = start; seed < start + 30; ++seed) {
    try {
      verify("random", draw(seed), seed);
    } catch (const std::exception& e) {
      throw check::Failure(std::string(e.what()) + "\n        CANN4J_TEST_SEED=" + std::to_string(seed) +
                           " attention_kernels_features_test random_combinations");
    }
  }
}

TEST(bits_do_not_depend_on_threads) {
  for (uint64_t seed = 5000; seed < 5012; ++seed) {
    Features f = draw(seed);
    f.add(500, 450).lowest = -60;
    f.sequences.back().prefix = 70;
    f.mask.clear();
    f.biasKind = BiasKind::None;
    f.fill(seed);
    for (const Kernels* k : levels()) {
      const FeatureRun one = run(*k, 1, f);
      for (int count : {2, 5}) {
        const FeatureRun many = run(*k, count, f);
        CHECK(one.out.bytes == many.out.bytes);
        CHECK(one.dq.bytes == many.dq.bytes);
        CHECK(one.dk.bytes == many.dk.bytes);
        CHECK(one.dv.bytes == many.dv.bytes);
        CHECK(one.dqRope.bytes == many.dqRope.bytes);
        CHECK(one.dkRope.bytes == many.dkRope.bytes);
        CHECK(one.dsink == many.dsink);
        CHECK(std::memcmp(one.sum.data(), many.sum.data(), one.sum.size() * 4) == 0);
      }
    }
  }
}
