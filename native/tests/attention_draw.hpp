// SPDX-License-Identifier: Apache-2.0
// Draws calls of flash attention that CANN allows. The number of a case chooses its mask and its bias in turn, so that
// a few hundred cases have them all; everything else is random.
#pragma once

#include "attention_case.hpp"

namespace attention {

class Draw {
 public:
  Draw(Random& random, int64_t number) : random_(random), number_(number) {}

  // Without the reference.
  Case make() {
    chooseMask();
    chooseBias();
    chooseSizes();
    chooseLengths();
    chooseWindow();
    choosePrefix();
    chooseStart();
    chooseVersion();
    fillMask();
    fillBias();
    fillDropout();
    chooseEnds();
    c_.innerPrecise = random_.between(0, 2);
    c_.a.fill(static_cast<uint64_t>(random_.between(0, INT64_MAX)), random_.real(0.3, 2));
    c_.a.scale = static_cast<float>(random_.real(0.3, 1.5) / std::sqrt(static_cast<double>(c_.a.dim + c_.a.ropeDim)));
    return std::move(c_);
  }

 private:
  template <size_t N, class T>
  T oneOf(const T (&values)[N]) {
    return values[random_.between(0, N - 1)];
  }
  bool likely(double probability) { return random_.real(0, 1) < probability; }
  // For what chance alone might leave out.
  bool isTurn(int64_t period) const { return number_ % period == period / 2; }

  void chooseMask() {
    struct Variant {
      bool packed;
      MaskForm form;
      int64_t mode;
    };
    using M = MaskForm;
    static constexpr Variant kVariants[] = {
        {false, M::None, 0},         {true, M::None, 0},     {false, M::PerHead, 0}, {true, M::PerHead, 0},
        {false, M::PerBatch, 0},     {true, M::PerBatch, 0}, {false, M::Shared, 0},  {true, M::Shared, 0},
        {false, M::Plain, 0},        {true, M::Plain, 0},    {true, M::Joined, 0},   {false, M::PerHead, 1},
        {true, M::PerHead, 1},       {false, M::PerBatch, 1}, {true, M::PerBatch, 1}, {false, M::Shared, 1},
        {true, M::Shared, 1},        {false, M::Plain, 1},   {true, M::Plain, 1},    {true, M::Joined, 1},
        {false, M::Causal, 2},       {true, M::Causal, 2},   {false, M::Causal, 3},  {true, M::Causal, 3},
        {false, M::Causal, 4},       {true, M::Causal, 4},   {false, M::PerHead, 5}, {false, M::PerBatch, 5},
        {false, M::CausalPrefix, 6}, {true, M::CausalPrefix, 6}, {true, M::Causal, 7}, {true, M::Causal, 8}};
    const Variant& v = kVariants[number_ % std::size(kVariants)];
    c_.layout = v.packed ? Layout::TND : oneOf({Layout::BSH, Layout::SBH, Layout::BSND, Layout::BNSD});
    c_.maskForm = v.form;
    c_.mode = v.form == M::None ? random_.between(-1, 9) : v.mode;  // without a mask it has no effect
    c_.boolMask = likely(0.5);
  }

  void chooseBias() {
    struct Variant {
      int64_t type;
      BiasForm form;
    };
    using B = BiasForm;
    static constexpr Variant kDense[] = {
        {0, B::Full},   {1, B::Full},           {0, B::OneBatch}, {1, B::OneBatch},       {0, B::OneRow},
        {1, B::OneRow}, {2, B::Slopes}, {2, B::SlopesPerBatch}, {3, B::Slopes},   {3, B::SlopesPerBatch},
        {1, B::Alibi}, {0, B::AlibiOneBatch}};
    static constexpr Variant kPacked[] = {
        {0, B::Runs},   {1, B::Runs},           {0, B::RunsOfRows}, {1, B::RunsOfRows},     {2, B::Slopes},
        {3, B::Slopes}, {2, B::SlopesPerBatch}, {1, B::Alibi},      {3, B::SlopesPerBatch}, {0, B::AlibiOneBatch},
        {0, B::Alibi},  {1, B::AlibiOneBatch}};
    const int64_t turn = number_ % 23;
    if (turn >= static_cast<int64_t>(std::size(kDense))) {
      c_.pseType = likely(0.8) ? 1 : 0;
      return;
    }
    const Variant& v = (c_.packed() ? kPacked : kDense)[turn];
    const bool causal = c_.hasMask() && (c_.mode == 2 || c_.mode == 3 || c_.mode == 0 || c_.mode == 4 || c_.mode == 8);
    if (c_.hasMask() && c_.mode == 7) return;
    if ((v.form == B::Alibi || v.form == B::AlibiOneBatch) && !causal) return;
    c_.pseType = v.type;
    c_.biasForm = v.form;
  }

