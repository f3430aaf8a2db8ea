// SPDX-License-Identifier: Apache-2.0
// Flash attention, forward and gradients, in random calls of everything that it can do, against the fp64 reference.
// CANN4J_TEST_CASES sets the number of cases, CANN4J_TEST_SEED where they start and CANN4J_TEST_CASE runs one alone.
#include <map>

#include "attention_draw.hpp"
#include "attention_run.hpp"

using namespace attention;

namespace {

constexpr int64_t kCases = 320;
constexpr int64_t kEnoughForAll = 300;

int64_t environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

unsigned seed() {
  static const auto chosen = static_cast<unsigned>(environment("CANN4J_TEST_SEED", std::random_device{}()));
  return chosen;
}

Random randomOf(int64_t number, int64_t stream) {
  std::seed_seq sequence{seed(), static_cast<unsigned>(number), static_cast<unsigned>(stream)};
  unsigned mixed = 0;
  sequence.generate(&mixed, &mixed + 1);
  return Random(mixed);
}

// How many cases had which feature; each must have been drawn.
class Features {
 public:
  void count(const Case& c, bool plain) {
    const reference::Attention& a = c.a;
    const auto is = [this](const std::string& name, bool has) { counts_[name] += has; };
    for (int i = 0; i < 5; ++i) is(std::string("layout ") + kLayoutNames[i], static_cast<int>(c.layout) == i);
    for (int v = 1; v <= 3; ++v) is("dense V" + std::to_string(v), !c.packed() && c.version == v);
    for (int v = 1; v <= 5; ++v) is("packed V" + std::to_string(v), c.packed() && c.version == v);
    is("dense ScoreV4", !c.packed() && c.version == kScoreV4);
    is("packed ScoreV4", c.packed() && c.version == kScoreV4);
    is("fp32", a.type == Type::Float32);
    is("bf16", a.type == Type::BFloat16);
    is("fp16", a.type == Type::Float16);
    is("as many kv heads as heads", a.heads == a.kvHeads && a.heads > 1);
    is("grouped heads", a.heads > a.kvHeads && a.kvHeads > 1);
    is("one kv head for all", a.heads > a.kvHeads && a.kvHeads == 1);
    is("D of 1", a.dim == 1);
    is("D no multiple of 8", a.dim % 8 != 0);
    is("D above 256", a.dim > 256);
    is("D above 512", a.dim > 512);
    is("Dv below D", a.valueDim < a.dim);
    bool one = false, noQuery = false, noKey = false, longer = false, shorter = false, blocks = false, equal = false;
    bool many = false;
    for (const reference::Length& l : a.lengths) {
      one |= l.q == 1 || l.kv == 1;
      noQuery |= l.q == 0;
      noKey |= l.kv == 0 && l.q > 0;
      longer |= l.q > l.kv && l.kv > 0;
      shorter |= l.q < l.kv && l.q > 0;
      equal |= l.q == l.kv && l.q > 1;
      blocks |= l.q > 150 && l.kv > 150;
      many |= l.q > 300 && l.kv > 600;
    }
    is("length 1", one);
    for (const bool packed : {false, true}) {
      const std::string name = packed ? "packed" : "dense";
      is(name + ": no queries", noQuery && c.packed() == packed);
      is(name + ": queries without keys", noKey && c.packed() == packed);
      is(name + ": more queries than keys", longer && c.packed() == packed);
      is(name + ": fewer queries than keys", shorter && c.packed() == packed);
      for (const int64_t mode : {0, 1, 2, 3, 4, 5, 6, 7, 8}) {
        if (packed ? mode == 5 : mode > 6) continue;
        is(name + ": mode " + std::to_string(mode), c.hasMask() && c.mode == mode && c.packed() == packed);
      }
      for (int i = 0; i <= static_cast<int>(MaskForm::CausalPrefix); ++i) {
        if (!packed && i == static_cast<int>(MaskForm::Joined)) continue;
        is(name + ": mask " + kMaskFormNames[i], static_cast<int>(c.maskForm) == i && c.packed() == packed);
      }
      for (int i = 0; i <= static_cast<int>(BiasForm::SlopesPerBatch); ++i) {
        const auto form = static_cast<BiasForm>(i);
        const bool ofDense = form == BiasForm::Full || form == BiasForm::OneBatch || form == BiasForm::OneRow;
        const bool ofPacked = form == BiasForm::Runs || form == BiasForm::RunsOfRows;
        if (packed ? ofDense : ofPacked) continue;
        is(name + ": pse " + kBiasFormNames[i], c.biasForm == form && c.packed() == packed);
      }
      for (int64_t type = 0; type < 4; ++type) {
        is(name + ": pseType " + std::to_string(type),
           c.biasForm != BiasForm::None && c.pseType == type && c.packed() == packed);
      }
      is(name + ": dropout", c.keepProb != 1 && c.packed() == packed);
      is(name + ": start indices", c.hasStart && c.packed() == packed);
      is(name + ": dropout and bias and mask",
         c.keepProb != 1 && c.biasForm != BiasForm::None && c.hasMask() && c.packed() == packed);
    }
    is("as many queries as keys", equal);
    is("several blocks", blocks);
    is("many blocks", many);
    is("rows behind the last sequence", c.qTail + c.kvTail > 0);
    is("ends that fall", !std::is_sorted(c.qEnds.begin(), c.qEnds.end()));
    is("window without bound", c.hasMask() && (c.pre == INT64_MAX || c.next == INT64_MAX));
    is("negative preTokens", c.hasMask() && (c.mode == 0 || c.mode == 4) && c.pre < 0);
    is("negative nextTokens", c.hasMask() && (c.mode == 0 || c.mode == 4) && c.next < 0);
    is("sparse parameters without a mask", !c.hasMask() && c.mode != 0);
    is("BOOL mask", c.hasMask() && c.boolMask);
    is("UINT8 mask", c.hasMask() && !c.boolMask);
    is("prefix of 0", std::count(c.prefix.begin(), c.prefix.end(), 0) > 0);
    for (int64_t i = 0; i < 3; ++i) is("innerPrecise " + std::to_string(i), c.innerPrecise == i);
    const bool automatic = c.innerPrecise != 2 && c.invalidLine();
    is("fully masked row, mean", c.fullyMaskedRow && !c.invalidLine());
    is("fully masked row, innerPrecise 2", c.fullyMaskedRow && c.innerPrecise == 2);
    is("fully masked row, switched", c.fullyMaskedRow && automatic);
    is("statistics by sequence", c.packed() && !c.byToken && a.heads > 1);
    is("statistics by token", c.byToken && a.heads > 1);
    is("rope", a.ropeDim > 0);
    is("rope in dense layouts", a.ropeDim > 0 && !c.packed());
    is("rope with bias or dropout", a.ropeDim > 0 && (c.biasForm != BiasForm::None || c.keepProb != 1));
    is("sink, dense", !a.sink.empty() && !c.packed());
    is("sink, packed", !a.sink.empty() && c.packed());
    is("fully masked row with a sink", !a.sink.empty() && c.fullyMaskedRow);
    is("rope as wide as D", a.ropeDim > 0 && a.ropeDim == a.dim);
    is("strided views", !plain);
    is("contiguous tensors", plain);
  }
  void count(const std::string& name, bool has) { counts_[name] += has; }

