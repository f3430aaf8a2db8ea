// SPDX-License-Identifier: Apache-2.0
// The body of one gemm_<level>.cpp. Everything is static and inside the level's own namespace.
#pragma once

#include "ops/gemm_tile.hpp"

#include "runtime/intrinsics.hpp"

namespace cann4j::gemm {
namespace CANN4J_LEVEL {

// Accumulators, a row of b and an element of a fill the registers.
#if defined(CANN4J_AVX512)
constexpr int kWidth = 16, kRows = 12, kVectors = 2;
#elif defined(CANN4J_AVX2)
constexpr int kWidth = 8, kRows = 6, kVectors = 2;
#elif defined(CANN4J_NEON)
constexpr int kWidth = 4, kRows = 12, kVectors = 2;
#else
constexpr int kWidth = 4, kRows = 4, kVectors = 2;
#endif

typedef float Floats __attribute__((vector_size(kWidth * 4)));
typedef float LooseFloats __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));

static inline Floats multiplyAdd(float a, Floats b, Floats c) {
#if defined(CANN4J_AVX512)
  return (Floats)_mm512_fmadd_ps(_mm512_set1_ps(a), (__m512)b, (__m512)c);
#elif defined(CANN4J_AVX2)
  return (Floats)_mm256_fmadd_ps(_mm256_set1_ps(a), (__m256)b, (__m256)c);
#elif defined(CANN4J_NEON)
  return (Floats)vfmaq_n_f32((float32x4_t)c, (float32x4_t)b, a);
#else
  return a * b + c;
#endif
}

static void multiplyTile(int64_t depth, const float* a, const float* b, float* c, int64_t stride) {
  Floats sums[kRows][kVectors] = {};
  for (int64_t k = 0; k < depth; ++k, a += kRows, b += kVectors * kWidth) {
    Floats row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      row[v] = *reinterpret_cast<const LooseFloats*>(b + v * kWidth);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = multiplyAdd(a[r], row[v], sums[r][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      *reinterpret_cast<LooseFloats*>(c + r * stride + v * kWidth) += sums[r][v];
    }
  }
}

}  // namespace CANN4J_LEVEL

extern const Tile CANN4J_TILE;
const Tile CANN4J_TILE{CANN4J_LEVEL::kRows, CANN4J_LEVEL::kVectors * CANN4J_LEVEL::kWidth,
                       CANN4J_LEVEL::multiplyTile};

}  // namespace cann4j::gemm
