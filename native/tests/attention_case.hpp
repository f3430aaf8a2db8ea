// SPDX-License-Identifier: Apache-2.0
// Random calls of flash attention, each with the fp64 reference of what it means. What is said here about masks,
// biases and dropout comes from the definition of the operators and shares nothing with the toolkit.
#pragma once

#include <array>

#include "attention_api.hpp"
#include "attention_reference.hpp"
#include "random_views.hpp"

namespace attention {

using elements::Random;
using reference::Pair;
using reference::Type;

enum class Layout { BSH, SBH, BSND, BNSD, TND };
constexpr const char* kLayoutNames[] = {"BSH", "SBH", "BSND", "BNSD", "TND"};

enum class MaskForm { None, PerHead, PerBatch, Shared, Plain, Joined, Causal, CausalPrefix };
constexpr const char* kMaskFormNames[] = {"none", "[B,N,S,S]", "[B,1,S,S]", "[1,1,S,S]",
                                          "[S,S]", "[sum,sum]", "[2048,2048]", "[3072,2048]"};

enum class BiasForm { None, Full, OneBatch, OneRow, Alibi, AlibiOneBatch, RunsOfRows, Runs, Slopes, SlopesPerBatch };
constexpr const char* kBiasFormNames[] = {"none", "[B,N,Sq,Skv]", "[1,N,Sq,Skv]", "[B,N,1,Skv]", "[B,N,1024,Skv]",
                                          "[1,N,1024,Skv]", "runs [N][1][Skv]", "runs [N][Sq][Skv]", "[N]", "[B,N]"};

struct Case {
  // What is drawn.
  Layout layout = Layout::BSND;
  int version = 1;
  reference::Attention a;
  int64_t innerPrecise = 0;
  int64_t mode = 0, pre = 65536, next = 65536;
  MaskForm maskForm = MaskForm::None;
  bool boolMask = false;
  int64_t pseType = 1;
  BiasForm biasForm = BiasForm::None;
  bool hasStart = false;
  int64_t qStart = 0, kvStart = 0;
  float keepProb = 1;
  bool byToken = false;  // order of the statistics
  int64_t qTail = 0, kvTail = 0;

  // What follows from it.
  std::vector<int64_t> maskDims, biasDims, prefix, qEnds, kvEnds;
  std::vector<uint8_t> maskBits, dropBytes;
  std::vector<double> bias;
  bool fullyMaskedRow = false;

  bool packed() const { return layout == Layout::TND; }
  int64_t batches() const { return packed() ? 1 : sequences(); }
  int64_t sequences() const { return static_cast<int64_t>(a.lengths.size()); }
  int64_t qRows() const { return a.qRows() + qTail; }     // of the tensors
  int64_t kvRows() const { return a.kvRows() + kvTail; }  // of the tensors
  bool hasMask() const { return maskForm != MaskForm::None; }
  bool maskIsRead() const {
    return hasMask() && maskForm != MaskForm::Causal && maskForm != MaskForm::CausalPrefix;
  }

  int64_t longest(int64_t reference::Length::*side) const {
    int64_t most = 0;
    for (const reference::Length& l : a.lengths) most = std::max(most, l.*side);
    return most;
  }
  // Rows, keys or pairs of the sequences before one.
  int64_t before(int64_t sequence, int64_t q, int64_t kv) const {
    int64_t sum = 0;
    for (int64_t n = 0; n < sequence; ++n) sum += (q ? a.lengths[n].q : 1) * (kv ? a.lengths[n].kv : 1);
    return sum;
  }

  // --- who sees whom ---

  bool isBand(int64_t sequence) const {  // of modes 7 and 8
    int64_t band = -1;
    for (int64_t n = 0; n < sequences(); ++n) {
      const bool empty = a.lengths[n].q == 0 || a.lengths[n].kv == 0;
      if (!empty && (mode == 7 || band < 0)) band = n;
    }
    return sequence == band;
  }

  bool isInRegion(const Pair& p) const {
    const reference::Length& l = a.lengths[p.sequence];
    const auto i = static_cast<__int128>(p.i), j = static_cast<__int128>(p.j);
    const __int128 corner = l.kv - l.q;
    switch (mode) {
      case 0: return i - pre <= j && j <= i + next;
      case 1: return true;
      case 2: return j <= i;
      case 3: return j <= i + corner;
      case 4: return i + corner - pre <= j && j <= i + corner + next;
      case 5:
      case 6: return j < prefix[p.sequence] || j <= i + corner;
      case 7: return j <= i + corner + (isBand(p.sequence) ? next : 0);
      case 8: return j <= (isBand(p.sequence) ? i + corner + next : i);
    }
    throw check::Failure("no such mode");
  }

  size_t maskIndex(MaskForm form, const Pair& p) const {
    const int64_t rows = longest(&reference::Length::q), keys = longest(&reference::Length::kv);
    switch (form) {
      case MaskForm::PerHead: return ((p.sequence * a.heads + p.head) * rows + p.i) * keys + p.j;
      case MaskForm::PerBatch: return (p.sequence * rows + p.i) * keys + p.j;
      case MaskForm::Shared:
      case MaskForm::Plain: return p.i * keys + p.j;
      case MaskForm::Joined:
        return (before(p.sequence, 1, 0) + p.i) * a.kvRows() + before(p.sequence, 0, 1) + p.j;
      default: throw check::Failure("this mask is not read");
    }
  }