  void print() const {
    for (const auto& [name, count] : counts_) {
      std::printf("        %6lld %s\n", static_cast<long long>(count), name.c_str());
    }
  }
  void expectAll() const {
    for (const auto& [name, count] : counts_) {
      if (count == 0) throw check::Failure("no case had the feature: " + name);
    }
  }

 private:
  std::map<std::string, int64_t> counts_;
};

[[noreturn]] void report(int64_t number, const std::string& settings, const std::exception& e) {
  throw check::Failure(std::string(e.what()) + "\n        CANN4J_TEST_SEED=" + std::to_string(seed()) +
                       " CANN4J_TEST_CASE=" + std::to_string(number) + " " + program_invocation_short_name + "  # " +
                       settings);
}

void runCase(int64_t number, Features& features) {
  Random random = randomOf(number, 0);
  Case c = Draw(random, number).make();
  const std::string settings = c.describe();
  try {
    Run run(random, c);
    run.verify();
    const bool again = number % 8 == 0;
    if (again) run.verifyDeterminism();
    features.count(c, run.isPlain());
    features.count("determinism", again);
  } catch (const std::exception& e) {
    report(number, settings, e);
  }
}

}  // namespace

TEST(random_calls) {
  device::use();
  std::printf("        CANN4J_TEST_SEED=%u\n", seed());
  Features features;
  const int64_t only = environment("CANN4J_TEST_CASE", -1);
  if (only >= 0) return runCase(only, features);
  const int64_t cases = environment("CANN4J_TEST_CASES", kCases);
  for (int64_t n = 0; n < cases; ++n) {
    check::watch("random_calls");  // thousands take longer than one may
    runCase(n, features);
  }
  features.print();
  if (cases >= kEnoughForAll) features.expectAll();
}