  bool isAlibi() const { return c_.biasForm == BiasForm::Alibi || c_.biasForm == BiasForm::AlibiOneBatch; }
  // What V3, for two parts, allows with them.
  bool isRopeOnly() const {
    return c_.packed() && c_.hasMask() && c_.biasForm == BiasForm::None && !isDistance() && c_.keepProb == 1;
  }
  bool isDistance() const { return c_.pseType >= 2; }

  void chooseSizes() {
    reference::Attention& a = c_.a;
    a.type = oneOf({Type::Float32, Type::BFloat16, Type::Float16});
    a.kvHeads = random_.between(1, 3);
    a.heads = a.kvHeads * random_.between(1, 4);
    constexpr int64_t kUsual[] = {8, 16, 64, 80, 128};
    a.dim = likely(0.6) ? random_.between(1, 40) : oneOf(kUsual);
    const bool rope = isTurn(10) || (isRopeOnly() && number_ % 3 == 0);
    if (isTurn(17)) a.dim = 1;
    if (isTurn(37)) {
      a.dim = number_ % 2 == 0 ? random_.between(129, 512) : random_.between(513, 768);
      a.kvHeads = a.heads = 1;
    }
    if (rope && !isTurn(61)) {
      a.type = Type::BFloat16;
      a.dim = (a.dim + 7) / 8 * 8;
      a.ropeDim = 8 * random_.between(1, a.dim / 8);
    }
    if (isTurn(61)) {  // long sequences
      a.dim = random_.between(1, 12);
      a.kvHeads = a.heads = 1;
    }
    if (isAlibi()) {  // whose bias is large
      if (!c_.packed()) a.dim = random_.between(1, 8);
      a.kvHeads = 1;
      a.heads = random_.between(1, 2);
    }
    a.valueDim = likely(0.5) ? a.dim : random_.between(1, a.dim);
    if (!(rope && number_ % 3 == 0) && likely(0.35)) c_.keepProb = static_cast<float>(random_.real(0.3, 0.95));
  }

  int64_t length() {
    const double kind = random_.real(0, 1);
    if (kind < 0.1) return 1;
    if (kind < 0.88) return random_.between(2, 30);
    if (kind < 0.98) return random_.between(31, 120);
    return random_.between(121, 320);
  }

  void chooseLengths() {
    auto& lengths = c_.a.lengths;
    const bool empty = c_.biasForm == BiasForm::None;
    const bool square = isAlibi() || (c_.biasForm != BiasForm::None && c_.hasMask() && c_.mode == 8) ||
                        (isDistance() && !c_.packed());
    if (!c_.packed()) {
      reference::Length l{length(), length()};
      if (isTurn(29)) l = {random_.between(160, 330), random_.between(160, 330)};
      if (isTurn(61)) l = {random_.between(300, 900), random_.between(300, 900)};
      if (empty && (likely(0.04) || isTurn(19))) l.q = 0;
      if (empty && (likely(0.04) || isTurn(13))) l.kv = 0;
      if (isAlibi()) l.q = random_.between(1025, 1100);
      if (square || (l.kv > 0 && likely(0.3))) l.kv = l.q;
      lengths.assign(random_.between(1, isAlibi() || isTurn(61) ? 2 : 3), l);
      return;
    }
    const int64_t count = random_.between(1, isAlibi() ? 3 : 6);
    for (int64_t n = 0; n < count; ++n) {
      reference::Length l{length(), length()};
      if (empty && likely(0.1)) l.q = 0;
      if (empty && likely(0.1)) l.kv = 0;
      if (isTurn(61) && n == 0) l = {random_.between(300, 900), random_.between(300, 900)};
      if (square || likely(0.4)) l.kv = l.q;
      if (isAlibi() && n == 0 && likely(0.06)) l.q = l.kv = random_.between(1000, 1200);
      if (c_.hasMask() && (c_.mode == 3 || c_.mode == 7) && l.kv > 0 && l.q > l.kv) std::swap(l.q, l.kv);
      lengths.push_back(l);
    }
  }

  bool windowIsAllowed() const {
    const auto pre = static_cast<__int128>(c_.pre), next = static_cast<__int128>(c_.next);
    for (int64_t n = 0; n < c_.sequences(); ++n) {
      const __int128 q = c_.a.lengths[n].q, kv = c_.a.lengths[n].kv;
      if (q == 0 || kv == 0) continue;
      if (isAlibi() && next > 0) return false;
      if (c_.packed() && c_.mode == 0 && (next < 0 || pre + next < 0 || kv + pre < q)) return false;
      if (c_.packed() && c_.mode == 4 && (pre < 0 || pre + next < 0 || q - next > kv)) return false;
      if (c_.packed()) continue;
      const __int128 corner = c_.mode == 4 ? kv - q : 0;
      const __int128 left = pre - corner, right = next + corner;  // counted from the top left
      if (right < 0 && (-right > left || -right >= q)) return false;
      if (left < 0 && (-left > right || -left >= kv)) return false;
    }
    return true;
  }

