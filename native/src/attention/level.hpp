// SPDX-License-Identifier: Apache-2.0
#pragma once

// The body of one kernels_<level>.cpp: everything above instantiated and put behind one table.

#include "attention/backward.hpp"
#include "attention/forward.hpp"

namespace cann4j::attention::CANN4J_LEVEL {

static size_t forwardScratch(const Problem& p) {
  const bool pairs = p.type == ElementType::BFloat16 && kPairs<ElementType::BFloat16>;
  return (pairs ? layoutForward<ElementType::BFloat16>(p, nullptr) : layoutForward<ElementType::Float32>(p, nullptr))
             .floats * sizeof(float);
}

static size_t backwardScratch(const Problem& p) {
  const bool pairs = p.type == ElementType::BFloat16 && kPairs<ElementType::BFloat16>;
  return (pairs ? layoutBackward<ElementType::BFloat16>(p, nullptr) : layoutBackward<ElementType::Float32>(p, nullptr))
             .floats * sizeof(float);
}

static void forward(const Problem& p, const QueryBlock& item, void* scratch) {
  switch (p.type) {
    case ElementType::Float32: return forwardBlock<ElementType::Float32>(p, item, scratch);
    case ElementType::BFloat16: return forwardBlock<ElementType::BFloat16>(p, item, scratch);
    case ElementType::Float16: return forwardBlock<ElementType::Float16>(p, item, scratch);
  }
}

static void backward(const Problem& p, const KeyBlock& item, void* scratch) {
  switch (p.type) {
    case ElementType::Float32: return backwardBlock<ElementType::Float32>(p, item, scratch);
    case ElementType::BFloat16: return backwardBlock<ElementType::BFloat16>(p, item, scratch);
    case ElementType::Float16: return backwardBlock<ElementType::Float16>(p, item, scratch);
  }
}

static void sinkGradient(const Problem& p, int64_t sequences, int64_t head, void* scratch) {
  switch (p.type) {
    case ElementType::Float32: return sinkBackward<ElementType::Float32>(p, sequences, head, scratch);
    case ElementType::BFloat16: return sinkBackward<ElementType::BFloat16>(p, sequences, head, scratch);
    case ElementType::Float16: return sinkBackward<ElementType::Float16>(p, sequences, head, scratch);
  }
}

static double multiplyAddPeak(int64_t iterations) {
  constexpr int kChains = kTallRows * kTallVectors;
  Floats c[kChains];
#pragma GCC unroll 32
  for (int i = 0; i < kChains; ++i) c[i] = broadcast(static_cast<float>(i));
  const Floats a = broadcast(0.999f), b = broadcast(0.001f);
  for (int64_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 32
    for (int i = 0; i < kChains; ++i) {
#if defined(CANN4J_NEON)
      c[i] = multiplyAdd(a, b, c[i]);  // the instruction overwrites what it adds to
#else
      c[i] = multiplyAdd(c[i], a, b);
#endif
    }
  }
  Floats sum{};
#pragma GCC unroll 32
  for (int i = 0; i < kChains; ++i) sum += c[i];
  volatile float sink = sumLanes(sum);
  (void)sink;
  return static_cast<double>(iterations) * kChains * kWidth * 2;
}

}  // namespace cann4j::attention::CANN4J_LEVEL

namespace cann4j::attention {

extern const Kernels CANN4J_TABLE;
const Kernels CANN4J_TABLE = {
    CANN4J_NAME(CANN4J_LEVEL),     CANN4J_LEVEL::forwardScratch, CANN4J_LEVEL::backwardScratch,
    CANN4J_LEVEL::forward,         CANN4J_LEVEL::backward,       CANN4J_LEVEL::sinkGradient,
    CANN4J_LEVEL::multiplyAddPeak, CANN4J_LEVEL::kWideColumns,
};

}  // namespace cann4j::attention
