// SPDX-License-Identifier: Apache-2.0
#pragma once

// Vector types of the level that includes this file. Everything is static and inside the level's own namespace.

#include <cfloat>

#include "attention/problem.hpp"
#include "runtime/intrinsics.hpp"

#define CANN4J_INLINE static inline __attribute__((always_inline))

namespace cann4j::attention::CANN4J_LEVEL {

#if defined(CANN4J_AVX512)
constexpr int kWidth = 16;
// Rows and vectors of a register tile: 32 registers hold 24 accumulators, the operands and a broadcast.
constexpr int kTallRows = 12, kTallVectors = 2, kWideRows = 8, kWideVectors = 3;
#elif defined(CANN4J_AVX2)
constexpr int kWidth = 8;
constexpr int kTallRows = 6, kTallVectors = 2, kWideRows = 4, kWideVectors = 3;
#elif defined(CANN4J_NEON)
constexpr int kWidth = 4;
constexpr int kTallRows = 12, kTallVectors = 2, kWideRows = 8, kWideVectors = 3;
#else
constexpr int kWidth = 4;
constexpr int kTallRows = 4, kTallVectors = 2, kWideRows = 4, kWideVectors = 2;
#endif

constexpr int kTallColumns = kTallVectors * kWidth;
constexpr int kWideColumns = kWideVectors * kWidth;
static_assert(kBlockMultiple % kWideColumns == 0 && kBlockMultiple % kWideRows == 0 && kBlockMultiple % kTallRows == 0,
              "blocks fill the register tiles");

typedef float Floats __attribute__((vector_size(kWidth * 4)));
typedef float LooseFloats __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(kWidth * 4)));
typedef int32_t LooseInts __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));
typedef uint32_t Words __attribute__((vector_size(kWidth * 4)));
typedef uint16_t Halves __attribute__((vector_size(kWidth * 2)));
typedef uint16_t LooseHalves __attribute__((vector_size(kWidth * 2), aligned(2), may_alias));

CANN4J_INLINE Floats load(const float* p) { return *reinterpret_cast<const LooseFloats*>(p); }
CANN4J_INLINE void store(float* p, Floats v) { *reinterpret_cast<LooseFloats*>(p) = v; }
CANN4J_INLINE Floats broadcast(float v) {
#if defined(CANN4J_AVX512)
  return (Floats)_mm512_set1_ps(v);
#elif defined(CANN4J_AVX2)
  return (Floats)_mm256_set1_ps(v);
#else
  return Floats{v, v, v, v};
#endif
}
CANN4J_INLINE Words load(const uint32_t* p) { return (Words)*reinterpret_cast<const LooseInts*>(p); }
CANN4J_INLINE void store(uint32_t* p, Words v) { *reinterpret_cast<LooseInts*>(p) = (Ints)v; }
CANN4J_INLINE Ints broadcastInt(int32_t v) { return v - Ints{}; }

CANN4J_INLINE Floats multiplyAdd(Floats a, Floats b, Floats c) {
#if defined(CANN4J_AVX512)
  return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(CANN4J_AVX2)
  return (Floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(CANN4J_NEON)
  return (Floats)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}
CANN4J_INLINE Floats multiplyAdd(float a, Floats b, Floats c) {
#if defined(CANN4J_NEON)
  return (Floats)vfmaq_n_f32((float32x4_t)c, (float32x4_t)b, a);  // loads the factor without a vector operation
#else
  return multiplyAdd(broadcast(a), b, c);
#endif
}

#if defined(CANN4J_BF16)
// Pairs of bf16, the first in the low half: adds the products of both halves, denormals taken for 0.
CANN4J_INLINE Floats multiplyAdd(uint32_t a, Words b, Floats c) {
#if defined(CANN4J_AVX512)
  return (Floats)_mm512_dpbf16_ps((__m512)c, (__m512bh)_mm512_set1_epi32(static_cast<int32_t>(a)), (__m512bh)b);
#else
  return (Floats)vbfdotq_f32((float32x4_t)c, (bfloat16x8_t)b, vreinterpretq_bf16_u32(vdupq_n_u32(a)));
#endif
}
#endif

// Returns b when either operand is NaN.
CANN4J_INLINE Floats maximum(Floats a, Floats b) {
#if defined(CANN4J_AVX512)
  return (Floats)_mm512_maskz_max_ps(0xffff, (__m512)a, (__m512)b);  // gcc 12 warns about the plain form
#elif defined(CANN4J_AVX2)
  return (Floats)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (Floats)_mm_max_ps((__m128)a, (__m128)b);
#else
  return a > b ? a : b;
#endif
}

CANN4J_INLINE Ints laneIndex() {
  Ints lanes;
  for (int i = 0; i < kWidth; ++i) lanes[i] = i;
  return lanes;
}

// Within 2 ulp where the result is at least 2^-125; smaller results are 0. Arguments above 88 saturate.
CANN4J_INLINE Floats exponential(Floats x) {
  const Floats shift = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const Floats high = broadcast(88.0f);
  x = x > high ? high : x;
  const Floats t = multiplyAdd(x, broadcast(1.44269504f), shift);
  const Floats n = t - shift;
  Floats r = multiplyAdd(n, broadcast(-0.693115234375f), x);
  r = multiplyAdd(n, broadcast(-3.19461849453e-5f), r);
  // Minimax for the relative error of 1 + r + r^2 q(r) on |r| <= ln(2) / 2: 3.1e-9.
  Floats q = broadcast(0.0013814467059f);
  q = multiplyAdd(q, r, broadcast(0.0083687804112f));
  q = multiplyAdd(q, r, broadcast(0.041668394211f));
  q = multiplyAdd(q, r, broadcast(0.16666520108f));
  q = multiplyAdd(q, r, broadcast(0.49999993413f));
  q = multiplyAdd(q, r, broadcast(1.0f));
  q = multiplyAdd(q, r, broadcast(1.0f));
  const Floats scaled = (Floats)((Words)q + ((Words)t << 23));
  const Ints tiny = x < broadcast(-86.6f);
  const Ints nan = x != x;  // the exponent arithmetic makes a number of a NaN that has its low bits set
  return (Floats)(((Ints)scaled & ~tiny) | nan);
}

CANN4J_INLINE float sumLanes(Floats v) {
  float sum = 0;
  for (int i = 0; i < kWidth; ++i) sum += v[i];
  return sum;
}

}  // namespace cann4j::attention::CANN4J_LEVEL