  bool sees(const Pair& p) const {
    if (!hasMask()) return true;
    return isInRegion(p) && (!maskIsRead() || maskBits[maskIndex(maskForm, p)] == 0);
  }

  bool invalidLine() const {
    if (innerPrecise == 2) return true;
    if (packed() || !hasMask()) return false;
    const __int128 q = a.lengths[0].q, kv = a.lengths[0].kv;
    const __int128 corner = mode == 4 ? kv - q : 0;  // to the form that starts from the top left
    switch (mode) {
      case 0:
      case 4: return pre - corner < q - kv || next + corner < 0;
      case 3: return q > kv;
      case 5:
      case 6: return q > kv && std::count(prefix.begin(), prefix.end(), 0) > 0;
    }
    return false;
  }

  // --- bias ---

  double biasOf(const Pair& p) const {
    const reference::Length& l = a.lengths[p.sequence];
    const int64_t n = p.head, heads = a.heads;
    switch (biasForm) {
      case BiasForm::Full: return bias[((p.sequence * heads + n) * l.q + p.i) * l.kv + p.j];
      case BiasForm::OneBatch: return bias[(n * l.q + p.i) * l.kv + p.j];
      case BiasForm::OneRow: return bias[(p.sequence * heads + n) * l.kv + p.j];
      case BiasForm::RunsOfRows: return bias[heads * before(p.sequence, 0, 1) + n * l.kv + p.j];
      case BiasForm::Runs: return bias[heads * before(p.sequence, 1, 1) + (n * l.q + p.i) * l.kv + p.j];
      case BiasForm::Slopes: return bias[n];
      case BiasForm::SlopesPerBatch: return bias[p.sequence * heads + n];
      case BiasForm::Alibi:
      case BiasForm::AlibiOneBatch: return alibi(biasForm == BiasForm::Alibi ? p.sequence : 0, n, p.i - p.j);
      case BiasForm::None: break;
    }
    return 0;
  }

  // Some function of the distance, other for each head and batch.
  double alibi(int64_t batch, int64_t head, int64_t distance) const {
    const double slope = 0.001 * static_cast<double>(1 + head + 3 * batch);
    return reference::rounded(a.type, std::sin(0.7 * static_cast<double>(distance % 11)) -
                                          slope * static_cast<double>(distance));
  }

  double score(const Pair& p, double product) const {
    const double scale = a.scale;
    if (biasForm == BiasForm::None) return scale * product;
    const int64_t start = packed() && p.sequence > 0 ? 0 : qStart - kvStart;
    const auto distance = std::fabs(static_cast<double>(p.i - p.j + start));
    switch (pseType) {
      case 0: return scale * product + biasOf(p);
      case 1: return scale * (product + biasOf(p));
      case 2: return scale * product - biasOf(p) * distance;
      case 3: return scale * product - biasOf(p) * std::sqrt(distance);
    }
    throw check::Failure("no such pseType");
  }

  // --- dropout ---

  double kept(const Pair& p) const {
    if (keepProb == 1) return 1;
    const reference::Length& l = a.lengths[p.sequence];
    const int64_t bit = a.heads * before(p.sequence, 1, 1) + (p.head * l.q + p.i) * l.kv + p.j;
    return (dropBytes[bit / 8] >> (bit % 8) & 1) / static_cast<double>(keepProb);
  }

  // Computes the reference.
  void compute() {
    a.sees = [this](const Pair& p) { return sees(p); };
    a.score = [this](const Pair& p, double product) { return score(p, product); };
    a.kept = [this](const Pair& p) { return kept(p); };
    a.invalidLine = [invalid = invalidLine()](int64_t) { return invalid; };
    a.compute();
    // Such a row has nothing but its sink, if that.
    for (size_t row = 0; row < a.max.size(); ++row) {
      const bool onlySink = a.sum[row] == 1 && std::count(a.sink.begin(), a.sink.end(), a.max[row]) > 0;
      fullyMaskedRow |= a.max[row] == -FLT_MAX || onlySink;
    }
  }

  std::string describe() const {
    std::ostringstream s;
    s << kLayoutNames[static_cast<int>(layout)] << " "
      << (version == kScoreV4 ? "ScoreV4" : "V" + std::to_string(version)) << " "
      << (a.type == Type::Float32 ? "fp32" : a.type == Type::BFloat16 ? "bf16" : "fp16") << " N " << a.heads << "/"
      << a.kvHeads << " D " << a.dim << "/" << a.valueDim;
    if (a.ropeDim > 0) s << " rope " << a.ropeDim;
    s << " scale " << a.scale << " inner " << innerPrecise << " lengths";
    for (const reference::Length& l : a.lengths) s << " " << l.q << "x" << l.kv;
    if (qTail + kvTail > 0) s << " tails " << qTail << "," << kvTail;
    s << " mask " << kMaskFormNames[static_cast<int>(maskForm)];
    if (hasMask()) s << " mode " << mode << " pre " << pre << " next " << next;
    if (!prefix.empty()) s << " prefix";
    for (const int64_t p : prefix) s << " " << p;
    if (biasForm != BiasForm::None || pseType != 1) {
      s << " pse " << pseType << " " << kBiasFormNames[static_cast<int>(biasForm)];
    }
    if (!a.sink.empty()) s << " sink";
    if (hasStart) s << " start " << qStart << "," << kvStart;
    if (keepProb != 1) s << " keep " << keepProb;
    if (byToken) s << " by token";
    return s.str();
  }
};

}  // namespace attention
