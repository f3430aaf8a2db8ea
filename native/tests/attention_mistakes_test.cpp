// SPDX-License-Identifier: Apache-2.0
// Calls of flash attention with one mistake in an otherwise right random call: refused with CANN's code and words that
// name it, and nothing is written. CANN4J_TEST_SEED repeats a run.
#include <limits>
#include <map>

#include "attention_draw.hpp"
#include "attention_run.hpp"

using namespace attention;

namespace {

struct Expected {
  int code = 0;  // 0: the mistake cannot be made in this call
  std::string words = {};
};

struct Scene {
  Random& random;
  const Case& c;
  bool backward;
  Api api;
  std::vector<std::unique_ptr<elements::View>> tensors = {};
  std::vector<std::unique_ptr<IntArray>> arrays = {};

  aclTensor* tensor(aclDataType type, const Dims& dims) {
    tensors.push_back(std::make_unique<elements::View>(type, dims));
    return *tensors.back();
  }
  aclIntArray* array(const Dims& values) {
    arrays.push_back(std::make_unique<IntArray>(values));
    return *arrays.back();
  }
  template <size_t N, class T>
  T oneOf(const T (&values)[N]) {
    return values[random.between(0, N - 1)];
  }
  bool rope() const { return c.packed() && c.version == 3; }  // the version that is for two parts only
  bool hasPseType() const { return c.version != 1 && c.version != 4; }
  int ropeCode() const { return backward ? 161002 : 161001; }
  // The first sequence in which somebody could see something, or -1.
  int64_t pairs() const {
    for (int64_t n = 0; n < c.sequences(); ++n) {
      if (c.a.lengths[n].q > 0 && c.a.lengths[n].kv > 0) return n;
    }
    return -1;
  }
};

using Member = const aclTensor* Api::*;
struct Named {
  const char* name;
  Member member;
};

Dims dimsOf(const aclTensor* tensor) {
  int64_t* dims = nullptr;
  uint64_t count = 0;
  CHECK_OK(aclGetViewShape(tensor, &dims, &count));
  Dims all(dims, dims + count);
  delete[] dims;
  return all;
}

Named requiredOf(Scene& s) {
  static constexpr Named kForward[] = {{"query", &Api::query},           {"key", &Api::key},
                                       {"value", &Api::value},           {"softmaxMax", &Api::softmaxMax},
                                       {"softmaxSum", &Api::softmaxSum}, {"attentionOut", &Api::attention}};
  static constexpr Named kBackward[] = {
      {"query", &Api::query},           {"key", &Api::key},      {"value", &Api::value},          {"dy", &Api::dy},
      {"softmaxMax", &Api::softmaxMax}, {"softmaxSum", &Api::softmaxSum}, {"attentionIn", &Api::attention},
      {"dq", &Api::dq},                 {"dk", &Api::dk},        {"dv", &Api::dv}};
  return s.backward ? s.oneOf(kBackward) : s.oneOf(kForward);
}

Expected missingTensor(Scene& s) {
  const Named n = requiredOf(s);
  s.api.*n.member = nullptr;
  return {161001, std::string(n.name) + " is NULL"};
}

Expected wrongType(Scene& s) {
  const Named n = requiredOf(s);
  const bool statistic = n.member == &Api::softmaxMax || n.member == &Api::softmaxSum;
  if (n.member == &Api::query) {
    s.api.query = s.tensor(s.oneOf({ACL_DOUBLE, ACL_INT32, ACL_BOOL}), dimsOf(s.api.query));
    return {161002, "query is"};
  }
  const aclDataType right = statistic ? ACL_FLOAT : dataType(s.c.a.type);
  const aclDataType type = s.oneOf({ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_INT32});
  if (type == right) return {};
  s.api.*n.member = s.tensor(type, dimsOf(s.api.*n.member));
  return {161002, std::string(n.name) + " is"};
}

Expected wrongFormat(Scene& s) {
  const Named n = requiredOf(s);
  const Dims dims = dimsOf(s.api.*n.member);
  static std::vector<aclTensor*> kept;  // handles are few
  aclTensor* odd = aclCreateTensor(dims.data(), dims.size(), ACL_FLOAT, nullptr, 0, ACL_FORMAT_FRACTAL_NZ, dims.data(),
                                   dims.size(), nullptr);
  kept.push_back(odd);
  s.api.*n.member = odd;
  return {161002, std::string(n.name) + " has the format"};
}

Expected wrongShape(Scene& s) {
  const Named n = requiredOf(s);
  Dims dims = dimsOf(s.api.*n.member);
  const bool isInput = n.member == &Api::query || n.member == &Api::key || n.member == &Api::value;
  if (s.random.oneIn(3)) {
    dims.push_back(1);
    if (isInput) {
      s.api.*n.member = s.tensor(dataType(s.c.a.type), dims);
      return {161002, "dimensions"};
    }
  } else {
    if (isInput) return {};  // may well be right
    dims[s.random.between(0, static_cast<int64_t>(dims.size()) - 1)] += 1;
  }
  const bool statistic = n.member == &Api::softmaxMax || n.member == &Api::softmaxSum;
  s.api.*n.member = s.tensor(statistic ? ACL_FLOAT : dataType(s.c.a.type), dims);
  return {161002, std::string(n.name) + " has shape"};
}

Expected deadTensor(Scene& s) {
  const Named n = requiredOf(s);
  {
    elements::View gone(dataType(s.c.a.type), {1});
    s.api.*n.member = gone;
  }
  return {161002, n.name};
}

Expected wrongHeadNum(Scene& s) {
  s.api.headNum = s.oneOf({int64_t{0}, int64_t{-1}, INT64_MIN, INT64_MAX, s.c.a.heads * 3 + 1, s.c.a.heads + 1});
  if (s.api.headNum <= 0) return {161002, "is not positive"};
  const bool mayFit = s.c.layout == Layout::BSH || s.c.layout == Layout::SBH;
  if (mayFit && s.c.a.heads * s.c.a.dim % s.api.headNum == 0) return {};
  return {161002, "headNum"};
}

Expected wrongLayout(Scene& s) {
  s.api.inputLayout = s.oneOf({"", "BNS", "bsnd", "TND ", "BSNDX", "NTD", s.c.packed() ? "BSND" : "TND"});
  if (s.c.version == kScoreV4 && (!std::strcmp(s.api.inputLayout, "TND") || !std::strcmp(s.api.inputLayout, "BSND"))) return {};
  return {161002, std::string("inputLayout \"") + s.api.inputLayout + "\" is not"};
}

Expected missingLayout(Scene& s) {
  s.api.inputLayout = nullptr;
  return {161001, "inputLayout is NULL"};
}

Expected wrongHeadSize(Scene& s) {
  if (s.c.layout == Layout::BSH || s.c.layout == Layout::SBH) return {};
  Dims dims = dimsOf(s.api.key);
  const bool isValue = s.random.oneIn(2);
  dims.back() += 1;  // the key's differs, the value's is above that of query
  if (isValue) dims.back() = s.c.a.dim + 1;
  (isValue ? s.api.value : s.api.key) = s.tensor(dataType(s.c.a.type), dims);
  return {161002, "head sizes of query " + std::to_string(s.c.a.dim)};
}

Expected wrongKeyHeads(Scene& s) {
  if (s.c.layout == Layout::BSH || s.c.layout == Layout::SBH) return {};
  Dims key = dimsOf(s.api.key), value = dimsOf(s.api.value);
  const size_t at = s.c.layout == Layout::BNSD || s.c.layout == Layout::TND ? 1 : 2;
  key[at] = value[at] = s.oneOf({s.c.a.heads + 1, int64_t{0}});
  s.api.key = s.tensor(dataType(s.c.a.type), key);
  s.api.value = s.tensor(dataType(s.c.a.type), value);
  return {161002, "key heads"};
}

Expected valueOfOtherLength(Scene& s) {
  Dims dims = dimsOf(s.api.value);
  dims[s.c.layout == Layout::BNSD ? 2 : s.c.layout == Layout::BSH || s.c.layout == Layout::BSND ? 1 : 0] += 1;
  s.api.value = s.tensor(dataType(s.c.a.type), dims);
  return {161002, "differ in more than the head size"};
}

Expected wrongKeepProb(Scene& s) {
  s.api.keepProb = s.oneOf({0.0, -0.5, 1.01, double{NAN}, double{INFINITY}, 1e-60});
  if (s.rope()) return {s.ropeCode(), "keepProb"};
  return {161002, "is not in (0, 1]"};
}

Expected wrongScale(Scene& s) {
  s.api.scale = s.oneOf({double{NAN}, double{INFINITY}, -double{INFINITY}, 1e60});
  return {161002, "scaleValue"};
}

Expected wrongPrecision(Scene& s) {
  s.api.innerPrecise = s.oneOf({int64_t{-1}, int64_t{3}, INT64_MAX, INT64_MIN});
  return {161002, "innerPrecise"};
}

Expected wrongMode(Scene& s) {
  if (!s.c.hasMask()) return {};
  s.api.sparseMode = s.oneOf({int64_t{-1}, int64_t{9}, INT64_MAX, INT64_MIN});
  return {561002, "is not in 0..8"};
}

Expected modeOfOtherLayouts(Scene& s) {
  if (!s.c.hasMask()) return {};
  s.api.sparseMode = s.c.packed() ? 5 : s.oneOf({7, 8});
  return {561002, "is not for inputLayout"};
}

Expected wrongPseType(Scene& s) {
  if (!s.hasPseType()) return {};
  s.api.pseType = s.oneOf({int64_t{-1}, int64_t{4}, INT64_MAX, INT64_MIN});
  return s.rope() ? Expected{s.ropeCode(), "pseType"} : Expected{561002, "is not in 0..3"};
}

Expected slopesMissing(Scene& s) {
  if (!s.hasPseType() || s.rope()) return {};
  s.api.pseType = s.oneOf({2, 3});
  s.api.pse = nullptr;
  return {161002, "needs the slopes"};
}

Expected paddingMask(Scene& s) {
  s.api.paddingMask = s.tensor(ACL_UINT8, {8});
  return {161002, "paddingMask is reserved"};
}

Expected dropMaskMissing(Scene& s) {
  if (s.rope()) return {};
  s.api.keepProb = 0.5;
  s.api.dropMask = nullptr;
  return {561002, "dropMask is NULL"};
}

Expected dropMaskUseless(Scene& s) {
  s.api.keepProb = 1;
  s.api.dropMask = s.tensor(ACL_UINT8, {int64_t{1} << 14});
  return s.rope() ? Expected{s.ropeCode(), "dropMask given"} : Expected{561002, "keepProb is 1 but dropMask is given"};
}

Expected dropMaskShort(Scene& s) {
  const int64_t bits = s.c.a.heads * s.c.before(s.c.sequences(), 1, 1);
  if (s.rope() || bits == 0) return {};
  s.api.keepProb = 0.5;
  s.api.dropMask = s.tensor(ACL_UINT8, {(bits + 7) / 8 - 1});
  return {561002, "is too short"};
}

Expected dropMaskOfOtherType(Scene& s) {
  if (s.rope()) return {};
  s.api.keepProb = 0.5;
  s.api.dropMask = s.tensor(s.oneOf({ACL_BOOL, ACL_FLOAT}), {int64_t{1} << 14});
  return {161002, "dropMask is"};
}

Expected maskOfOtherType(Scene& s) {
  if (!s.c.hasMask()) return {};
  s.api.attenMask = s.tensor(s.oneOf({ACL_INT8, ACL_FLOAT, ACL_INT32}), {2, 2});
  return {161002, "attenMask is"};
}

Expected maskOfOtherShape(Scene& s) {
  if (!s.c.hasMask()) return {};
  Dims dims = dimsOf(s.api.attenMask);
  const auto rank = static_cast<int64_t>(dims.size());
  dims[rank - s.random.between(1, 2)] += 7;
  if (s.random.oneIn(3)) dims = rank == 2 ? Dims{} : Dims{dims[0] + 7, dims[1], dims[2], dims[3]};
  if (!s.backward && dims == Dims{s.c.a.qRows(), s.c.a.kvRows()}) return {};  // a joined one, by chance
  s.api.attenMask = s.tensor(ACL_BOOL, dims);
  return {561002, "needs attenMask"};
}

Expected joinedMaskOfBackward(Scene& s) {
  if (!s.backward || s.c.maskForm != MaskForm::Joined) return {};
  const int64_t rows = s.c.longest(&reference::Length::q), keys = s.c.longest(&reference::Length::kv);
  if (s.c.maskDims == Dims{rows, keys}) return {};
  s.api.attenMask = s.tensor(ACL_BOOL, s.c.maskDims);
  return {561002, "needs attenMask"};
}

Expected wrongPrefix(Scene& s) {
  const int64_t n = s.pairs();
  if (s.c.prefix.empty() || n < 0) return {};
  Dims prefix = s.c.prefix;
  switch (s.random.between(0, 3)) {
    case 0: s.api.prefix = nullptr; return {561002, "prefix is NULL"};
    case 1: prefix.push_back(0); break;
    case 2: prefix[n] = s.c.a.lengths[n].kv + 1; break;
    case 3: prefix[n] = std::max<int64_t>(0, s.c.a.lengths[n].kv - s.c.a.lengths[n].q) - 1; break;
  }
  s.api.prefix = s.array(prefix);
  return {561002, "prefix"};
}

Expected wrongWindow(Scene& s) {
  const int64_t n = s.pairs();
  if (!s.c.hasMask() || n < 0) return {};
  const reference::Length& l = s.c.a.lengths[n];
  if (s.c.mode == 0 || s.c.mode == 4) {
    s.api.pre = s.oneOf({-l.kv - l.q - 3, int64_t{-5}, INT64_MIN});
    s.api.next = s.oneOf({int64_t{2}, int64_t{-7}, INT64_MIN});
    return {561002, "nextTokens"};
  }
  if (s.c.mode != 7 && s.c.mode != 8) return {};
  if (s.random.oneIn(2)) {
    s.api.pre = s.oneOf({int64_t{-1}, INT64_MIN, int64_t{0}});
    return {561002, "needs preTokens >= the keys of its band"};
  }
  for (int64_t m = 0; m < s.c.sequences(); ++m) {
    if (s.c.isBand(m)) s.api.next = s.c.a.lengths[m].q - s.c.a.lengths[m].kv - 1;
  }
  return {561002, "needs queries - nextTokens <= keys in its band"};
}

Expected causalOfTooManyQueries(Scene& s) {
  if (!s.c.packed() || !s.c.hasMask() || (s.c.mode != 3 && s.c.mode != 7)) return {};
  const int64_t rows = s.c.a.qRows(), keys = s.c.a.kvRows();
  if (keys < 1 || rows < 2) return {};
  Dims qEnds(s.c.sequences(), rows), kvEnds(s.c.sequences(), 1);
  s.api.qEnds = s.array(qEnds);
  s.api.kvEnds = s.array(kvEnds);
  return {561002, "needs no more queries than keys in every sequence; sequence 0 has " + std::to_string(rows)};
}

Expected biasOfOtherType(Scene& s) {
  if (s.rope()) return {};
  const aclDataType right = s.c.pseType < 2 ? dataType(s.c.a.type) : ACL_FLOAT;
  const aclDataType type = s.oneOf({ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_UINT8});
  if (type == right) return {};
  s.api.pse = s.tensor(type, {2, 2});
  return {161002, "pseShift is"};
}

Expected biasOfOtherShape(Scene& s) {
  if (s.c.biasForm == BiasForm::None) return {};
  Dims dims = dimsOf(s.api.pse);
  switch (s.random.between(0, 2)) {
    case 0: dims.insert(dims.end(), {1, 1}); break;
    case 1: dims.back() += 1; break;
    case 2: dims = {}; break;
  }
  const int64_t elements = s.c.a.heads * s.c.before(s.c.sequences(), 1, 1);
  if (dims == Dims{elements}) return {};  // the other form in one dimension
  s.api.pse = s.tensor(s.c.pseType < 2 ? dataType(s.c.a.type) : ACL_FLOAT, dims);
  return {561002, "pseShift"};
}

Expected biasOfModeSeven(Scene& s) {
  const int64_t rows = s.c.a.qRows(), keys = s.c.a.kvRows();
  if (!s.c.hasMask() || s.c.mode != 7 || s.rope() || rows == 0 || rows > keys) return {};
  s.api.qEnds = s.array({rows});
  s.api.kvEnds = s.array({keys});
  s.api.pre = keys;
  s.api.next = 0;
  s.api.pse = s.tensor(dataType(s.c.a.type), {s.c.a.heads * keys});
  return {561002, "sparseMode 7 excludes a bias"};
}

Expected biasOfEmptySequences(Scene& s) {
  if (!s.c.packed() || s.rope()) return {};
  const Dims qEnds(s.c.sequences() + 1, s.c.a.qRows()), kvEnds(s.c.sequences() + 1, s.c.a.kvRows());
  s.api.attenMask = nullptr;
  s.api.qEnds = s.array(qEnds);
  s.api.kvEnds = s.array(kvEnds);
  s.api.pse = s.tensor(s.c.pseType < 2 ? dataType(s.c.a.type) : ACL_FLOAT, {s.c.a.heads * s.c.a.kvRows()});
  return {561002, "a bias excludes sequences of length 0"};
}

Expected biasOfMovedSequences(Scene& s) {
  if (s.c.biasForm == BiasForm::None || !s.c.hasMask() || s.c.mode != 8 || !s.hasPseType()) return {};
  s.api.qStart = s.array({s.c.qStart + 1});
  s.api.kvStart = s.array({s.c.kvStart});
  return {561002, "with sparseMode 8 needs"};
}

Expected alibiOfOtherModes(Scene& s) {
  if (s.c.biasForm != BiasForm::Alibi && s.c.biasForm != BiasForm::AlibiOneBatch) return {};
  s.api.attenMask = nullptr;
  return {561002, "holds the last 1024 rows"};
}

Expected distanceOfOtherLengths(Scene& s) {
  if (s.c.packed() || !s.hasPseType()) return {};
  if (s.c.a.lengths[0].q == s.c.a.lengths[0].kv) return {};
  s.api.pseType = s.oneOf({2, 3});
  s.api.pse = s.tensor(ACL_FLOAT, {s.c.a.heads});
  return {561002, "needs as many queries as keys"};
}

Expected wrongStart(Scene& s) {
  if (s.c.biasForm == BiasForm::None || !s.hasPseType() || s.c.pseType < 2) return {};
  s.api.qStart = s.array({s.oneOf({INT64_MAX, INT64_MIN, int64_t{1} << 31})});
  return {561002, "must fit in 32 bits"};
}

Expected wrongSequenceArrays(Scene& s) {
  if (!s.c.packed()) return {};
  const aclIntArray*& array = s.random.oneIn(2) ? s.api.qEnds : s.api.kvEnds;
  const bool isQ = &array == &s.api.qEnds;
  Dims ends = isQ ? s.c.qEnds : s.c.kvEnds;
  switch (s.random.between(0, 4)) {
    case 0: array = nullptr; return {161001, isQ ? "actualSeqQLen is NULL" : "actualSeqKvLen is NULL"};
    case 1: ends.push_back(ends.back()); break;
    case 2: ends = {}; break;
    default:
      ends.back() = s.oneOf({int64_t{1} << 20, INT64_MAX});
      array = s.array(ends);
      return {161002, "sequence " + std::to_string(ends.size() - 1) + " has "};
  }
  array = s.array(ends);
  return {161002, "one end per sequence in each"};
}

Expected wrongSoftmaxLayout(Scene& s) {
  if (s.c.version < 4 || (s.backward && !s.c.packed())) return {};
  if (s.random.oneIn(4)) {
    s.api.softmaxLayout = nullptr;
    return {161001, "Layout is NULL"};
  }
  s.api.softmaxLayout = s.oneOf({"TND", "NTD", "same_as_input ", "SAME_AS_INPUT"});
  return {161002, "is neither \"\" nor \"same_as_input\""};
}

Expected wrongRope(Scene& s) {
  if (s.c.a.ropeDim == 0) return {};
  static constexpr Named kForward[] = {{"queryRope", &Api::queryRope}, {"keyRope", &Api::keyRope}};
  static constexpr Named kBackward[] = {{"queryRope", &Api::queryRope},
                                        {"keyRope", &Api::keyRope},
                                        {"dqRope", &Api::dqRope},
                                        {"dkRope", &Api::dkRope}};
  const Named n = s.backward ? s.oneOf(kBackward) : s.oneOf(kForward);
  Dims dims = dimsOf(s.api.*n.member);
  switch (s.random.between(0, 3)) {
    case 0:
      s.api.*n.member = nullptr;
      if (s.rope()) return {161001, std::string(n.name) + " is NULL"};
      return {s.ropeCode(), "give all rotary parts or none"};
    case 1: s.api.*n.member = s.tensor(ACL_FLOAT16, dims); return {s.ropeCode(), std::string(n.name) + " is FLOAT16"};
    case 2: dims.back() *= s.c.a.dim / s.c.a.ropeDim + 1; break;  // above D
    case 3: dims.back() = dims.back() / s.c.a.ropeDim * (s.c.a.ropeDim - 4); break;
  }
  s.api.*n.member = s.tensor(ACL_BF16, dims);
  return {s.ropeCode(), "Rope has shape"};
}

Expected ropeWithout(Scene& s) {
  if (!s.rope()) return {};
  if (s.random.oneIn(2)) {
    s.api.pse = s.tensor(ACL_BF16, {s.c.a.heads * s.c.a.kvRows()});
    return {s.ropeCode(), "rotary parts exclude a bias"};
  }
  s.api.attenMask = nullptr;
  return {s.ropeCode(), "attenMask is NULL; this version needs one"};
}

Expected wrongSink(Scene& s) {
  if (s.c.a.sink.empty()) return {};
  if (s.backward && s.random.oneIn(3)) {
    s.api.dSink = nullptr;
    return {161001, "dsink is NULL"};
  }
  const aclTensor*& tensor = s.backward && s.random.oneIn(2) ? s.api.dSink : s.api.sink;
  const bool isType = s.random.oneIn(2);
  tensor = isType ? s.tensor(ACL_BF16, {s.c.a.heads}) : s.tensor(ACL_FLOAT, {s.c.a.heads + 1});
  return {161002, isType ? "sink is BF16" : "sink has shape"};
}

Expected quantized(Scene& s) {
  if (s.c.version != kScoreV4) return {};
  if (s.random.oneIn(2)) {
    s.api.outDtype = s.oneOf({int64_t{-1}, int64_t{ACL_INT8}, int64_t{1} << 32});
    return {161002, "outDtype " + std::to_string(s.api.outDtype)};
  }
  const aclTensor*& last = s.backward ? s.api.dScaleO : s.api.dScaleV;
  (s.random.oneIn(2) ? s.api.dScaleQ : last) = s.tensor(ACL_FLOAT, {1});
  return {161002, "are for quantized tensors"};
}

Expected arraysOfDense(Scene& s) {
  if (s.c.version != kScoreV4 || s.c.packed()) return {};
  (s.random.oneIn(2) ? s.api.qEnds : s.api.kvEnds) = s.array({1});
  return {161002, "sequence arrays are for TND"};
}

Expected deadArray(Scene& s) {
  const aclIntArray* dead = nullptr;
  {
    const IntArray gone({1});
    dead = gone;
  }
  if (s.c.packed() && s.random.oneIn(2)) {
    (s.random.oneIn(2) ? s.api.qEnds : s.api.kvEnds) = dead;
    return {161002, "actualSeq"};
  }
  if (s.hasPseType() && s.random.oneIn(2)) {
    (s.random.oneIn(2) ? s.api.qStart : s.api.kvStart) = dead;
    return {161002, "StartIdx"};
  }
  s.api.prefix = dead;
  return {161002, "prefix"};
}

struct Mistake {
  const char* name;
  Expected (*make)(Scene&);
};

#define MISTAKE(name) {#name, name}
constexpr Mistake kMistakes[] = {
    MISTAKE(missingTensor),        MISTAKE(wrongType),           MISTAKE(wrongFormat),
    MISTAKE(wrongShape),           MISTAKE(deadTensor),          MISTAKE(wrongHeadNum),
    MISTAKE(wrongLayout),          MISTAKE(missingLayout),       MISTAKE(wrongHeadSize),
    MISTAKE(wrongKeyHeads),        MISTAKE(valueOfOtherLength),  MISTAKE(wrongKeepProb),
    MISTAKE(wrongScale),           MISTAKE(wrongPrecision),      MISTAKE(wrongMode),
    MISTAKE(modeOfOtherLayouts),   MISTAKE(wrongPseType),        MISTAKE(slopesMissing),
    MISTAKE(paddingMask),          MISTAKE(dropMaskMissing),     MISTAKE(dropMaskUseless),
    MISTAKE(dropMaskShort),        MISTAKE(dropMaskOfOtherType), MISTAKE(maskOfOtherType),
    MISTAKE(maskOfOtherShape),     MISTAKE(joinedMaskOfBackward), MISTAKE(wrongPrefix),
    MISTAKE(wrongWindow),          MISTAKE(causalOfTooManyQueries), MISTAKE(biasOfOtherType),
    MISTAKE(biasOfOtherShape),     MISTAKE(biasOfModeSeven),     MISTAKE(biasOfEmptySequences),
    MISTAKE(biasOfMovedSequences), MISTAKE(alibiOfOtherModes),   MISTAKE(distanceOfOtherLengths),
    MISTAKE(wrongStart),           MISTAKE(wrongSequenceArrays), MISTAKE(wrongSoftmaxLayout),
    MISTAKE(wrongRope),            MISTAKE(ropeWithout),         MISTAKE(wrongSink),
    MISTAKE(quantized),            MISTAKE(arraysOfDense),       MISTAKE(deadArray)};
#undef MISTAKE

void expectRefusal(const Mistake& mistake, Scene& scene, const Expected& expected) {
  constexpr uint64_t kUntouched = 0x1234;
  uint64_t size = kUntouched;
  aclOpExecutor* executor = reinterpret_cast<aclOpExecutor*>(kUntouched);
  aclGetRecentErrMsg();
  const aclnnStatus status = scene.backward ? scene.api.prepareBackward(&size, &executor)
                                            : scene.api.prepareForward(&size, &executor);
  const char* said = aclGetRecentErrMsg();
  const std::string text = said == nullptr ? "" : said;
  if (status != expected.code || text.find(expected.words) == std::string::npos ||
      text.find("aclnnFlashAttention") == std::string::npos) {
    throw check::Failure(std::string(mistake.name) + (scene.backward ? " backward" : " forward") + ": expected " +
                         std::to_string(expected.code) + " with \"" + expected.words + "\", got " +
                         std::to_string(status) + " with \"" + text + "\"");
  }
  CHECK_EQ(size, kUntouched);
  CHECK(executor == reinterpret_cast<aclOpExecutor*>(kUntouched));
}

}  // namespace

