// SPDX-License-Identifier: Apache-2.0
// Random tensors for tests that compare an operator with plain code in double.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>

#include "elements.hpp"

namespace elements {

constexpr aclDataType kFloats[] = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16};

// How far a result may be from the exact one: it was computed in float and rounded once.
inline double tolerance(double exact, aclDataType type, double scale = 1e-5) {
  const double step = type == ACL_FLOAT16 ? 0x1.1p-11 : type == ACL_BF16 ? 0x1.1p-8 : 0;
  const double lowest = type == ACL_FLOAT16 ? 0x1p-25 : 0;
  return (step + scale) * std::fabs(exact) + lowest + 1e-1 * scale;
}

// Says how to repeat the test.
inline unsigned seedOf(const char* test) {
  const char* text = std::getenv("CANN4J_TEST_SEED");
  const auto seed = text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10))
                                    : std::random_device{}();
  std::printf("        CANN4J_TEST_SEED=%u %s %s\n", seed, program_invocation_short_name, test);
  return seed;
}

class Random {
 public:
  explicit Random(const char* test) : Random(seedOf(test)) {}
  // For one of many cases.
  explicit Random(unsigned seed) : engine_(seed) {}

  int64_t between(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  bool oneIn(int64_t n) { return between(1, n) == 1; }
  double real(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(engine_);
  }
  aclDataType floatType() { return kFloats[between(0, 2)]; }

  struct Layout {
    std::vector<int64_t> strides;
    int64_t offset;
    int64_t storage;
  };

  // Dimensions in any order in memory, perhaps with gaps and an offset.
  Layout layout(const std::vector<int64_t>& dims) {
    std::vector<size_t> order(dims.size());
    std::iota(order.begin(), order.end(), size_t{0});
    if (oneIn(2)) {
      std::shuffle(order.begin(), order.end(), engine_);
    } else {
      std::reverse(order.begin(), order.end());
    }
    const bool gaps = oneIn(2);
    std::vector<int64_t> strides(dims.size());
    int64_t step = gaps && oneIn(2) ? 2 : 1;
    for (const size_t d : order) {
      strides[d] = step;
      step = step * std::max<int64_t>(dims[d], 1) + (gaps ? between(0, 3) : 0);
    }
    return {strides, gaps ? between(0, 5) : 0, step + 10};
  }

  std::mt19937& engine() { return engine_; }

 private:
  std::mt19937 engine_;
};

class Input : public View {
 public:
  Input(Random& random, aclDataType type, const std::vector<int64_t>& dims, double low = -4,
        double high = 4)
      : Input(type, dims, random.layout(dims)) {
    fillRandom(*this, static_cast<unsigned>(random.engine()()), low, high);
  }

 private:
  Input(aclDataType type, const std::vector<int64_t>& dims, const Random::Layout& layout)
      : View(type, dims, layout.strides, layout.offset, layout.storage) {}
};

// For a result; knows when elements outside of it were written to.
class Output : public View {
 public:
  Output(Random& random, aclDataType type, const std::vector<int64_t>& dims)
      : Output(type, dims, random.layout(dims)) {
    fillStorage([](int64_t) { return kMargin; });
  }

  std::vector<double> checkedValues() const {
    std::vector<double> rest = storage();
    for (int64_t i = 0; i < size(); ++i) {
      rest[static_cast<size_t>(place(i))] = kMargin;
    }
    for (const double value : rest) {
      CHECK_EQ(value, kMargin);
    }
    return values();
  }

 private:
  static constexpr double kMargin = 77;

  Output(aclDataType type, const std::vector<int64_t>& dims, const Random::Layout& layout)
      : View(type, dims, layout.strides, layout.offset, layout.storage) {}
};

// Runs both phases of an operator, phase 1 with these arguments.
template <class Prepare, class... Arguments>
void call(Prepare prepare, device::Launch launch, Arguments&&... arguments) {
  device::run([&](uint64_t* size, aclOpExecutor** executor) {
    return prepare(arguments..., size, executor);
  }, launch);
}

// What phase 1 returns for these arguments.
template <class Prepare, class... Arguments>
aclnnStatus status(Prepare prepare, Arguments&&... arguments) {
  uint64_t size = 0;
  aclOpExecutor* executor = nullptr;
  return prepare(arguments..., &size, &executor);
}

}  // namespace elements