  void chooseWindow() {
    c_.pre = random_.between(-300, 300);
    c_.next = random_.between(-300, 300);
    if (!c_.hasMask()) return;
    if (c_.mode == 0 || c_.mode == 4) {
      for (int tries = 0; tries < 300 && (tries == 0 || !windowIsAllowed()); ++tries) {
        const int64_t far = oneOf({int64_t{5}, int64_t{20}, int64_t{60}, int64_t{330}, int64_t{800}});
        c_.pre = likely(0.2) ? oneOf({INT64_MAX, int64_t{INT32_MAX}, int64_t{65536}}) : random_.between(-far, far);
        c_.next = likely(0.2) ? oneOf({INT64_MAX, int64_t{INT32_MAX}, int64_t{0}}) : random_.between(-far, far);
        if (likely(0.25)) c_.next = -(c_.pre = random_.between(-far, -1)) + random_.between(0, far);
        if (likely(0.25)) c_.pre = -(c_.next = random_.between(-far, -1)) + random_.between(0, far);
      }
      if (!windowIsAllowed()) {
        c_.pre = INT64_MAX;
        c_.next = isAlibi() ? 0 : INT64_MAX;
      }
    }
    if (c_.mode == 7 || c_.mode == 8) {
      for (int64_t n = 0; n < c_.sequences(); ++n) {
        if (!c_.isBand(n)) continue;
        const reference::Length& l = c_.a.lengths[n];
        c_.pre = l.kv + random_.between(0, 5);
        c_.next = c_.mode == 7 ? random_.between(l.q - l.kv, 0) : l.q - l.kv + random_.between(0, 6);
        if (isAlibi()) c_.next = 0;
      }
    }
  }

  void choosePrefix() {
    if (!c_.hasMask() || (c_.mode != 5 && c_.mode != 6)) return;
    for (const reference::Length& l : c_.a.lengths) {
      const int64_t least = l.q > l.kv ? 0 : l.kv - l.q;
      c_.prefix.push_back(likely(0.2) ? least : random_.between(least, l.kv));
    }
  }

  void chooseStart() {
    const bool cut = c_.biasForm != BiasForm::None && c_.hasMask() && c_.mode == 8;
    if (!isDistance() && !(cut && likely(0.5))) return;
    c_.hasStart = likely(0.8);
    if (!c_.hasStart) return;
    c_.qStart = random_.between(-20, 60);
    c_.kvStart = random_.between(-20, 60);
    if (!cut) return;
    // The first sequence is the rest of a square one: its queries begin later than its keys.
    reference::Length& first = c_.a.lengths[0];
    if (!isAlibi()) first.q = random_.between(1, first.kv);
    c_.qStart = c_.kvStart + first.kv - first.q;
    if (c_.isBand(0)) {
      c_.pre = first.kv;
      c_.next = first.q - first.kv + random_.between(0, 6);
      if (isAlibi()) c_.next = 0;
    }
  }

  void chooseVersion() {
    const bool rope = c_.a.ropeDim > 0;
    if (isTurn(7)) {
      c_.a.sink.resize(c_.a.heads);
      for (double& x : c_.a.sink) x = static_cast<float>(random_.real(-3, 3));
    }
    const bool sink = !c_.a.sink.empty(), bias = c_.pseType != 1 || c_.hasStart;
    if (isTurn(11) || (rope && !c_.packed())) {
      c_.version = kScoreV4;
    } else if (!c_.packed()) {
      c_.version = sink ? 3 : bias ? oneOf({2, 3}) : oneOf({1, 2, 3});
    } else if (rope) {
      c_.version = sink || !isRopeOnly() ? 5 : oneOf({3, 5});
    } else {
      c_.version = sink ? 5 : bias ? oneOf({2, 5}) : oneOf({1, 2, 4, 5});
    }
    c_.byToken = c_.packed() && c_.version >= 4 && likely(0.6);
    if (c_.packed() && likely(0.2)) c_.qTail = random_.between(1, 5);
    if (c_.packed() && likely(0.2)) c_.kvTail = random_.between(1, 5);
  }