TEST(mistakes_are_refused) {
  device::use();
  constexpr int64_t kCases = 368;  // half of the combinations of mask and bias
  const unsigned seed = elements::seedOf("mistakes_are_refused");
  std::map<std::string, int64_t> made;
  for (int64_t number = 0; number < kCases; ++number) {
    Random random(seed + static_cast<unsigned>(number));
    Case c = Draw(random, number).make();
    try {
      const Run run(random, c);
      for (const Mistake& mistake : kMistakes) {
        for (const bool backward : {false, true}) {
          Scene scene{random, c, backward, backward ? run.backwardApi() : run.api};
          const Expected expected = mistake.make(scene);
          if (expected.code == 0) continue;
          ++made[mistake.name];
          expectRefusal(mistake, scene, expected);
        }
      }
      uint64_t size = 0;
      aclOpExecutor* executor = nullptr;
      CHECK_FAILS(run.api.prepareForward(nullptr, &executor), 161001, "workspaceSize is NULL");
      CHECK_FAILS(run.api.prepareForward(&size, nullptr), 161001, "executor is NULL");
      CHECK_FAILS(run.backwardApi().prepareBackward(nullptr, &executor), 161001, "workspaceSize is NULL");
      CHECK_FAILS(run.backwardApi().prepareBackward(&size, nullptr), 161001, "executor is NULL");
      for (const Run::Owner* output : {&run.attention, &run.softmaxMax, &run.softmaxSum, &run.dq, &run.dk, &run.dv}) {
        (*output)->expectUntouched("an output");
      }
    } catch (const std::exception& e) {
      throw check::Failure(std::string(e.what()) + "\n        in case " + std::to_string(number) + ": " + c.describe());
    }
  }
  for (const Mistake& mistake : kMistakes) {
    std::printf("        %6lld %s\n", static_cast<long long>(made[mistake.name]), mistake.name);
    CHECK(made[mistake.name] > 0);
  }
}

// Whatever numbers are passed, a call is refused or computed.
TEST(any_numbers_are_refused_or_computed) {
  device::use();
  const auto seed = elements::seedOf("any_numbers_are_refused_or_computed");
  constexpr int64_t kOdd[] = {INT64_MIN, INT64_MIN + 1, -(int64_t{1} << 40), INT32_MIN, -300, -40, -7, -2, -1, 0,
                              1,         2,             3,                   8,         40,   300, INT32_MAX,
                              int64_t{1} << 40, INT64_MAX - 1, INT64_MAX};
  int64_t computed = 0, refused = 0;
  for (int64_t number = 0; number < 300; ++number) {
    Random random(seed + static_cast<unsigned>(number));
    Case c = Draw(random, number).make();
    Run run(random, c);
    const auto odd = [&](int64_t otherwise) {
      return random.oneIn(3) ? kOdd[random.between(0, std::size(kOdd) - 1)] : otherwise;
    };
    const auto change = [&](Dims values) {
      for (int64_t& x : values) x = odd(x);
      return values;
    };
    Api& api = run.api;
    api.pre = odd(api.pre);
    api.next = odd(api.next);
    if (random.oneIn(4)) api.sparseMode = random.between(0, 8);
    if (random.oneIn(4)) api.pseType = random.between(0, 3);
    api.innerPrecise = random.between(0, 2);
    const IntArray prefix(change(c.prefix)), qEnds(change(c.qEnds)), kvEnds(change(c.kvEnds));
    const IntArray qStart(change({c.qStart})), kvStart(change({c.kvStart}));
    if (api.prefix) api.prefix = prefix;
    if (c.packed() && random.oneIn(3)) api.qEnds = qEnds;
    if (c.packed() && random.oneIn(3)) api.kvEnds = kvEnds;
    if (api.qStart) api.qStart = qStart;
    if (api.kvStart) api.kvStart = kvStart;
    for (const bool backward : {false, true}) {
      uint64_t size = 0;
      aclOpExecutor* executor = nullptr;
      aclGetRecentErrMsg();
      const Api& call = backward ? run.backwardApi() : api;
      if ((backward ? call.prepareBackward(&size, &executor) : call.prepareForward(&size, &executor)) != 0) {
        CHECK(aclGetRecentErrMsg() != nullptr);
        ++refused;
        continue;
      }
      device::Buffer<uint8_t> workspace(size);
      CHECK_OK((backward ? api.backward() : api.forward())(workspace.address(), size, executor, nullptr));
      CHECK_OK(aclrtSynchronizeStream(nullptr));
      ++computed;
    }
  }
  std::printf("        %lld computed, %lld refused\n", static_cast<long long>(computed),
              static_cast<long long>(refused));
  CHECK(computed > 50 && refused > 50);
}