  void fillMask() {
    if (!c_.hasMask()) return;
    const int64_t rows = c_.longest(&reference::Length::q), keys = c_.longest(&reference::Length::kv);
    switch (c_.maskForm) {
      case MaskForm::PerHead: c_.maskDims = {c_.sequences(), c_.a.heads, rows, keys}; break;
      case MaskForm::PerBatch: c_.maskDims = {c_.sequences(), 1, rows, keys}; break;
      case MaskForm::Shared: c_.maskDims = {1, 1, rows, keys}; break;
      case MaskForm::Plain: c_.maskDims = {rows, keys}; break;
      case MaskForm::Joined: c_.maskDims = {c_.a.qRows(), c_.a.kvRows()}; break;
      case MaskForm::Causal: c_.maskDims = {2048, 2048}; return;
      case MaskForm::CausalPrefix: c_.maskDims = {3072, 2048}; return;
      case MaskForm::None: return;
    }
    int64_t count = 1;
    for (const int64_t dim : c_.maskDims) count *= dim;
    const double hidden = oneOf({0.0, 0.2, 0.5, 0.95});
    c_.maskBits.resize(count);
    for (uint8_t& bit : c_.maskBits) bit = likely(hidden);
    if (likely(0.5)) return;
    // The exact complement of the region, as programs pass it.
    std::fill(c_.maskBits.begin(), c_.maskBits.end(), 0);
    forEachPair([this](const Pair& p) {
      if (!c_.isInRegion(p)) c_.maskBits[c_.maskIndex(c_.maskForm, p)] = 1;
    });
  }

  template <class Body>
  void forEachPair(const Body& body) {
    for (Pair p{}; p.sequence < c_.sequences(); ++p.sequence) {
      const reference::Length& l = c_.a.lengths[p.sequence];
      for (p.head = 0; p.head < c_.a.heads; ++p.head) {
        for (p.i = 0; p.i < l.q; ++p.i) {
          for (p.j = 0; p.j < l.kv; ++p.j) body(p);
        }
      }
    }
  }

  void fillBias() {
    const int64_t batches = c_.sequences(), heads = c_.a.heads;
    const int64_t rows = c_.longest(&reference::Length::q), keys = c_.longest(&reference::Length::kv);
    switch (c_.biasForm) {
      case BiasForm::None: return;
      case BiasForm::Full: c_.biasDims = {batches, heads, rows, keys}; break;
      case BiasForm::OneBatch: c_.biasDims = {1, heads, rows, keys}; break;
      case BiasForm::OneRow: c_.biasDims = {batches, heads, 1, keys}; break;
      case BiasForm::Alibi: c_.biasDims = {batches, heads, 1024, keys}; break;
      case BiasForm::AlibiOneBatch: c_.biasDims = {1, heads, 1024, keys}; break;
      case BiasForm::RunsOfRows: c_.biasDims = {heads * c_.a.kvRows()}; break;
      case BiasForm::Runs: c_.biasDims = {heads * c_.before(batches, 1, 1)}; break;
      case BiasForm::Slopes: c_.biasDims = {heads}; break;
      case BiasForm::SlopesPerBatch: c_.biasDims = {batches, heads}; break;
    }
    int64_t count = 1;
    for (const int64_t dim : c_.biasDims) count *= dim;
    c_.bias.resize(count);
    if (!isAlibi()) {
      for (double& x : c_.bias) {
        x = isDistance() ? static_cast<float>(random_.real(-0.01, 0.05))
                         : reference::rounded(c_.a.type, random_.real(-3, 3));
      }
      return;
    }
    // The last 1024 rows of the square for `keys` queries and keys. What lies above the diagonal means nothing.
    size_t at = 0;
    for (int64_t b = 0; b < c_.biasDims[0]; ++b) {
      for (int64_t n = 0; n < heads; ++n) {
        std::vector<double> values(keys);
        for (int64_t distance = 0; distance < keys; ++distance) values[distance] = c_.alibi(b, n, distance);
        for (int64_t row = keys - 1024; row < keys; ++row) {
          for (int64_t column = 0; column < keys; ++column) c_.bias[at++] = column <= row ? values[row - column] : 30;
        }
      }
    }
  }

  void fillDropout() {
    if (c_.keepProb == 1) return;
    const int64_t bits = c_.a.heads * c_.before(c_.sequences(), 1, 1);
    c_.dropBytes.resize((bits + 7) / 8 + (likely(0.5) ? random_.between(0, 40) : 0));
    for (uint8_t& byte : c_.dropBytes) {
      for (int bit = 0; bit < 8; ++bit) byte |= static_cast<uint8_t>(likely(c_.keepProb) << bit);
    }
  }

  void chooseEnds() {
    int64_t q = 0, kv = 0;
    for (const reference::Length& l : c_.a.lengths) {
      // An end below the one before it makes an empty sequence too.
      q += l.q == 0 && likely(0.5) ? -random_.between(1, 50) : l.q;
      kv += l.kv == 0 && likely(0.5) ? -random_.between(1, 50) : l.kv;
      c_.qEnds.push_back(q);
      c_.kvEnds.push_back(kv);
    }
  }

  Random& random_;
  int64_t number_;
  Case c_;
};

}  // namespace attention
